"""Very many rows, for tests of plans."""

from __future__ import annotations

from tests.support.rows.base import Workflow, at
from tests.support.rows.runs import RunRows


class ManyRows(RunRows):
    async def many(self, workflow: Workflow, count: int, *, span_ms: int, failed_each: int) -> None:
        """``count`` runs that ended over the last ``span_ms``; one in ``failed_each`` failed."""
        first_ms = self.now_ms - span_ms
        ids = [self.ids.new(first_ms + n * span_ms // count) for n in range(count)]
        await self.connection.execute(
            "insert into task (tenant_id, id, run_id, kind, workflow_id, version_id, step,"
            " priority, created_at, input, metadata)"
            " select $1, x.id, x.id, 0, $2, $3, 0, 1,"
            "        to_timestamp($4::bigint / 1000.0) + x.n * make_interval(secs => $5), '{}',"
            "        jsonb_build_object('user', (x.n % 1000)::text)"
            " from unnest($6::uuid[]) with ordinality as x (id, n)",
            self.tenant_id,
            workflow.id,
            workflow.version_id,
            first_ms,
            span_ms / count / 1000,
            ids,
        )
        await self.connection.execute(
            "insert into outcome (tenant_id, id, status, kind, attempt, finished_at, worker_id,"
            " output)"
            " select $1, x.id, case when x.n % $3 = 0 then 3 else 2 end, 0, 0, $2, x.id, '{}'"
            " from unnest($4::uuid[]) with ordinality as x (id, n)",
            self.tenant_id,
            at(self.now_ms),
            failed_each,
            ids,
        )
        await self.connection.execute("vacuum analyze task, outcome")

    async def many_dags(self, workflow: Workflow, count: int, *, span_ms: int) -> None:
        """``count`` DAG runs over the last ``span_ms``, of which nothing has ended and all roots
        wait in their queue; one in two hundred was caused by an event."""
        steps = len(workflow.definition.tasks)
        first_ms = self.now_ms - span_ms
        ids = [
            self.ids.new(first_ms + n * span_ms // count)
            for n in range(count)
            for _ in range(steps + 1)
        ]
        runs = ids[:: steps + 1]
        await self.connection.execute(
            "insert into task (tenant_id, id, run_id, kind, workflow_id, version_id, step,"
            " priority, created_at, input, trigger)"
            " select $1, x.id, r.id, case when (x.n - 1) % $5 = 0 then 1 else 2 end, $2, $3,"
            "        greatest((x.n - 1) % $5 - 1, 0), 1,"
            "        to_timestamp($6::bigint / 1000.0) + x.n * make_interval(secs => $7), '{}',"
            "        case when (x.n - 1) % ($5 * 200) = 0"
            "             then jsonb_build_object('event_id', x.id::text) end"
            " from unnest($4::uuid[]) with ordinality as x (id, n)"
            " join unnest($8::uuid[]) with ordinality as r (id, n) on r.n = (x.n - 1) / $5 + 1",
            self.tenant_id,
            workflow.id,
            workflow.version_id,
            ids,
            steps + 1,
            first_ms,
            span_ms / len(ids) / 1000,
            runs,
        )
        await self.connection.execute(
            "insert into queue_item (queue_id, rank, task_id, tenant_id, version_id, step, attempt,"
            " app_retries, internal_retries, queued_ms, schedule_timeout_ms, run_id)"
            " select ($1::bigint[])[t.step + 1], -1, t.id, t.tenant_id, t.version_id, t.step, 0,"
            "        0, 0, 0, 0, t.run_id"
            " from task t where t.kind = 2 and t.step = any ($2::smallint[])",
            workflow.queue_ids,
            [n for n, task in enumerate(workflow.definition.tasks) if not task.parents],
        )
        await self.connection.execute("vacuum analyze task, queue_item")

    async def many_parked(self, workflow: Workflow, count: int, *, span_ms: int) -> None:
        """``count`` runs of one task over the last ``span_ms`` that stand in 100 lines."""
        first_ms = self.now_ms - span_ms
        ids = [self.ids.new(first_ms + n * span_ms // count) for n in range(count)]
        await self.connection.execute(
            "insert into task (tenant_id, id, run_id, kind, workflow_id, version_id, step,"
            " priority, created_at, input)"
            " select $1, x.id, x.id, 0, $2, $3, 0, 1,"
            "        to_timestamp($4::bigint / 1000.0) + x.n * make_interval(secs => $5), '{}'"
            " from unnest($6::uuid[]) with ordinality as x (id, n)",
            self.tenant_id,
            workflow.id,
            workflow.version_id,
            first_ms,
            span_ms / count / 1000,
            ids,
        )
        await self.connection.execute(
            "insert into parked_item (line, rank, task_id, tenant_id, version_id, step, attempt,"
            " app_retries, internal_retries, queued_ms, schedule_timeout_ms)"
            " select 'c1:' || x.n % 100, -1, x.id, $1, $2, 0, 0, 0, 0, 0, 0"
            " from unnest($3::uuid[]) with ordinality as x (id, n)",
            self.tenant_id,
            workflow.version_id,
            ids,
        )
        await self.connection.execute("vacuum analyze task, parked_item")

    async def many_events(self, count: int, *, span_ms: int) -> None:
        """``count`` events over the last ``span_ms``: 50 keys, every third with one of 1,000
        scopes, 1,000 users in their metadata."""
        first_ms = self.now_ms - span_ms
        ids = [self.ids.new(first_ms + n * span_ms // count) for n in range(count)]
        await self.connection.execute(
            "insert into event (tenant_id, id, key, scope, payload, metadata)"
            " select $1, x.id, 'key:' || x.n % 50,"
            "        case when x.n % 3 = 0 then 'scope:' || x.n % 1000 end, '{}',"
            "        jsonb_build_object('user', (x.n % 1000)::text)"
            " from unnest($2::uuid[]) with ordinality as x (id, n)",
            self.tenant_id,
            ids,
        )
        await self.connection.execute("vacuum analyze event")
