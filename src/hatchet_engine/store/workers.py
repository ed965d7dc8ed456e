"""The worker table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from hatchet_engine.store.batch import Batch
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


def insert(batch: Batch, row: Row, now: datetime) -> None:
    batch.add(_SQL["worker_insert"], *row, now)


def set_stream(batch: Batch, worker_id: UUID, now: datetime) -> None:
    """Its stream was opened; a worker that was given up is back."""
    batch.add(_SQL["worker_set_stream"], worker_id, now)


def set_left_many(batch: Batch, worker_ids: Sequence[UUID], now: datetime) -> None:
    batch.add(_SQL["worker_set_left_many"], worker_ids, now)


def set_labels(batch: Batch, worker_id: UUID, labels: str) -> None:
    batch.add(_SQL["worker_set_labels"], worker_id, labels)


def set_draining(batch: Batch, worker_id: UUID, draining: bool) -> None:
    batch.add(_SQL["worker_set_draining"], worker_id, draining)


async def set_heartbeat_many(
    connection: asyncpg.Connection, worker_ids: Sequence[UUID], at_ms: Sequence[int]
) -> None:
    await connection.execute(_SQL["worker_set_heartbeat_many"], worker_ids, at_ms)
