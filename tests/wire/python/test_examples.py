"""The examples as they are, and with the official SDK: nothing but the import is another."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.processes import Program
from tests.support.server import ROOT
from tests.wire.conftest import Bench
from tests.wire.examples import assert_lines, printed, start_worker
from tests.wire.sdks import PYTHON

pytestmark = [pytest.mark.wire, pytest.mark.timeout(90)]

EXAMPLES = ROOT / "examples" / "python"
IMPORT = re.compile(r"^from hatchet\b", re.MULTILINE)

DAG = [r"Ada pays 18\.00", "failed as expected: ValueError: nothing was ordered"]
DAG_WORKER = ["an order of Ada is through", "sorry, Bob: nothing was ordered"]
FANOUT = ["24,950 words on 100 pages"]
CONDITIONS = [
    r"sent: Dear Ada \(decided by Bob\)",
    r"shredded: Dear nobody \(decided by nobody\) after 1\d s",
]
STORY = """Once upon a time there was a queue. It was long, and nobody knew who came next.
Then somebody wrote the order down, and everyone waited happily ever after."""

EVENTS = [
    r"\{.*\}: 1 runs",
    r"order 1: 120 is 100 or more \(order:created\)",
    r"\{.*\}: 0 runs",
    r"\{.*\}: 0 runs",
    r"10 events of a bulk started 5 runs",
]
CONCURRENCY = [
    "render: 4 pages of ann, 1 at once",
    "render: 4 pages of bob, 1 at once",
    "search: cancelled, cancelled, cancelled, completed",  # CON-5
    "backup: completed, cancelled, cancelled, cancelled",  # CON-6
    "publish: completed, cancelled, cancelled, completed",
    "export: completed, completed, cancelled, cancelled",
]
RATE_LIMITS = [  # RL-16
    # The official SDK looks for results once a second, when it is not in async code.
    r"5 mails, 2 per second: [2-5]\.\d s",
    r"bob waited [01]\.\d s, ann [2-5]\.\d s",
    "fax-ann: 4 per 1 SECOND",
    "fax-bob: 4 per 1 SECOND",
]
# Q-2; the first one begins at once, if the worker is there already.
PRIORITY = ["(advert 1, )?ticket 1, ticket 2, invoice, (advert 1, )?advert 2, advert 3"]

BATCH = [  # BA-3, BA-4, BA-6
    "first: question, last: statement",
    r"sizes of batches: \[50, 100\]",
    r"words: \[6, 6, 6\]",
]

IDEMPOTENCY = [
    "10 paid",
    "10 paid before",
    "3 of 4 were new",
    r"\['20 paid', '30 paid', '40 paid'\]",
    "it is being rebuilt already: True",
    "index rebuilt",
    "index rebuilt again",
]

CRON = [
    r"declared: CRON_TZ=Europe/Berlin OVERLAP=SKIP \*/2 \* \* \* \* \*",
    r"made: often \* \* \* \* \*",
    "result: report by the clock",
]
SCHEDULED = ["scheduled: 1", "of the red team: 0", "Ada, it is time", "Bob, it is time"]

LABELS = ["transcribed on large", "stored on (small|large)", "stored on large"]
STICKY = ["6 of 6 films were cut where they were fetched"]  # DAG-20

RunExample = Callable[[str], tuple[Program, Program]]


@pytest.fixture(params=["ours", "official"])
def run_example(
    request: pytest.FixtureRequest,
    bench: Bench,
    tmp_path: Path,
    start_program: Callable[..., Program],
) -> RunExample:
    """Starts worker and program of an example, with either SDK."""
    official = request.param == "official"
    python = PYTHON.worker_command[0] if official else sys.executable
    # The official SDK warns of names that both have.
    environ = {**bench.server.client_environ(), "PYTHONWARNINGS": "ignore::DeprecationWarning"}

    def run(name: str) -> tuple[Program, Program]:
        shutil.copytree(EXAMPLES / name, tmp_path, dirs_exist_ok=True)
        if official:
            for file in tmp_path.glob("*.py"):
                file.write_text(IMPORT.sub("from hatchet_sdk", file.read_text()))
        worker = start_worker(
            start_program,
            bench.client(PYTHON),
            [python, "worker.py"],
            f"{name}-worker",
            environ,
            tmp_path,
        )
        return worker, start_program(
            f"{name} run", [python, "run.py"], environ=environ, cwd=tmp_path
        )

    return run


def test_dag(run_example: RunExample) -> None:
    worker, run = run_example("dag")
    assert_lines(run, DAG)
    for line in DAG_WORKER:
        worker.wait_for_line(line)


def test_fanout(run_example: RunExample) -> None:
    _, run = run_example("fanout")
    assert_lines(run, FANOUT)


def test_conditions(run_example: RunExample) -> None:
    _, run = run_example("conditions")
    assert_lines(run, CONDITIONS)


def test_streaming(run_example: RunExample) -> None:
    _, run = run_example("streaming")
    *story, length = printed(run)
    assert length == "(156 characters)"
    assert "\n".join(story).strip() == STORY.strip()


def test_events(run_example: RunExample) -> None:
    _, run = run_example("events")
    assert_lines(run, EVENTS)


def test_concurrency(run_example: RunExample) -> None:
    _, run = run_example("concurrency")
    assert_lines(run, CONCURRENCY)


def test_rate_limits(run_example: RunExample) -> None:
    _, run = run_example("rate_limits")
    assert_lines(run, RATE_LIMITS)


def test_priority(run_example: RunExample) -> None:
    _, run = run_example("priority")
    assert_lines(run, PRIORITY)


def test_idempotency(run_example: RunExample) -> None:
    _, run = run_example("idempotency")
    assert_lines(run, IDEMPOTENCY)


def test_cron(run_example: RunExample) -> None:
    worker, run = run_example("cron")
    assert_lines(run, CRON)
    worker.wait_for_line(r"^report by the clock, planned for 20\d\d-.*[02468]Z$")


def test_scheduled(run_example: RunExample) -> None:
    _, run = run_example("scheduled")
    assert_lines(run, SCHEDULED)


def test_labels(run_example: RunExample) -> None:
    """The second worker may join later: then what it would take first goes to the other one."""
    _, run = run_example("labels")
    assert_lines(run, LABELS)


def test_sticky(run_example: RunExample) -> None:
    _, run = run_example("sticky")
    assert_lines(run, STICKY)


def test_batch(run_example: RunExample) -> None:
    _, run = run_example("batch")
    assert_lines(run, BATCH)
