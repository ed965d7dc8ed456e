"""Processes that commands start, and the program that starts workers."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from hatchet_cli.durations import parse_duration
from hatchet_cli.output import CommandError
from hatchet_cli.processes import Child, first_to_end
from hatchet_cli.worker_process import load_workers

READY_THEN_WAIT = "print('ready http://here'); import signal; signal.pause()"
DEADLINE_S = 10.0


def test_ready_line_is_given_and_stop_ends_it() -> None:
    lines: list[str] = []
    child = Child("server", [sys.executable, "-c", READY_THEN_WAIT], on_line=lines.append)
    assert child.wait_ready(DEADLINE_S) == "ready http://here"
    assert child.running
    child.stop()
    child.stop()
    assert not child.running
    assert lines == ["ready http://here"]


def test_process_that_ends_too_early_is_quoted() -> None:
    child = Child("server", [sys.executable, "-c", "import sys; sys.exit('port is taken')"])
    with pytest.raises(CommandError, match="server ended with code 1:\nport is taken"):
        child.wait_ready(DEADLINE_S)
    child.stop()


def test_the_first_of_two_to_end() -> None:
    staying = Child("server", [sys.executable, "-c", READY_THEN_WAIT])
    ending = Child("worker", [sys.executable, "-c", "print('that was it')"])
    assert first_to_end(staying, ending) is ending
    assert "the worker ended with code 0:\nthat was it" in str(ending.failure())
    staying.stop()
    assert not staying.running


def test_process_that_is_too_slow() -> None:
    child = Child("server", [sys.executable, "-c", "import signal; signal.pause()"])
    with pytest.raises(CommandError, match="not ready within"):
        child.wait_ready(0.05)
    child.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="needs the parent-death signal of Linux")
def test_tied_process_ends_with_its_parent(tmp_path: Path) -> None:
    program = (
        "import signal, sys; from hatchet_cli.processes import Child\n"
        "inner = 'from hatchet_cli.processes import tie_to_parent; tie_to_parent();'\n"
        "inner += 'import os, signal; print(\"ready\", os.getpid()); signal.pause()'\n"
        "child = Child('inner', [sys.executable, '-c', inner])\n"
        "print(child.wait_ready(10), flush=True); signal.pause()"
    )
    outer = Child("outer", [sys.executable, "-c", program])
    pid = int(outer.wait_ready(DEADLINE_S).split()[1])
    os.kill(outer._process.pid, 9)
    deadline = time.monotonic() + DEADLINE_S
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)  # it is no child of ours: nobody tells of its end
    outer.stop()


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1h30m", 5400), ("250ms", 0.25), ("7d", 604_800)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "soon", "5", "-5s", "5s!", "1e9999d", "9999999999999d"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|too long"):
        parse_duration(text)


class _Worker:
    def start(self) -> None: ...


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"jobs_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(
        "class W:\n    def start(self): ...\n"
        "one = W()\nmany = [one, W()]\ndef make(): return one\nempty = []\nnumber = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return name


@pytest.mark.parametrize(("attribute", "count"), [("one", 1), ("many", 2), ("make", 1)])
def test_workers_are_found(jobs: str, attribute: str, count: int) -> None:
    assert len(load_workers(f"{jobs}:{attribute}")) == count


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("app", "must look like MODULE:WORKERS"),
        ("no_such_module_here:x", "cannot import 'no_such_module_here'"),
        ("{jobs}:nothing", "has no 'nothing'"),
        ("{jobs}:number", "gives a int, which is no worker"),
        ("{jobs}:empty", "empty list"),
    ],
)
def test_workers_that_cannot_be_found(jobs: str, target: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        load_workers(target.format(jobs=jobs))
