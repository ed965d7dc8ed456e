"""Conditions that tasks wait for: the task_wait table. Rows are tuples in statement order."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from hatchet_engine.store.batch import Batch
from hatchet_engine.store.history import Row, columns
from hatchet_engine.store.sql import load

_SQL = load("waits")


def insert_many(batch: Batch, rows: Sequence[Row]) -> None:
    batch.add(_SQL["task_wait_insert_many"], *columns(rows))


def delete_tasks(batch: Batch, task_ids: Sequence[UUID]) -> None:
    """All waits of these tasks."""
    batch.add(_SQL["task_wait_delete_tasks"], task_ids)


def delete_many(batch: Batch, keys: Sequence[tuple[UUID, int]]) -> None:
    batch.add(_SQL["task_wait_delete_many"], *columns(keys))


def set_met(batch: Batch, rows: Sequence[Row]) -> None:
    """``rows``: task id, position, data."""
    batch.add(_SQL["task_wait_set_met"], *columns(rows))


async def find_many(
    connection: asyncpg.Connection, task_ids: Sequence[UUID]
) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(_SQL["task_wait_find_many"], task_ids)
    return rows


async def due(connection: asyncpg.Connection, now_ms: int, limit: int) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(_SQL["task_wait_due"], now_ms, limit)
    return rows


async def next_due_after_ms(connection: asyncpg.Connection, after_ms: int) -> int | None:
    value: int | None = await connection.fetchval(_SQL["task_wait_next_due"], after_ms)
    return value


async def by_event(
    connection: asyncpg.Connection, tenant_id: UUID, keys: Sequence[str]
) -> list[asyncpg.Record]:
    """Open waits for events with these keys."""
    rows: list[asyncpg.Record] = await connection.fetch(_SQL["task_wait_by_event"], tenant_id, keys)
    return rows
