"""The same steps for every peer: fill a queue, drain it, both at once, then idle latency."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.support.cpu import CpuMeter, CpuReader
from benchmarks.support.processes import Program
from benchmarks.support.rows import Outcome, Row, Standing
from benchmarks.support.statistics import summary

PAUSE_S = 0.01


@dataclass(frozen=True, slots=True)
class PeerScale:
    """How much of it: tasks per throughput step, samples of latency."""

    tasks: int
    samples: int


def measure_peer(
    outcome: Outcome,
    title: str,
    *,
    client: Program,
    start_worker: Callable[[], Program],
    services: Mapping[str, CpuReader],
    scale: PeerScale,
    note: str,
) -> None:
    """Add the peer's rows to `outcome`.

    `client` is a program that answers warm_up, reset, enqueue, drain, end_to_end and latency.
    """
    tasks = scale.tasks
    enqueue_s = client.call("enqueue", count=tasks)
    with start_worker():
        drained_per_s = client.call("drain", count=tasks)
    client.call("reset")
    with start_worker() as worker:
        client.call("warm_up")
        times_ms = client.call("latency", samples=scale.samples, pause_s=PAUSE_S)
        client.call("reset")
        meter = CpuMeter({**services, "worker": worker.cpu_s, "client": client.cpu_s})
        with meter:
            end_to_end_s = client.call("end_to_end", count=tasks)
    latency = summary(times_ms)
    outcome.rows += [
        Row(f"{title}: enqueue alone", tasks / enqueue_s, "tasks/s"),
        Row(f"{title}: drain alone", drained_per_s, "tasks/s"),
        Row(f"{title}: trigger until all done", tasks / end_to_end_s, "tasks/s"),
        Row(f"{title}: idle latency p50", latency["p50"], "ms"),
        Row(f"{title}: idle latency p99", latency["p99"], "ms"),
    ]
    outcome.standings.append(
        Standing(title, tasks / end_to_end_s, latency["p50"], latency["p99"], note)
    )
    outcome.splits.append(meter.split(title, tasks))
    outcome.details[title] = {"tasks": tasks, "latency_ms": latency}
