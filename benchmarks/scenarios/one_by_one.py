"""No-op tasks triggered one by one from 64 concurrent callers; each waits for its result."""

from __future__ import annotations

from benchmarks.support.rows import Outcome, Row, at_least
from benchmarks.support.scale import Scale
from benchmarks.support.sdk import cpu_meter, our_client, ready_worker
from benchmarks.support.server import running_server
from benchmarks.support.statistics import median

CALLERS = 64
BAR_PER_S = at_least(2_000)


def run(scale: Scale) -> Outcome:
    tasks, rounds = scale.pick(10_000, 3_000), scale.pick(3, 1)
    with (
        running_server() as server,
        ready_worker(server) as worker,
        our_client(server) as client,
    ):
        client.call("warm_up", task="bench-noop")
        client.call("one_by_one", task="bench-noop", count=tasks // 10, callers=CALLERS)
        meter = cpu_meter(server, worker, client)
        rates = []
        for _ in range(rounds):
            with meter:
                took_s = client.call("one_by_one", task="bench-noop", count=tasks, callers=CALLERS)
            rates.append(tasks / took_s)
    return Outcome(
        rows=[Row(f"one by one, {CALLERS} callers", median(rates), "tasks/s", BAR_PER_S)],
        splits=[meter.split(f"one by one, {CALLERS} callers", tasks)],
        details={"tasks": tasks, "callers": CALLERS, "tasks_per_s": rates},
    )
