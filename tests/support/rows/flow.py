"""Events, filters and bulk operations; limits, pauses, and who waits for them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

from hatchet_engine.domain.states import TaskKind
from hatchet_engine.turn.commands import PauseKind
from tests.support.rows.base import Workflow, at
from tests.support.rows.runs import RunRows


class FlowRows(RunRows):
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
    ) -> None:
        """A limit of which ``remaining`` units (default: all) are left."""
        await self.connection.execute(
            "insert into rate_limit values ($1,$2,$3,$4,$5,$6,$7)",
            self.tenant_id,
            key,
            limit,
            window,
            (limit or 0) if remaining is None else remaining,
            self.now_ms if began_ms is None else began_ms,
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
