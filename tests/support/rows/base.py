"""A tenant, its workflows and its workers."""

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
from hatchet_engine.store import partitions

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


class TenantRows:
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

    async def worker(
        self,
        name: str = "worker",
        actions: list[str] | None = None,
        *,
        heartbeat_ms: int | None = None,
        labels: dict[str, Any] | None = None,
        runtime: dict[str, Any] | None = None,
        draining: bool = False,
        left_ms: int | None = None,
    ) -> UUID:
        worker_id = self.ids.new(self.now_ms)
        heartbeat_ms = self.now_ms if heartbeat_ms is None else heartbeat_ms
        await self.connection.execute(
            "insert into worker (id, tenant_id, name, actions, slots, labels, runtime, protocol,"
            " created_at, last_heartbeat_at, stream_opened_at, draining, left_at)"
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
            draining,
            None if left_ms is None else at(left_ms),
        )
        return worker_id
