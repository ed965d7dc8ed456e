"""Concurrency limits, the places under their keys, and those who stand in lines."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from hatchet_engine.domain.scopes import Scope
from hatchet_engine.store.batch import Batch
from hatchet_engine.store.history import Row, columns
from hatchet_engine.store.sql import load

_SQL = load("lines")


async def limit_insert(
    connection: asyncpg.Connection,
    tenant_id: UUID,
    scope: Scope,
    name: str | None,
    expression: str,
) -> int:
    """The limit of a scope, made when it does not exist yet; returns its id."""
    id: int = await connection.fetchval(
        _SQL["limit_insert"],
        tenant_id,
        scope.text,
        scope.workflow_id,
        scope.task,
        name,
        expression,
    )
    return id


def parked_insert_many(batch: Batch, rows: Sequence[Row]) -> None:
    batch.add(_SQL["parked_insert_many"], *columns(rows))


def parked_insert_fresh(batch: Batch, common: Row, rows: Sequence[Row]) -> None:
    """``common``: rank, tenant, version, step, queued ms, schedule timeout ms; ``rows``: line, task
    id, demand."""
    batch.add(_SQL["parked_insert_fresh"], *common, *columns(rows))


def parked_delete_many(batch: Batch, task_ids: Sequence[UUID]) -> None:
    batch.add(_SQL["parked_delete_many"], task_ids)


def place_insert_many(batch: Batch, tenant_id: UUID, now_ms: int, rows: Sequence[Row]) -> None:
    """``rows``: holder id, line, rank, max runs."""
    batch.add(_SQL["place_insert_many"], tenant_id, now_ms, *columns(rows))


def place_delete_many(batch: Batch, holder_ids: Sequence[UUID]) -> None:
    """All places of these holders."""
    batch.add(_SQL["place_delete_many"], holder_ids)


async def parked_find_many(
    connection: asyncpg.Connection, task_ids: Sequence[UUID]
) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(_SQL["parked_find_many"], task_ids)
    return rows


async def parked_windows(
    connection: asyncpg.Connection, positions: Sequence[tuple[str, int, UUID, int]]
) -> list[asyncpg.Record]:
    """The next rows of lines; ``positions``: line, rank and task id to read behind, how many."""
    rows: list[asyncpg.Record] = await connection.fetch(_SQL["parked_windows"], *columns(positions))
    return rows


async def parked_depths(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """How many stand in each line."""
    rows: list[asyncpg.Record] = await connection.fetch(_SQL["parked_depth_list"])
    return rows


async def parked_newest(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """The newest one in the line of each concurrency key."""
    rows: list[asyncpg.Record] = await connection.fetch(_SQL["parked_newest_list"])
    return rows


async def parked_versions(connection: asyncpg.Connection) -> set[UUID]:
    return {row["version_id"] for row in await connection.fetch(_SQL["parked_version_list"])}


async def parked_timed_out(
    connection: asyncpg.Connection, now_ms: int, limit: int
) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(_SQL["parked_timed_out"], now_ms, limit)
    return rows


async def parked_next_timeout_after_ms(connection: asyncpg.Connection, after_ms: int) -> int | None:
    value: int | None = await connection.fetchval(_SQL["parked_next_timeout_after"], after_ms)
    return value


async def places(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """Who holds which place, in the order in which they were taken."""
    rows: list[asyncpg.Record] = await connection.fetch(_SQL["place_list"])
    return rows
