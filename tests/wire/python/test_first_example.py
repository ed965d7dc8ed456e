"""The README's first example with the official SDK: nothing but the import is another."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.processes import Program
from tests.support.server import ROOT
from tests.wire.conftest import Bench
from tests.wire.sdks import PYTHON, PYTHON_OLD, Sdk

pytestmark = [pytest.mark.wire, pytest.mark.timeout(90)]

EXAMPLE = ROOT / "examples" / "python" / "first"


@pytest.mark.parametrize("sdk", [PYTHON, PYTHON_OLD], ids=lambda sdk: sdk.name)
def test_first_example(
    sdk: Sdk, bench: Bench, tmp_path: Path, start_program: Callable[..., Program]
) -> None:
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    tasks = tmp_path / "tasks.py"
    ours = tasks.read_text()
    tasks.write_text(ours.replace("from hatchet import", "from hatchet_sdk import"))
    assert tasks.read_text() != ours
    python = sdk.worker_command[0]
    environ = {**bench.server.client_environ(), **sdk.environ}

    start_program("first worker", [python, "worker.py"], environ=environ, cwd=tmp_path)
    # It registers the task, without which nobody can trigger it.
    client = bench.client(sdk)
    client.wait_until(
        lambda: client.call("workers"),
        lambda found: (
            (sdk.namespaced("first-worker"), "ACTIVE")
            in [(one["name"], one["status"]) for one in found]
        ),
        "the worker is active",
        timeout_s=40,
    )
    run = start_program("first run", [python, "run.py"], environ=environ, cwd=tmp_path)
    run.wait_for_line("^Hello, Ada!$", timeout_s=40)
    line = run.wait_for_line("^Hello, number 1000!", timeout_s=60)
    assert re.search(r"1,000 runs in \d+\.\d\d s$", line)
    assert run.wait() == 0
