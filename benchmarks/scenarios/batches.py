"""Runs of a batch task, 100 in a batch, against runs of a task that is called for each."""

from __future__ import annotations

from benchmarks.support.rows import Outcome, Row, at_least
from benchmarks.support.scale import Scale
from benchmarks.support.sdk import cpu_meter, our_client, ready_worker
from benchmarks.support.server import running_server
from benchmarks.support.statistics import median

PLAIN, BATCHED = "bench-unruled", "bench-batched"
KEYS = 1_000
BAR = at_least(0.7)


def run(scale: Scale) -> Outcome:
    tasks, rounds = scale.pick(20_000, 10_000), scale.pick(5, 3)
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

        rate(PLAIN), rate(BATCHED)
        plain, batched, splits = [], [], []
        for _ in range(rounds):
            plain.append(rate(PLAIN))
            batched.append(rate(BATCHED))
            splits = [meter.split("batched, last round", tasks)]
    return Outcome(
        rows=[
            Row(
                "a task that is called once for 100 runs, against once for each",
                median(batched) / median(plain),
                "×",
                BAR,
                f"{median(batched):,.0f} against {median(plain):,.0f} runs/s",
            )
        ],
        splits=splits,
        details={"tasks": tasks, "plain": plain, "batched": batched},
    )
