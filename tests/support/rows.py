"""Factories: rows in the state asked for, complete and consistent, straight into the tables.

    rows = await Rows.open(database)
    run = await rows.run(workflow, Status.FAILED, error="boom")

For tests of reads, which must not depend on the engine that writes these tables in real life.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import UUID

import asyncpg
import orjson

from hatchet_engine.domain.definition import TaskDefinition, WorkflowDefinition, digest, to_json
from hatchet_engine.domain.ids import IdSource
from hatchet_engine.domain.states import EventKind, Status, TaskKind
from hatchet_engine.store import partitions
from hatchet_engine.turn.commands import PauseKind

NOW_MS = 1_750_000_000_000


def at(ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


@dataclass
class Workflow:
    id: UUID
    version_id: UUID
    tenant_id: UUID
    definition: WorkflowDefinition
    queue_ids: list[int] = field(default_factory=list)


class Rows:
    """One tenant's rows. ``tenant_id`` is made by :meth:`open`; another ``Rows`` is another one."""

    def __init__(self, connection: asyncpg.Connection, now_ms: int) -> None:
        self.connection = connection
        self.now_ms = now_ms
        # Version ids are cached by the process under test, so no two tests may share them.
        self.ids = IdSource(random.SystemRandom().randbytes)
        self.tenant_id = self.ids.new(now_ms)

    @classmethod
    async def open(cls, dsn: str, now_ms: int = NOW_MS) -> Self:
        connection = await asyncpg.connect(dsn)
        await partitions.create_ahead(connection, now_ms)
        rows = cls(connection, now_ms)
        await connection.execute(
            "insert into tenant (id, slug, name, created_at, updated_at) values ($1,$2,$2,$3,$3)",
            rows.tenant_id,
            f"tenant-{rows.tenant_id}",
            at(now_ms),
        )
        return rows

    async def close(self) -> None:
        await self.connection.close()

    async def workflow(
        self, name: str = "simple", tasks: list[TaskDefinition] | None = None, **more: Any
    ) -> Workflow:
        tasks = tasks or [TaskDefinition(name="step", action=f"{name}:step")]
        definition = WorkflowDefinition(name=name, tasks=tasks, **more)
        workflow = Workflow(
            self.ids.new(self.now_ms), self.ids.new(self.now_ms), self.tenant_id, definition
        )
        await self.connection.execute(
            "insert into workflow (id, tenant_id, name, created_at, updated_at) "
            "values ($1,$2,$3,$4,$4)",
            workflow.id,
            self.tenant_id,
            name,
            at(self.now_ms),
        )
        await self.version(workflow, 1)
        for task in tasks:
            queue_id = await self.connection.fetchval(
                "insert into queue (tenant_id, action) values ($1,$2) "
                "on conflict (tenant_id, action) do update set action = excluded.action "
                "returning id",
                self.tenant_id,
                task.action,
            )
            workflow.queue_ids.append(queue_id)
        return workflow

    async def version(self, workflow: Workflow, number: int) -> None:
        """Store a version; from the second on it gets an id of its own."""
        if number > 1:
            workflow.version_id = self.ids.new(self.now_ms)
        await self.connection.execute(
            "insert into workflow_version (id, tenant_id, workflow_id, number, digest, definition,"
            " created_at) values ($1,$2,$3,$4,$5,$6,$7)",
            workflow.version_id,
            self.tenant_id,
            workflow.id,
            number,
            digest(workflow.definition),
            to_json(workflow.definition),
            at(self.now_ms + number),
        )

    async def run(
        self,
        workflow: Workflow,
        status: Status = Status.QUEUED,
        *,
        created_ms: int | None = None,
        kind: TaskKind = TaskKind.STANDALONE,
        run_id: UUID | None = None,
        step: int = 0,
        attempt: int = 0,
        input: str = '{"n": 1}',
        metadata: dict[str, Any] | None = None,
        parent_task_id: UUID | None = None,
        worker_id: UUID | None = None,
        output: str | None = None,
        error: str | None = None,
        delayed: bool = False,
        blocked: bool = False,
        skipped: bool = False,
        retries: int = 0,
        trigger: dict[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> UUID:
        """A run (or, with kind and run_id, a member of one) in this state. Each step of its life
        takes 10 ms: created, assigned, started, finished. ``blocked``: it waits for parents, so it
        is in no hot table."""
        created_ms = self.now_ms if created_ms is None else created_ms
        task_id = self.ids.new(created_ms)
        worker_id = worker_id or self.ids.new(created_ms)
        await self.connection.execute(
            "insert into task (tenant_id, id, run_id, kind, workflow_id, version_id, step,"
            " priority, created_at, input, metadata, parent_task_id, trigger, idempotency_key)"
            " values ($1,$2,$3,$4,$5,$6,$7,1,$8,$9,$10,$11,$12,$13)",
            self.tenant_id,
            task_id,
            run_id or task_id,
            kind,
            workflow.id,
            workflow.version_id,
            step,
            at(created_ms),
            "" if kind is TaskKind.MEMBER else input,
            None if metadata is None else orjson.dumps(metadata).decode(),
            parent_task_id,
            None if trigger is None else orjson.dumps(trigger).decode(),
            idempotency_key,
        )
        if status.final:
            await self._outcome(
                task_id, status, kind, attempt, created_ms, worker_id, output, error, skipped
            )
        elif kind is not TaskKind.DAG and not blocked:
            await self._live(
                workflow, task_id, run_id, status, step, attempt, created_ms, worker_id, delayed,
                retries,
            )  # fmt: skip
        return task_id

    async def dag(
        self, workflow: Workflow, members: dict[int, dict[str, Any]] | None = None, **more: Any
    ) -> tuple[UUID, list[UUID]]:
        """A DAG run and its members in the order of the definition; ``members``: what is special
        about some of them. By default roots are queued and the others wait for their parents."""
        run_id = await self.run(workflow, kind=TaskKind.DAG, **more)
        made = []
        for step, task in enumerate(workflow.definition.tasks):
            special = (members or {}).get(step)
            if special is None:
                special = {"blocked": bool(task.parents) or task.on_failure}
            member = await self.run(
                workflow,
                special.pop("status", Status.QUEUED),
                kind=TaskKind.MEMBER,
                run_id=run_id,
                step=step,
                created_ms=more.get("created_ms"),
                metadata=more.get("metadata"),
                **special,
            )
            made.append(member)
        return run_id, made

    async def wait(
        self,
        workflow: Workflow,
        task_id: UUID,
        run_id: UUID,
        step: int,
        *,
        position: int = 0,
        due_ms: int | None = None,
        event_key: str | None = None,
        met: bool = False,
    ) -> None:
        """A condition that a task waits for."""
        await self.connection.execute(
            "insert into task_wait (task_id, position, tenant_id, run_id, version_id, step, due_ms,"
            " event_key, met) values ($1,$2,$3,$4,$5,$6,$7,$8,$9)",
            task_id,
            position,
            self.tenant_id,
            run_id,
            workflow.version_id,
            step,
            due_ms,
            event_key,
            met,
        )

    async def park(
        self,
        workflow: Workflow,
        task_id: UUID,
        run_id: UUID | None = None,
        step: int = 0,
        *,
        line: str = "c1:key",
        rank: int = -1,
        attempt: int = 0,
        retries: int = 0,
        queued_ms: int | None = None,
    ) -> None:
        """A task (made ``blocked``) stands in a line; ``step`` -1: a run as a whole."""
        await self.connection.execute(
            "insert into parked_item (line, rank, task_id, tenant_id, version_id, step, attempt,"
            " app_retries, internal_retries, queued_ms, schedule_timeout_ms, run_id)"
            " values ($1,$2,$3,$4,$5,$6,$7,$8,0,$9,$10,$11)",
            line,
            rank,
            task_id,
            self.tenant_id,
            workflow.version_id,
            step,
            attempt,
            retries,
            queued_ms or self.now_ms,
            (queued_ms or self.now_ms) + 300_000,
            run_id,
        )

    async def pushed(
        self,
        key: str = "user:created",
        *,
        seen_ms: int | None = None,
        scope: str | None = None,
        payload: str = '{"a": 1}',
        metadata: dict[str, Any] | None = None,
        source: str | None = None,
    ) -> UUID:
        """An event as PushEvents stores it."""
        event_id = self.ids.new(self.now_ms if seen_ms is None else seen_ms)
        await self.connection.execute(
            "insert into event (tenant_id, id, key, scope, payload, metadata, source)"
            " values ($1,$2,$3,$4,$5,$6,$7)",
            self.tenant_id,
            event_id,
            key,
            scope,
            payload,
            None if metadata is None else orjson.dumps(metadata).decode(),
            source,
        )
        return event_id

    async def filter(
        self, workflow: Workflow, scope: str = "s", expression: str = "true", payload: str = "{}"
    ) -> UUID:
        """A stored event filter."""
        filter_id = self.ids.new(self.now_ms)
        await self.connection.execute(
            "insert into event_filter (id, tenant_id, workflow_id, scope, expression, payload,"
            " created_at, updated_at) values ($1,$2,$3,$4,$5,$6,$7,$7)",
            filter_id,
            self.tenant_id,
            workflow.id,
            scope,
            expression,
            payload,
            at(self.now_ms),
        )
        return filter_id

    async def rate_limit(
        self,
        key: str,
        limit: int | None,
        window: str = "MINUTE",
        *,
        remaining: int | None = None,
        began_ms: int | None = None,
        paused_until_ms: int | None = None,
    ) -> None:
        """A limit of which ``remaining`` units (default: all) are left."""
        await self.connection.execute(
            "insert into rate_limit values ($1,$2,$3,$4,$5,$6,$7,$8)",
            self.tenant_id,
            key,
            limit,
            window,
            (limit or 0) if remaining is None else remaining,
            self.now_ms if began_ms is None else began_ms,
            paused_until_ms,
            at(self.now_ms),
        )

    async def pause(
        self, kind: PauseKind, target: str = "", *, since_ms: int | None = None, **more: Any
    ) -> None:
        values = {"since_ms": self.now_ms if since_ms is None else since_ms, **more}
        await self.connection.execute(
            f"insert into pause (tenant_id, kind, target, {', '.join(values)}) values ($1,$2,$3,"
            + ",".join(f"${number}" for number in range(4, 4 + len(values)))
            + ")",
            self.tenant_id,
            kind,
            target,
            *values.values(),
        )

    async def concurrency_limit(
        self,
        expression: str,
        workflow: Workflow | None = None,
        task: str | None = None,
        name: str | None = None,
    ) -> int:
        """A concurrency rule; its id."""
        id: int = await self.connection.fetchval(
            "insert into concurrency_limit (tenant_id, scope, workflow_id, task, name, expression)"
            " values ($1,$2,$3,$4,$5,$6) returning id",
            self.tenant_id,
            f"{workflow and workflow.id}:{task}:{name}:{expression}",
            workflow and workflow.id,
            task,
            name,
            expression,
        )
        return id

    async def place(self, holder_id: UUID, line: str, max_runs: int = 1) -> None:
        """A task or run holds a place under a concurrency key."""
        await self.connection.execute(
            "insert into concurrency_place values ($1,$2,-1,$3,$4,$5)",
            holder_id,
            line,
            max_runs,
            self.tenant_id,
            self.now_ms,
        )

    async def parked(self, workflow: Workflow, line: str, **more: Any) -> UUID:
        """A task that waits in a line; ``more`` as for :meth:`run`. ``step`` -1: a whole DAG run,
        of which there are no members here."""
        step = more.pop("step", 0)
        attempt, retries = more.pop("attempt", 0), more.pop("retries", 0)
        if step < 0:
            more["kind"] = TaskKind.DAG
        task_id = await self.run(workflow, step=max(step, 0), blocked=True, **more)
        await self.park(
            workflow,
            task_id,
            more.get("run_id"),
            step,
            line=line,
            rank=-4 if attempt else -1,
            attempt=attempt,
            retries=retries,
            queued_ms=more.get("created_ms"),
        )
        return task_id

    async def bulk(self, kind: str = "CANCEL", **more: Any) -> UUID:
        """A bulk operation that is under way."""
        id = self.ids.new(self.now_ms)
        await self.connection.execute(
            "insert into bulk_operation (id, tenant_id, kind, filter, reason, total, done, changed,"
            " created_at, finished_at, error) values ($1,$2,$3,$8,$4,5,2,1,$5,$6,$7)",
            id,
            self.tenant_id,
            kind,
            more.get("reason"),
            at(self.now_ms),
            more.get("finished_at"),
            more.get("error"),
            orjson.dumps(
                {
                    "since_ms": self.now_ms - 1_000,
                    "until_ms": self.now_ms,
                    "statuses": more.get("statuses", []),
                    "workflow_ids": more.get("workflow_ids", []),
                    "metadata": more.get("metadata", []),
                }
            ).decode(),
        )
        return id

    async def _outcome(
        self,
        task_id: UUID,
        status: Status,
        kind: TaskKind,
        attempt: int,
        created_ms: int,
        worker_id: UUID,
        output: str | None,
        error: str | None,
        skipped: bool,
    ) -> None:
        await self.connection.execute(
            "insert into outcome values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12)",
            self.tenant_id,
            task_id,
            status,
            kind,
            attempt,
            at(created_ms + 30),
            at(created_ms + 10),
            at(created_ms + 20),
            worker_id,
            output,
            error,
            skipped,
        )

    async def _live(
        self,
        workflow: Workflow,
        task_id: UUID,
        run_id: UUID | None,
        status: Status,
        step: int,
        attempt: int,
        created_ms: int,
        worker_id: UUID,
        delayed: bool,
        retries: int,
    ) -> None:
        own = (task_id, self.tenant_id, workflow.queue_ids[step], workflow.version_id, step)
        if status is Status.RUNNING:
            await self.connection.execute(
                "insert into assignment (task_id, tenant_id, queue_id, version_id, step, attempt,"
                " worker_id, app_retries, internal_retries, assigned_ms, deadline_ms, started_ms)"
                " values ($1,$2,$3,$4,$5,$6,$7,0,0,$8,$9,$10)",
                *own,
                attempt,
                worker_id,
                created_ms + 10,
                created_ms + 300_000,
                created_ms + 20,
            )
        elif delayed:
            await self.connection.execute(
                "insert into delayed_item (task_id, tenant_id, queue_id, version_id, step, attempt,"
                " due_ms, app_retries, internal_retries, run_id)"
                " values ($1,$2,$3,$4,$5,$6,$7,$8,0,$9)",
                *own,
                attempt,
                created_ms + 60_000,
                retries,
                run_id,
            )
        else:
            await self.connection.execute(
                "insert into queue_item (task_id, tenant_id, queue_id, version_id, step, attempt,"
                " rank, app_retries, internal_retries, queued_ms, schedule_timeout_ms, run_id)"
                " values ($1,$2,$3,$4,$5,$6,$7,$8,0,$9,$10,$11)",
                *own,
                attempt,
                -4 if attempt else -1,
                retries,
                created_ms,
                created_ms + 300_000,
                run_id,
            )

    async def event(
        self,
        task_id: UUID,
        kind: EventKind,
        attempt: int,
        at_ms: int,
        message: str | None = None,
        data: dict[str, Any] | None = None,
        worker_id: UUID | None = None,
    ) -> None:
        await self.connection.execute(
            "insert into task_event values ($1,$2,$3,$4,$5,$6,$7,$8)",
            self.tenant_id,
            self.ids.new(at_ms),
            task_id,
            kind,
            attempt,
            worker_id,
            message,
            None if data is None else orjson.dumps(data).decode(),
        )

    async def worker(
        self,
        name: str = "worker",
        actions: list[str] | None = None,
        *,
        heartbeat_ms: int | None = None,
        labels: dict[str, Any] | None = None,
        runtime: dict[str, Any] | None = None,
        paused: bool = False,
        left_ms: int | None = None,
    ) -> UUID:
        worker_id = self.ids.new(self.now_ms)
        heartbeat_ms = self.now_ms if heartbeat_ms is None else heartbeat_ms
        await self.connection.execute(
            "insert into worker (id, tenant_id, name, actions, slots, labels, runtime, protocol,"
            " created_at, last_heartbeat_at, stream_opened_at, paused, left_at)"
            " values ($1,$2,$3,$4,$5,$6,$7,'grpc',$8,$9,$9,$10,$11)",
            worker_id,
            self.tenant_id,
            name,
            actions or ["simple:step"],
            '{"default": 100}',
            orjson.dumps(labels or {}).decode(),
            orjson.dumps(runtime or {}).decode(),
            at(self.now_ms),
            at(heartbeat_ms),
            paused,
            None if left_ms is None else at(left_ms),
        )
        return worker_id

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
