"""10,000 crons of which none is due: statements sent to Postgres, and CPU of the engine.

They are written into the table, but for the last one, which is made by a call.
"""

from __future__ import annotations

import time

from benchmarks.scenarios.idle_engine import log_statements, statements
from benchmarks.support.cpu import CpuMeter
from benchmarks.support.rows import Outcome, Row, below
from benchmarks.support.scale import Scale
from benchmarks.support.sdk import our_client, ready_worker
from benchmarks.support.server import running_server

CRONS = 10_000
TASK = "bench-noop"
SETTLE_S = 3.0
STATEMENTS_BAR_PER_S = below(0.5)
CPU_BAR_PERCENT = below(1)
FILL = f"""
insert into cron (id, tenant_id, workflow_id, name, expression, zone, catch_up, catch_up_max,
                  overlap, jitter_ms, tick_ms, next_fire_ms, created_at, updated_at)
select gen_random_uuid(), c.tenant_id, c.workflow_id, 'cron-' || n, c.expression, c.zone,
       c.catch_up, c.catch_up_max, c.overlap, c.jitter_ms, c.tick_ms, c.next_fire_ms + n,
       c.created_at, c.updated_at
from cron c, generate_series(2, {CRONS}) as n
"""


def run(scale: Scale) -> Outcome:
    window_s = scale.pick(30.0, 8.0)
    with running_server() as server, ready_worker(server, slots=10), our_client(server) as client:
        client.call("warm_up", task=TASK)
        client.call("create_cron", task=TASK, name="cron-1")
        server.fetch(FILL)
        client.call("create_cron", task=TASK, name="the last")
        log_statements(server)
        time.sleep(SETTLE_S)
        before = len(statements(server))
        meter = CpuMeter(server.cpu_groups())
        with meter:
            time.sleep(window_s)
        found = statements(server)[before:]
    percent = {name: 100 * spent / meter.took_s for name, spent in meter.cpu_s.items()}
    title = f"idle engine, {CRONS:,} crons"
    return Outcome(
        rows=[
            Row(
                f"{title}: statements",
                len(found) / meter.took_s,
                "per s",
                STATEMENTS_BAR_PER_S,
                f"{len(found)} in {meter.took_s:.0f} s",
            ),
            Row(f"{title}: engine CPU", percent["engine"], "%", CPU_BAR_PERCENT),
        ],
        details={"statements": found, "cpu_percent": percent},
    )
