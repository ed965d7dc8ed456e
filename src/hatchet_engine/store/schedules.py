"""Crons and scheduled runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from hatchet_engine.store.batch import Batch
from hatchet_engine.store.history import Row, columns
from hatchet_engine.store.sql import load

_SQL = load("schedules")
FIRED_DROPPED_AT_ONCE = 5_000

DueKey: TypeAlias = "tuple[int, UUID]"  # due ms and id: the order in which scheduled runs are fired
BEFORE_ALL_DUE: DueKey = (-1, UUID(int=0))


async def next_due_after_ms(connection: asyncpg.Connection, after_ms: int) -> int | None:
    value: int | None = await connection.fetchval(_SQL["schedule_next_due"], after_ms)
    return value


async def runs_live(connection: asyncpg.Connection, runs: Sequence[tuple[UUID, UUID]]) -> set[UUID]:
    """Which of these runs, given as (tenant, run), have not ended."""
    tenants, ids = columns(runs)
    rows = await connection.fetch(_SQL["run_live_list"], tenants, ids, min(ids), max(ids))
    return {row["id"] for row in rows}


# ---------------------------------------------------------------- crons


async def cron_insert(connection: asyncpg.Connection, *values: Any) -> None:
    """``values``: id, tenant, workflow, name, expression, zone, catch up, most of that, overlap,
    jitter ms, start ms, end ms, input, metadata, priority, declarative, enabled, tick ms, next fire
    ms, now."""
    await connection.execute(_SQL["cron_insert"], *values)


async def cron_exists(
    connection: asyncpg.Connection, workflow_id: UUID, name: str, expression: str
) -> bool:
    """Whether a cron of this name and expression was made over REST."""
    found: bool = await connection.fetchval(_SQL["cron_exists"], workflow_id, name, expression)
    return found


async def cron_get(
    connection: asyncpg.Connection, tenant_id: UUID, cron_id: UUID
) -> asyncpg.Record | None:
    return await connection.fetchrow(_SQL["cron_get"], tenant_id, cron_id)


async def cron_set_enabled(connection: asyncpg.Connection, *values: Any) -> None:
    """``values``: id, enabled, tick ms, next fire ms, now."""
    await connection.execute(_SQL["cron_set_enabled"], *values)


async def cron_set_input(connection: asyncpg.Connection, *values: Any) -> None:
    """``values``: id, input, now."""
    await connection.execute(_SQL["cron_set_input"], *values)


async def cron_delete(connection: asyncpg.Connection, tenant_id: UUID, cron_id: UUID) -> bool:
    return await connection.fetchval(_SQL["cron_delete"], tenant_id, cron_id) is not None


async def cron_declared(connection: asyncpg.Connection, workflow_id: UUID) -> dict[str, UUID]:
    """Ids of the crons that came with a workflow's definition, by expression."""
    rows = await connection.fetch(_SQL["cron_declared"], workflow_id)
    return {row["expression"]: row["id"] for row in rows}


async def cron_delete_many(connection: asyncpg.Connection, ids: Sequence[UUID]) -> None:
    await connection.execute(_SQL["cron_delete_many"], ids)


async def cron_due(
    connection: asyncpg.Connection,
    now_ms: int,
    limit: int,
    bytes_max: int,
    only: Sequence[UUID] | None,
) -> list[asyncpg.Record]:
    """Due crons, perhaps ``only`` of these; of their inputs about ``bytes_max`` at most. ``found``:
    how many are due, up to ``limit``."""
    rows: list[asyncpg.Record] = await connection.fetch(
        _SQL["cron_due"], now_ms, limit, bytes_max, only
    )
    return rows


async def cron_waiting(connection: asyncpg.Connection) -> dict[UUID, UUID]:
    """Crons that wait for the end of a run, by that run."""
    rows = await connection.fetch(_SQL["cron_waiting_list"])
    return {row["last_run_id"]: row["id"] for row in rows}


def cron_move_many(batch: Batch, rows: Sequence[Row]) -> None:
    """``rows``: id, tick ms, next fire ms, waiting, last tick ms, last run, error, error ms."""
    batch.add(_SQL["cron_move_many"], *columns(rows))


async def cron_move(connection: asyncpg.Connection, row: Row) -> None:
    """As :func:`cron_move_many`, at once."""
    await connection.execute(_SQL["cron_move_many"], *columns([row]))


def cron_release_many(batch: Batch, ids: Sequence[UUID], now_ms: int) -> None:
    batch.add(_SQL["cron_release_many"], ids, now_ms)


# ---------------------------------------------------------------- scheduled runs


async def scheduled_insert_many(
    connection: asyncpg.Connection, rows: Sequence[Row], *common: Any
) -> None:
    """``rows``: id, due ms; ``common``: tenant, workflow, input, metadata, priority, declarative,
    parent run, parent task, child index, child key, now."""
    await connection.execute(_SQL["scheduled_insert_many"], *columns(rows), *common)


async def scheduled_get(
    connection: asyncpg.Connection, tenant_id: UUID, id: UUID
) -> asyncpg.Record | None:
    return await connection.fetchrow(_SQL["scheduled_get"], tenant_id, id)


async def scheduled_get_many(
    connection: asyncpg.Connection, tenant_id: UUID, ids: Sequence[UUID]
) -> dict[UUID, asyncpg.Record]:
    rows = await connection.fetch(_SQL["scheduled_get_many"], tenant_id, ids)
    return {row["id"]: row for row in rows}


async def scheduled_select(connection: asyncpg.Connection, *values: Any) -> list[asyncpg.Record]:
    """``values``: tenant, workflow, parent run, parent task, metadata, after id, limit. Only those
    still to come."""
    rows: list[asyncpg.Record] = await connection.fetch(_SQL["scheduled_select"], *values)
    return rows


async def scheduled_move_many(
    connection: asyncpg.Connection, rows: Sequence[Row], now: Any
) -> None:
    """``rows``: id, due ms."""
    await connection.execute(_SQL["scheduled_move_many"], *columns(rows), now)


async def scheduled_delete_many(connection: asyncpg.Connection, ids: Sequence[UUID]) -> None:
    await connection.execute(_SQL["scheduled_delete_many"], ids)


@dataclass(frozen=True, slots=True)
class DueRuns:
    """``count``: how many are due, up to the limit, of which ``rows`` are the first. ``last``: the
    last row that was looked at, one that is held among them; ``looked``: how many these were;
    ``more``: others may lie behind."""

    rows: list[asyncpg.Record]
    count: int
    looked: int
    more: bool
    last: DueKey | None


async def scheduled_due(
    connection: asyncpg.Connection,
    now_ms: int,
    limit: int,
    bytes_max: int,
    held: Sequence[UUID],
    after: DueKey,
    looked_max: int,
    only: Sequence[UUID] | None,
) -> DueRuns:
    """As :func:`cron_due`, behind ``after``, save those of the workflows ``held``; looks at
    ``looked_max`` rows at most."""
    rows = await connection.fetch(
        _SQL["scheduled_due"], now_ms, limit, bytes_max, held, *after, looked_max, only
    )
    first = rows[0]
    last = (first["last_due_ms"], first["last_id"]) if first["looked"] else None
    looked: int = first["looked"]
    more = looked == looked_max
    if first["id"] is None:
        return DueRuns([], 0, looked, more, last)
    return DueRuns(rows, first["found"], looked, more, last)


def scheduled_fired_many(batch: Batch, rows: Sequence[Row], now_ms: int) -> None:
    """``rows``: id, run, error."""
    batch.add(_SQL["scheduled_fired_many"], *columns(rows), now_ms)


async def scheduled_fired(
    connection: asyncpg.Connection, id: UUID, run_id: UUID | None, error: str | None, now_ms: int
) -> None:
    await connection.execute(_SQL["scheduled_fired_many"], [id], [run_id], [error], now_ms)


async def scheduled_drop_fired(connection: asyncpg.Connection, before_ms: int) -> int:
    """Forget those that fired before a time; a bounded number at once. Returns how many."""
    count: int = await connection.fetchval(
        _SQL["scheduled_drop_fired"], before_ms, FIRED_DROPPED_AT_ONCE
    )
    return count


# ---------------------------------------------------------------- workflows


async def delete_workflow(connection: asyncpg.Connection, workflow_id: UUID) -> None:
    """Whatever a workflow would still start by itself."""
    await connection.execute(_SQL["cron_delete_workflow"], workflow_id)
    await connection.execute(_SQL["scheduled_delete_workflow"], workflow_id)
