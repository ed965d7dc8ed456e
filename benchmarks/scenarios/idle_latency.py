"""Trigger to result on an idle system: caller, engine and worker are three processes."""

from __future__ import annotations

from typing import Any

from benchmarks.support.rows import OURS, Outcome, Row, Standing, at_most
from benchmarks.support.scale import Scale
from benchmarks.support.sdk import our_client, ready_worker
from benchmarks.support.server import running_server
from benchmarks.support.statistics import summary

PAUSE_S = 0.01
WARM_UP_SAMPLES = 50


def run(scale: Scale) -> Outcome:
    samples = scale.pick(1_000, 300)
    with running_server() as server, ready_worker(server), our_client(server) as client:
        client.call("warm_up", task="bench-noop")

        def measure(count: int) -> Any:
            return client.call("latency", task="bench-noop", samples=count, pause_s=PAUSE_S)

        measure(WARM_UP_SAMPLES)
        latency = summary(measure(samples))
    return Outcome(
        rows=[
            Row("idle latency, p50", latency["p50"], "ms", at_most(5)),
            Row("idle latency, p99", latency["p99"], "ms", at_most(15)),
        ],
        standings=[Standing(OURS, p50_ms=latency["p50"], p99_ms=latency["p99"])],
        details={"latency_ms": latency, "pause_s": PAUSE_S},
    )
