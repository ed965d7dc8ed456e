"""Workers as their rows tell; what lives of them (heartbeat, free slots) only the engine knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from hatchet_engine.observe.times import from_ms
from hatchet_engine.store.sql import load
from hatchet_engine.turn.commands import PauseKind

WORKERS_MAX = 10_000
LISTED_AFTER_LAST_HEARTBEAT = timedelta(hours=24)

_SQL = load("read_workflows")


@dataclass(slots=True, frozen=True)
class WorkerRow:
    id: UUID
    tenant_id: UUID
    name: str
    actions: list[str]
    slots: dict[str, int]
    labels: dict[str, str | int]
    runtime: dict[str, Any]  # sdk_version, language, language_version, os, extra
    created_at: datetime
    last_heartbeat_at: datetime | None  # flushed now and then
    stream_opened_at: datetime | None
    paused: bool
    left_at: datetime | None


async def worker_list(pool: asyncpg.Pool, tenant_id: UUID, now_ms: int) -> list[WorkerRow]:
    """Workers that are here or were heard of in the last 24 hours, newest first."""
    heard_since = from_ms(now_ms) - LISTED_AFTER_LAST_HEARTBEAT
    records = await pool.fetch(
        _SQL["worker_list"], tenant_id, heard_since, WORKERS_MAX, PauseKind.WORKER
    )
    return [_row(record) for record in records]


async def worker_get(pool: asyncpg.Pool, tenant_id: UUID, worker_id: UUID) -> WorkerRow | None:
    record = await pool.fetchrow(_SQL["worker_view"], tenant_id, worker_id, PauseKind.WORKER)
    return None if record is None else _row(record)


async def names_by_ids(pool: asyncpg.Pool, tenant_id: UUID, ids: Sequence[UUID]) -> dict[UUID, str]:
    """Also of those that have left."""
    if not ids:
        return {}
    records = await pool.fetch(_SQL["worker_names"], tenant_id, ids)
    return {record["id"]: record["name"] for record in records}


def _row(record: asyncpg.Record) -> WorkerRow:
    return WorkerRow(
        id=record["id"],
        tenant_id=record["tenant_id"],
        name=record["name"],
        actions=list(record["actions"]),
        slots=orjson.loads(record["slots"]),
        labels=orjson.loads(record["labels"]),
        runtime=orjson.loads(record["runtime"]),
        created_at=record["created_at"],
        last_heartbeat_at=record["last_heartbeat_at"],
        stream_opened_at=record["stream_opened_at"],
        paused=record["paused"],
        left_at=record["left_at"],
    )
