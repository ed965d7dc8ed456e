"""A DAG on an idle system, from its trigger to its result: a diamond and a long chain.

With no-op tasks this is the time that the engine needs from the end of a task to the start of the
next, and all parents of a task must have ended before.
"""

from __future__ import annotations

from benchmarks.support.processes import Program
from benchmarks.support.rows import CpuSplit, Outcome, Row, at_most
from benchmarks.support.scale import Scale
from benchmarks.support.sdk import cpu_meter, our_client, ready_worker
from benchmarks.support.server import Server, running_server
from benchmarks.support.statistics import summary

PAUSE_S = 0.01
DIAMOND_TASKS = 4
CHAIN_TASKS = 100
DIAMOND_BAR_MS = at_most(12)
STEP_BAR_MS = at_most(4)


def run(scale: Scale) -> Outcome:
    with (
        running_server() as server,
        ready_worker(server, "--flows") as worker,
        our_client(server) as client,
    ):
        programs = (server, worker, client)
        single_ms, _ = _measure(*programs, "bench-noop", scale.pick(200, 100), 1)
        count = scale.pick(500, 150)
        diamond_ms, diamond = _measure(*programs, "bench-diamond", count, DIAMOND_TASKS)
        count = scale.pick(30, 8)
        chain_ms, chain = _measure(*programs, "bench-chain", count, CHAIN_TASKS)
    single = summary(single_ms)
    whole, steps = summary(diamond_ms), summary([each / CHAIN_TASKS for each in chain_ms])
    return Outcome(
        rows=[
            Row(
                "diamond of 4 tasks, idle: p50",
                whole["p50"],
                "ms",
                DIAMOND_BAR_MS,
                f"{single['p50']:.2f} ms for a single task",
            ),
            Row("diamond of 4 tasks, idle: p99", whole["p99"], "ms"),
            Row("chain of 100 tasks, idle: p50 per task", steps["p50"], "ms", STEP_BAR_MS),
        ],
        splits=[diamond, chain],
        details={
            "single_ms": single,
            "diamond_ms": whole,
            "chain_step_ms": steps,
            "pause_s": PAUSE_S,
        },
    )


def _measure(
    server: Server, worker: Program, client: Program, flow: str, samples: int, tasks: int
) -> tuple[list[float], CpuSplit]:
    """Milliseconds of each run, and the CPU time per task."""
    client.call("latency", task=flow, samples=max(samples // 10, 2), pause_s=PAUSE_S)
    meter = cpu_meter(server, worker, client)
    with meter:
        times_ms = client.call("latency", task=flow, samples=samples, pause_s=PAUSE_S)
    return times_ms, meter.split(f"{flow}, one at a time", samples * tasks)
