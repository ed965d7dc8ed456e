"""The worker table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from hatchet_engine.store.history import Row
from hatchet_engine.store.sql import load

_SQL = load("workers")


async def present_list(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """Workers that have not left."""
    rows: list[asyncpg.Record] = await connection.fetch(_SQL["worker_present_list"])
    return rows


async def get(
    connection: asyncpg.Connection, worker_id: UUID, tenant_id: UUID
) -> asyncpg.Record | None:
    return await connection.fetchrow(_SQL["worker_get"], worker_id, tenant_id)


async def insert(connection: asyncpg.Connection, row: Row, now: datetime) -> None:
    await connection.execute(_SQL["worker_insert"], *row, now)


async def set_stream(connection: asyncpg.Connection, worker_id: UUID, now: datetime) -> None:
    """Its stream was opened; a worker that was given up is back."""
    await connection.execute(_SQL["worker_set_stream"], worker_id, now)


async def set_left_many(
    connection: asyncpg.Connection, worker_ids: Sequence[UUID], now: datetime
) -> None:
    await connection.execute(_SQL["worker_set_left_many"], worker_ids, now)


async def set_labels(connection: asyncpg.Connection, worker_id: UUID, labels: str) -> None:
    await connection.execute(_SQL["worker_set_labels"], worker_id, labels)


async def set_paused(connection: asyncpg.Connection, worker_id: UUID, paused: bool) -> None:
    await connection.execute(_SQL["worker_set_paused"], worker_id, paused)


async def set_heartbeat_many(
    connection: asyncpg.Connection, worker_ids: Sequence[UUID], at_ms: Sequence[int]
) -> None:
    await connection.execute(_SQL["worker_set_heartbeat_many"], worker_ids, at_ms)
