"""A task that starts 1,000 children in bulk and waits for all, on the worker that runs them too."""

from __future__ import annotations

from benchmarks.support.rows import Outcome, Row, at_most
from benchmarks.support.scale import Scale
from benchmarks.support.sdk import cpu_meter, our_client, ready_worker
from benchmarks.support.server import running_server
from benchmarks.support.statistics import summary

FLOW = "bench-fan-out"
CHILDREN = 1_000
PAUSE_S = 0.2
WARM_UP_SAMPLES = 3
BAR_S = at_most(0.6)


def run(scale: Scale) -> Outcome:
    samples = scale.pick(20, 7)
    with (
        running_server() as server,
        ready_worker(server, "--flows") as worker,
        our_client(server) as client,
    ):
        client.call("latency", task=FLOW, samples=WARM_UP_SAMPLES, pause_s=PAUSE_S)
        meter = cpu_meter(server, worker, client)
        with meter:
            times_ms = client.call("latency", task=FLOW, samples=samples, pause_s=PAUSE_S)
    took_s = summary([each / 1_000 for each in times_ms])
    return Outcome(
        rows=[
            Row("1 parent, 1,000 children: p50", took_s["p50"], "s", BAR_S),
            Row("1 parent, 1,000 children: slowest", took_s["max"], "s"),
        ],
        splits=[meter.split("children", samples * CHILDREN)],
        details={"took_s": took_s, "pause_s": PAUSE_S},
    )
