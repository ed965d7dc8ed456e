"""The assignment table: tasks on workers. Rows are tuples in statement order."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from hatchet_engine.store.batch import Batch
from hatchet_engine.store.history import Row, columns
from hatchet_engine.store.sql import load

_SQL = load("assignments")


async def list_all(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(_SQL["assignment_list"])
    return rows


def insert_many(batch: Batch, rows: Sequence[Row], assigned_ms: int) -> None:
    first = columns(rows)
    batch.add(_SQL["assignment_insert_many"], *first[:10], assigned_ms, *first[10:])


def insert_fresh(batch: Batch, common: Row, rows: Sequence[Row]) -> None:
    """``common``: tenant, queue, version, step, assigned ms, deadline ms; ``rows``: task id,
    worker id."""
    batch.add(_SQL["assignment_insert_fresh"], *common, *columns(rows))


def insert_asked(batch: Batch, common: Row, rows: Sequence[Row]) -> None:
    """Like :func:`insert_fresh`; ``rows``: task id, worker id, demand, batch id."""
    batch.add(_SQL["assignment_insert_asked"], *common, *columns(rows))


def delete_many(batch: Batch, task_ids: Sequence[UUID]) -> None:
    batch.add(_SQL["assignment_delete_many"], task_ids)


def set_many(batch: Batch, rows: Sequence[Row]) -> None:
    """``rows``: task id, started ms, deadline ms, released. One statement for all that changes:
    two parts of a batch must not touch one row."""
    batch.add(_SQL["assignment_set_many"], *columns(rows))


async def exists(connection: asyncpg.Connection, task_id: UUID, attempt: int) -> bool:
    found: bool = await connection.fetchval(_SQL["assignment_exists"], task_id, attempt)
    return found
