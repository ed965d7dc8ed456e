"""The queue tables: queue, queue_item, delayed_item. Rows are tuples in statement order."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from hatchet_engine.store.batch import Batch
from hatchet_engine.store.history import Row, columns
from hatchet_engine.store.sql import load

_SQL = load("queue")
BEFORE_ALL = (-32_768, 0, UUID(int=0))


async def list_all(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(_SQL["queue_list"])
    return rows


async def depths(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """How many tasks of each queue and version wait."""
    rows: list[asyncpg.Record] = await connection.fetch(_SQL["queue_depth_list"])
    return rows


async def insert(connection: asyncpg.Connection, tenant_id: UUID, action: str) -> int:
    """The queue of an action, made when it does not exist yet."""
    id: int = await connection.fetchval(_SQL["queue_insert"], tenant_id, action)
    return id


def insert_many(batch: Batch, rows: Sequence[Row]) -> None:
    batch.add(_SQL["queue_item_insert_many"], *columns(rows))


def insert_fresh(batch: Batch, common: Row, task_ids: Sequence[UUID]) -> None:
    """``common``: queue, rank, tenant, version, step, queued ms, schedule timeout ms."""
    batch.add(_SQL["queue_item_insert_fresh"], *common, task_ids)


def insert_asked(batch: Batch, common: Row, rows: Sequence[Row]) -> None:
    """Like :func:`insert_fresh`; ``rows``: task id, demand, round."""
    batch.add(_SQL["queue_item_insert_asked"], *common, *columns(rows))


def delete_rank(batch: Batch, queue_id: int, rank: int, task_ids: Sequence[UUID]) -> None:
    """Items of one queue and one rank."""
    batch.add(_SQL["queue_item_delete_rank"], queue_id, rank, task_ids)


def delete_many(batch: Batch, keys: Sequence[Row]) -> None:
    """``keys``: (queue id, rank, task id)."""
    batch.add(_SQL["queue_item_delete_many"], *columns(keys))


async def window(
    connection: asyncpg.Connection,
    queue_id: int,
    after: tuple[int, int, UUID] | None,
    limit: int,
    *,
    plain: bool,
    fair: bool,
) -> list[asyncpg.Record]:
    """The next ``limit`` items behind a position, in queue order. ``plain`` and ``fair``: whether
    there are items without a round, and with one."""
    rank, round_, task_id = after or BEFORE_ALL
    name = "queue_item_window"
    position: tuple[int | UUID, ...] = (rank, task_id)
    if fair:
        name = "queue_item_window_mixed" if plain else "queue_item_window_fair"
        position = (rank, round_, task_id)
    rows: list[asyncpg.Record] = await connection.fetch(_SQL[name], queue_id, *position, limit)
    return rows


async def aged(
    connection: asyncpg.Connection, keys: Sequence[tuple[int, int, UUID]], limit: int
) -> list[asyncpg.Record]:
    """The oldest items by (queue id, rank, id before which they were made), at most ``limit``."""
    rows: list[asyncpg.Record] = await connection.fetch(
        _SQL["queue_item_aged"], *columns(keys), limit
    )
    return rows


async def find_many(
    connection: asyncpg.Connection, keys: Sequence[tuple[int, UUID]]
) -> list[asyncpg.Record]:
    """Queued tasks by (queue id, task id)."""
    rows: list[asyncpg.Record] = await connection.fetch(
        _SQL["queue_item_find_many"], *columns(keys)
    )
    return rows


async def timed_out(
    connection: asyncpg.Connection, now_ms: int, limit: int
) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(_SQL["queue_item_timed_out"], now_ms, limit)
    return rows


def delayed_insert_many(batch: Batch, rows: Sequence[Row]) -> None:
    batch.add(_SQL["delayed_item_insert_many"], *columns(rows))


def delayed_delete_many(batch: Batch, ids: Sequence[UUID]) -> None:
    batch.add(_SQL["delayed_item_delete_many"], ids)


async def delayed_find_many(
    connection: asyncpg.Connection, ids: Sequence[UUID]
) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(_SQL["delayed_item_find_many"], ids)
    return rows


async def delayed_due(
    connection: asyncpg.Connection, now_ms: int, limit: int
) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(_SQL["delayed_item_due"], now_ms, limit)
    return rows


async def delayed_next_due_ms(connection: asyncpg.Connection) -> int | None:
    value: int | None = await connection.fetchval(_SQL["delayed_item_next_due"])
    return value


async def next_timeout_after_ms(connection: asyncpg.Connection, after_ms: int) -> int | None:
    value: int | None = await connection.fetchval(_SQL["queue_item_next_timeout_after"], after_ms)
    return value


async def delayed_next_due_after_ms(connection: asyncpg.Connection, after_ms: int) -> int | None:
    value: int | None = await connection.fetchval(_SQL["delayed_item_next_due_after"], after_ms)
    return value
