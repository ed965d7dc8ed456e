"""100,000 scheduled runs that are due at one moment, and other work that comes meanwhile.

They are made beforehand. The worker counts the attempts of their task and prints the clock at the
last one; another caller measures the latency of no-op runs on the same worker all the while.
"""

from __future__ import annotations

from threading import Thread

from benchmarks.support.rows import CpuSplit, Outcome, Row, at_most, below
from benchmarks.support.scale import Scale
from benchmarks.support.sdk import cpu_meter, our_client, ready_worker
from benchmarks.support.server import running_server
from benchmarks.support.statistics import summary

TASK = "bench-queued"
OTHER = "bench-noop"
LEAD_S = 3.0  # between the last of them being made and their due time
MADE_PER_S = 3_000  # at least; the due time must lie behind the making
TIMEOUT_S = 120
ALL_BAR_S = at_most(30)
OTHER_BAR_MS = below(50)


def run(scale: Scale) -> Outcome:
    count, window_s = scale.pick(100_000, 10_000), scale.pick(20.0, 5.0)
    with (
        running_server() as server,
        ready_worker(server, f"--count-to={count}") as worker,
        our_client(server) as client,
        our_client(server) as other,
    ):
        other.call("warm_up", task=OTHER)
        in_s = LEAD_S + count / MADE_PER_S
        due_s, made_s = client.call("schedule", task=TASK, count=count, in_s=in_s)
        samples: list[tuple[float, float]] = []
        measuring = Thread(
            target=lambda: samples.extend(
                other.call("latency_from", task=OTHER, from_s=due_s, window_s=window_s)
            )
        )
        meter = cpu_meter(server, worker, client)
        with meter:
            measuring.start()
            line, _ = worker.wait_for("counted", timeout_s=TIMEOUT_S)
        measuring.join()
        ended_s = float(line.split()[2])
        took_s = ended_s - due_s
    times_ms = [took_ms for began_s, took_ms in samples if began_s <= ended_s]
    figures = summary(times_ms)
    title = f"{count:,} schedules due at once"
    return Outcome(
        rows=[
            Row(f"{title}: all have begun after", took_s, "s", ALL_BAR_S),
            Row(
                f"{title}: p99 of other work meanwhile",
                figures["p99"],
                "ms",
                OTHER_BAR_MS,
                f"p50 {figures['p50']:.1f} ms, {len(times_ms)} samples",
            ),
            Row(f"{title}: making them", count / made_s, "schedules/s"),
        ],
        splits=[CpuSplit("scheduled run", count, meter.took_s, meter.cpu_s)],
        details={"other_ms": figures, "took_s": took_s},
    )
