"""How late scheduled runs are on an idle system: one every 50 ms, each due at its own time.

From the due time until the engine gives the run to the worker, as the tables tell it; the worker
begins about a millisecond after that.
"""

from __future__ import annotations

import time

from benchmarks.support.rows import Outcome, Row, at_most
from benchmarks.support.scale import Scale
from benchmarks.support.sdk import our_client, ready_worker
from benchmarks.support.server import running_server
from benchmarks.support.statistics import summary

TASK = "bench-noop"
APART_MS = 50
LEAD_S = 1.0
END_S = 2.0
LATE_BAR_MS = at_most(20)
LATE = """
select extract(epoch from o.assigned_at) * 1000 - s.due_ms as late_ms
from scheduled_run s join outcome o on o.id = s.run_id
"""


def run(scale: Scale) -> Outcome:
    count = scale.pick(400, 60)
    with running_server() as server, ready_worker(server), our_client(server) as client:
        client.call("warm_up", task=TASK)
        client.call("schedule", task=TASK, count=count, in_s=LEAD_S, apart_ms=APART_MS)
        time.sleep(LEAD_S + count * APART_MS / 1_000 + END_S)
        late_ms = [float(row["late_ms"]) for row in server.fetch(LATE)]
    assert len(late_ms) == count, f"{len(late_ms)} of {count} have run"
    figures = summary(late_ms)
    note = f"p50 {figures['p50']:.1f} ms, at most {figures['max']:.1f}"
    return Outcome(
        rows=[
            Row(
                "scheduled runs on an idle engine: late, p99",
                figures["p99"],
                "ms",
                LATE_BAR_MS,
                note,
            )
        ],
        details={"late_ms": figures},
    )
