"""Rate limits: 1,000 dynamic keys that never bind, and 100,000 parked tasks beside others."""

from __future__ import annotations

from benchmarks.support.rows import Outcome, Row, at_least
from benchmarks.support.scale import Scale
from benchmarks.support.sdk import cpu_meter, our_client, ready_worker
from benchmarks.support.server import running_server
from benchmarks.support.statistics import median

PLAIN, METERED, STARVED = "bench-unruled", "bench-metered", "bench-starved"
KEYS = 1_000
METERED_BAR = at_least(0.7)
PARKED_BAR = at_least(0.95)


def run(scale: Scale) -> Outcome:
    tasks, rounds = scale.pick(20_000, 10_000), scale.pick(5, 3)
    parked = scale.pick(100_000, 30_000)
    with (
        running_server() as server,
        ready_worker(server, "--limits") as worker,
        our_client(server) as client,
    ):
        meter = cpu_meter(server, worker, client)

        def rate(task: str) -> float:
            with meter:
                took_s = client.call("bulk", task=task, count=tasks, keys=KEYS)
            return tasks / took_s

        rate(PLAIN), rate(METERED)
        before, metered, splits = [], [], []
        for _ in range(rounds):
            before.append(rate(PLAIN))
            metered.append(rate(METERED))
            splits = [meter.split("metered, last round", tasks)]
        client.call("fill", task=STARVED, count=parked)
        beside = [rate(PLAIN) for _ in range(rounds)]
    plain = median(before)
    return Outcome(
        rows=[
            Row(
                f"{KEYS:,} dynamic rate limits that never bind, against none",
                median(metered) / plain,
                "×",
                METERED_BAR,
                f"{median(metered):,.0f} against {plain:,.0f} tasks/s",
            ),
            Row(
                f"beside {parked:,} parked tasks, against none",
                median(beside) / plain,
                "×",
                PARKED_BAR,
                f"{median(beside):,.0f} against {plain:,.0f} tasks/s",
            ),
        ],
        splits=splits,
        details={"tasks": tasks, "plain": before, "metered": metered, "beside": beside},
    )
