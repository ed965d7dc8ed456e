"""A million queued tasks: how fast they drain, and what they cost in the engine's memory.

The queue is filled while no worker runs; then a worker starts, and is timed from its first attempt
to the last of the wanted number. First with a short queue that holds half as much again, so that
its end is not measured; then with the long one. Several rounds of each, on one server.
"""

from __future__ import annotations

from benchmarks.support.processes import Program
from benchmarks.support.rows import Outcome, Row, at_least, at_most
from benchmarks.support.scale import Scale
from benchmarks.support.sdk import our_client, ready_worker
from benchmarks.support.server import Server, running_server
from benchmarks.support.statistics import median

TASK = "bench-queued"
RATIO_BAR = at_least(0.8)
MEMORY_BAR_MB = at_most(300)
COUNT_TIMEOUT_S = 120


def run(scale: Scale) -> Outcome:
    backlog, drained = scale.pick(1_000_000, 100_000), scale.pick(30_000, 10_000)
    rounds = scale.pick(3, 2)
    with running_server() as server, our_client(server) as client:
        _register(server, client)
        _fill(client, drained // 2)
        short_rates = []
        for _ in range(rounds):
            _fill(client, drained)
            short_rates.append(_drain(server, drained)[0])
        filled_s = _fill(client, backlog)
        rss_mb, pss_mb = server.engine_memory_mb()
        long_rates, sizes_mb = zip(*(_drain(server, drained) for _ in range(rounds)), strict=True)
    short_per_s, long_per_s, busy_mb = median(short_rates), median(long_rates), max(sizes_mb)
    title = f"backlog of {backlog:,}"
    rates = f"{long_per_s:,.0f} against {short_per_s:,.0f} tasks/s"
    sizes = f"{rss_mb:.0f} filled, {busy_mb:.0f} draining"
    memory_mb = max(rss_mb, busy_mb)
    return Outcome(
        rows=[
            Row(
                f"{title}: drain against an empty queue",
                long_per_s / short_per_s,
                "×",
                RATIO_BAR,
                rates,
            ),
            Row(f"{title}: engine memory (RSS)", memory_mb, "MB", MEMORY_BAR_MB, sizes),
            Row(f"{title}: filling it", backlog / filled_s, "tasks/s"),
        ],
        details={
            "drained": drained,
            "short_per_s": short_rates,
            "long_per_s": long_rates,
            "filled_pss_mb": pss_mb,
        },
    )


def _register(server: Server, client: Program) -> None:
    """Have a worker declare the task, and leave."""
    with ready_worker(server):
        client.call("warm_up", task=TASK)


def _fill(client: Program, count: int) -> float:
    """Seconds for queuing `count` tasks."""
    took_s: float = client.call("fill", task=TASK, count=count)
    return took_s


def _drain(server: Server, count: int) -> tuple[float, float]:
    """Attempts per second of a new worker, and the engine's RSS in MB while it works."""
    with ready_worker(server, f"--count-to={count}") as worker:
        line, _ = worker.wait_for("counted", timeout_s=COUNT_TIMEOUT_S)
        return count / float(line.split()[1]), server.engine_memory_mb()[0]
