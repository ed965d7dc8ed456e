"""A million queued tasks: how fast they drain, and what they cost in the engine's memory.

Both times the queue is filled while no worker runs; then a worker starts, and counts from its
first attempt to the `DRAINED`-th. The short queue holds half as much again, so that its end is
not measured.
"""

from __future__ import annotations

from benchmarks.support.processes import Program
from benchmarks.support.rows import Outcome, Row, at_least, at_most
from benchmarks.support.scale import Scale
from benchmarks.support.sdk import our_client, ready_worker
from benchmarks.support.server import Server, running_server

TASK = "bench-queued"
RATIO_BAR = at_least(0.8)
MEMORY_BAR_MB = at_most(300)


def run(scale: Scale) -> Outcome:
    backlog, drained = scale.pick(1_000_000, 100_000), scale.pick(30_000, 10_000)
    empty_per_s = _drain(drained, queued=drained + drained // 2)[0]
    full_per_s, filled_per_s, rss_mb, pss_mb, busy_rss_mb = _drain(drained, queued=backlog)
    title = f"backlog of {backlog:,}"
    return Outcome(
        rows=[
            Row(
                f"{title}: drain against an empty queue",
                full_per_s / empty_per_s,
                "×",
                RATIO_BAR,
                f"{full_per_s:,.0f} against {empty_per_s:,.0f} tasks/s",
            ),
            Row(
                f"{title}: engine memory (RSS)",
                max(rss_mb, busy_rss_mb),
                "MB",
                MEMORY_BAR_MB,
                f"{rss_mb:.0f} filled, {busy_rss_mb:.0f} draining, PSS {pss_mb:.0f}",
            ),
            Row(f"{title}: filling it", filled_per_s, "tasks/s"),
        ],
        details={"drained": drained, "empty_per_s": empty_per_s, "full_per_s": full_per_s},
    )


def _drain(drained: int, *, queued: int) -> tuple[float, float, float, float, float]:
    """Drained per second, filled per second, engine memory when full (RSS, PSS), when draining."""
    with running_server() as server, our_client(server) as client:
        _register(server, client)
        filled_s = client.call("fill", task=TASK, count=queued)
        rss_mb, pss_mb = server.engine_memory_mb()
        with ready_worker(server, f"--count-to={drained}") as worker:
            line, _ = worker.wait_for("counted", timeout_s=120)
            busy_rss_mb, _ = server.engine_memory_mb()
            worker.kill()
        return drained / float(line.split()[1]), queued / filled_s, rss_mb, pss_mb, busy_rss_mb


def _register(server: Server, client: Program) -> None:
    """Have a worker declare the task, and leave."""
    with ready_worker(server):
        client.call("warm_up", task=TASK)
