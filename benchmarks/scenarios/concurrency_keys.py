"""Tasks under a concurrency rule with 1,000 keys, 5 at once of each, against tasks without a rule.

Rounds of one and of the other take turns on one server, with the same inputs.
"""

from __future__ import annotations

from benchmarks.support.rows import Outcome, Row, at_least
from benchmarks.support.scale import Scale
from benchmarks.support.sdk import cpu_meter, our_client, ready_worker
from benchmarks.support.server import running_server
from benchmarks.support.statistics import median

PLAIN, KEYED = "bench-unruled", "bench-keyed"
KEYS = 1_000
RATIO_BAR = at_least(0.7)


def run(scale: Scale) -> Outcome:
    tasks, rounds = scale.pick(20_000, 10_000), scale.pick(5, 3)
    with (
        running_server() as server,
        ready_worker(server, "--limits") as worker,
        our_client(server) as client,
    ):
        meter = cpu_meter(server, worker, client)
        rates: dict[str, list[float]] = {PLAIN: [], KEYED: []}
        splits = {}
        for task in (PLAIN, KEYED):
            client.call("bulk", task=task, count=tasks // 4, keys=KEYS)
        for _ in range(rounds):
            for task in (PLAIN, KEYED):
                with meter:
                    took_s = client.call("bulk", task=task, count=tasks, keys=KEYS)
                rates[task].append(tasks / took_s)
                splits[task] = meter.split(f"{task}, last round", tasks)
    plain, keyed = median(rates[PLAIN]), median(rates[KEYED])
    note = f"{keyed:,.0f} against {plain:,.0f} tasks/s"
    title = f"{KEYS:,} concurrency keys against no rule"
    return Outcome(
        rows=[Row(title, keyed / plain, "×", RATIO_BAR, note)],
        splits=list(splits.values()),
        details={"tasks": tasks, "tasks_per_s": rates},
    )
