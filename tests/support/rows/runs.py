"""Runs, where their tasks stand, and what has happened to them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

from hatchet_engine.domain.states import EventKind, Status, TaskKind
from tests.support.rows.base import TenantRows, Workflow, at


class RunRows(TenantRows):
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
