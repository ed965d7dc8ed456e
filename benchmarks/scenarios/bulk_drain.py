"""Durable no-op tasks triggered in bulk, until all results are stored and returned."""

from __future__ import annotations

from benchmarks.support.rows import OURS, Outcome, Row, Standing, at_least
from benchmarks.support.scale import Scale
from benchmarks.support.sdk import cpu_meter, our_client, ready_worker
from benchmarks.support.server import running_server
from benchmarks.support.statistics import median

BAR_PER_S = at_least(5_000)


def run(scale: Scale) -> Outcome:
    tasks, rounds = scale.pick(30_000, 10_000), scale.pick(5, 3)
    with (
        running_server() as server,
        ready_worker(server) as worker,
        our_client(server) as client,
    ):
        client.call("warm_up", task="bench-noop")
        client.call("bulk", task="bench-noop", count=tasks // 10)
        meter = cpu_meter(server, worker, client)
        rates, splits = [], []
        for _ in range(rounds):
            with meter:
                took_s = client.call("bulk", task="bench-noop", count=tasks)
            rates.append(tasks / took_s)
            splits.append(meter.split("bulk drain, median round", tasks))
    middle = sorted(range(rounds), key=rates.__getitem__)[rounds // 2]
    return Outcome(
        rows=[
            Row("bulk triggered, median", median(rates), "tasks/s", BAR_PER_S),
            Row("bulk triggered, best", max(rates), "tasks/s", BAR_PER_S),
        ],
        splits=[splits[middle]],
        standings=[Standing(OURS, tasks_per_s=median(rates), note="durable (fsync), results kept")],
        details={"tasks": tasks, "tasks_per_s": rates},
    )
