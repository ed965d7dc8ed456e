"""100,000 runs queued behind one concurrency key with one place: from one run to the next."""

from __future__ import annotations

from benchmarks.support.rows import Outcome, Row, at_most
from benchmarks.support.scale import Scale
from benchmarks.support.sdk import our_client, ready_worker
from benchmarks.support.server import running_server
from benchmarks.support.statistics import summary

TASK = "bench-one-key"
BAR_MS = at_most(10)


def run(scale: Scale) -> Outcome:
    backlog, samples = scale.pick(100_000, 30_000), scale.pick(1_000, 300)
    with running_server() as server, our_client(server) as client:
        with ready_worker(server, "--limits"):
            client.call("warm_up", task=TASK)
        client.call("fill_kept", task=TASK, count=backlog, keep=samples)
        with ready_worker(server, "--limits"):
            times = summary(client.call("gaps"))
    title = f"{backlog:,} runs behind one key: from one to the next"
    return Outcome(
        rows=[Row(f"{title}, p50", times["p50"], "ms", BAR_MS, f"p99 {times['p99']:.1f}")],
        details=times,
    )
