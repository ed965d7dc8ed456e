"""CPU time of the engine's process per task: with our SDK, and with the official Python SDK.

Both are triggered in bulk by our SDK, so that the workers make the difference.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.support.places import OFFICIAL_PYTHON
from benchmarks.support.processes import Program
from benchmarks.support.rows import Bar, CpuSplit, Outcome, Row, at_most
from benchmarks.support.scale import Scale
from benchmarks.support.sdk import cpu_meter, official_worker, our_client, our_worker
from benchmarks.support.server import Server, running_server

OURS_BAR_US = at_most(120)
OFFICIAL_BAR_US = at_most(700)


def run(scale: Scale) -> Outcome:
    outcome = Outcome()
    ours = _measure("our worker", "bench-noop", our_worker, scale.pick(20_000, 10_000))
    _add(outcome, ours, "engine CPU per task, our SDK", OURS_BAR_US)
    what = "engine CPU per task, official Python SDK"
    if not Path(OFFICIAL_PYTHON).exists():
        outcome.rows.append(Row(what, None, "µs", OFFICIAL_BAR_US, ".venv-official is missing"))
        return outcome
    tasks = scale.pick(3_000, 600)
    official = _measure("official worker", "bench-official", official_worker, tasks)
    _add(outcome, official, what, OFFICIAL_BAR_US)
    rate = tasks / official.took_s
    outcome.rows.append(Row("throughput, worker of the official SDK", rate, "tasks/s"))
    return outcome


def _measure(
    what: str, task: str, start_worker: Callable[[Server], Program], tasks: int
) -> CpuSplit:
    with (
        running_server() as server,
        start_worker(server) as worker,
        our_client(server) as client,
    ):
        client.call("warm_up", task=task)
        client.call("bulk", task=task, count=tasks // 10)
        meter = cpu_meter(server, worker, client)
        with meter:
            client.call("bulk", task=task, count=tasks)
        return meter.split(what, tasks)


def _add(outcome: Outcome, split: CpuSplit, what: str, bar: Bar) -> None:
    outcome.rows.append(Row(what, split.us_per_task("engine"), "µs", bar))
    outcome.splits.append(split)
