"""Diamonds of four no-op tasks triggered in bulk, until all results are stored and returned."""

from __future__ import annotations

from benchmarks.support.rows import Outcome, Row, at_least
from benchmarks.support.scale import Scale
from benchmarks.support.sdk import cpu_meter, our_client, ready_worker
from benchmarks.support.server import running_server
from benchmarks.support.statistics import median

FLOW = "bench-diamond"
TASKS_PER_FLOW = 4
BAR_PER_S = at_least(3_000)


def run(scale: Scale) -> Outcome:
    flows, rounds = scale.pick(5_000, 2_000), scale.pick(5, 3)
    tasks = flows * TASKS_PER_FLOW
    with (
        running_server() as server,
        ready_worker(server, "--flows") as worker,
        our_client(server) as client,
    ):
        client.call("bulk", task=FLOW, count=flows // 10)
        meter = cpu_meter(server, worker, client)
        rates, splits = [], []
        for _ in range(rounds):
            with meter:
                took_s = client.call("bulk", task=FLOW, count=flows)
            rates.append(tasks / took_s)
            splits.append(meter.split("tasks of diamonds, median round", tasks))
    middle = sorted(range(rounds), key=rates.__getitem__)[rounds // 2]
    return Outcome(
        rows=[Row("tasks of diamonds in bulk, median", median(rates), "tasks/s", BAR_PER_S)],
        splits=[splits[middle]],
        details={"flows": flows, "tasks_per_s": rates},
    )
