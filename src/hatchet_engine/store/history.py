"""The history tables: task, outcome, task_event. Rows are tuples in statement order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

import asyncpg

from hatchet_engine.store.batch import Batch
from hatchet_engine.store.sql import load

_TASKS = load("tasks")
_OUTCOMES = load("outcomes")
_EVENTS = load("events")

Row = tuple[Any, ...]


def columns(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    """Rows to columns: asyncpg binds one array per column."""
    return list(zip(*rows, strict=True))


def task_insert_plain(batch: Batch, common: Row, rows: Sequence[Row]) -> None:
    """``common``: tenant, workflow, version, step, created at; ``rows``: id, priority, input,
    metadata, origin."""
    batch.add(_TASKS["task_insert_plain"], *common, *columns(rows))


def task_insert_many(batch: Batch, rows: Sequence[Row], created_at: datetime) -> None:
    batch.add(_TASKS["task_insert_many"], *columns(rows), created_at)


async def task_get_many(
    connection: asyncpg.Connection, tenant_id: UUID, ids: Sequence[UUID]
) -> list[asyncpg.Record]:
    """These tasks of a tenant; unknown ones are missing from the answer."""
    # The bounds let Postgres skip all partitions that can't hold these ids.
    rows: list[asyncpg.Record] = await connection.fetch(
        _TASKS["task_get_many"], tenant_id, ids, min(ids), max(ids)
    )
    return rows


async def task_existing(
    connection: asyncpg.Connection, tenant_id: UUID, ids: Sequence[UUID]
) -> set[UUID]:
    """Which of these tasks exist at all."""
    rows = await connection.fetch(_TASKS["task_existing"], tenant_id, ids, min(ids), max(ids))
    return {row["id"] for row in rows}


async def task_by_origin(
    connection: asyncpg.Connection, tenant_id: UUID, since: UUID, origins: Sequence[int]
) -> list[asyncpg.Record]:
    """Runs with these origins whose ids are not below ``since``."""
    rows: list[asyncpg.Record] = await connection.fetch(
        _TASKS["task_by_origin"], tenant_id, since, origins
    )
    return rows


def outcome_insert_completed(
    batch: Batch, tenant_id: UUID, finished_at: datetime, rows: Sequence[Row]
) -> None:
    """``rows``: id, kind, attempt, assigned ms, started ms, worker id, output."""
    statement = _OUTCOMES["outcome_insert_completed"]
    batch.add(statement, tenant_id, finished_at, *columns(rows))


def outcome_insert_many(batch: Batch, rows: Sequence[Row], finished_at: datetime) -> None:
    batch.add(_OUTCOMES["outcome_insert_many"], *columns(rows), finished_at)


async def outcome_get_many(
    connection: asyncpg.Connection, tenant_id: UUID, ids: Sequence[UUID]
) -> list[asyncpg.Record]:
    """How these tasks of a tenant ended; those that have not are missing."""
    rows: list[asyncpg.Record] = await connection.fetch(
        _OUTCOMES["outcome_get_many"], tenant_id, ids, min(ids), max(ids)
    )
    return rows


def outcome_delete_many(batch: Batch, keys: Sequence[tuple[UUID, UUID]]) -> None:
    """``keys``: (tenant id, task id)."""
    tenant_ids, ids = columns(keys)
    tenants = list(dict.fromkeys(tenant_ids))
    batch.add(_OUTCOMES["outcome_delete_many"], tenants, ids, min(ids), max(ids))


async def outcome_sizes(
    connection: asyncpg.Connection | asyncpg.Pool, tenant_id: UUID, ids: Sequence[UUID]
) -> list[tuple[UUID, int]]:
    """Those of these tasks that have ended, with the bytes of their outputs and errors; of a run
    of several tasks, those of all of them."""
    statement = _OUTCOMES["outcome_sizes"]
    rows = await connection.fetch(statement, tenant_id, list(ids), min(ids), max(ids))
    return [(row["id"], row["bytes"]) for row in rows]


async def outcome_results(
    connection: asyncpg.Connection | asyncpg.Pool, tenant_id: UUID, ids: Sequence[UUID]
) -> list[asyncpg.Record]:
    """Results of those of these tasks that have ended."""
    statement = _OUTCOMES["outcome_results"]
    rows: list[asyncpg.Record] = await connection.fetch(
        statement, tenant_id, list(ids), min(ids), max(ids)
    )
    return rows


async def outcome_members(
    connection: asyncpg.Connection | asyncpg.Pool, tenant_id: UUID, run_ids: Sequence[UUID]
) -> list[asyncpg.Record]:
    """Results of the tasks of these runs, in the order of their definition."""
    if not run_ids:
        return []
    rows: list[asyncpg.Record] = await connection.fetch(
        _OUTCOMES["outcome_members"], tenant_id, list(run_ids), min(run_ids)
    )
    return sorted(rows, key=itemgetter("run_id", "step"))


async def outcome_texts(
    connection: asyncpg.Connection, tenant_id: UUID, ids: Sequence[UUID]
) -> dict[UUID, str | None]:
    """Outputs of these tasks that have ended, of any size."""
    statement = _OUTCOMES["outcome_texts"]
    rows = await connection.fetch(statement, tenant_id, ids, min(ids), max(ids))
    return {row["id"]: row["output"] for row in rows}


def event_insert_many(batch: Batch, rows: Sequence[Row]) -> None:
    batch.add(_EVENTS["task_event_insert_many"], *columns(rows))


async def event_exists(connection: asyncpg.Connection, task_id: UUID, event_id: UUID) -> bool:
    found: bool = await connection.fetchval(_EVENTS["task_event_exists"], task_id, event_id)
    return found


async def event_messages(
    connection: asyncpg.Connection, task_ids: Sequence[UUID], kind: int
) -> dict[UUID, str]:
    """The newest message of one kind of each of these tasks."""
    statement = _EVENTS["task_event_messages"]
    rows = await connection.fetch(statement, task_ids, kind, min(task_ids))
    return {row["task_id"]: row["message"] for row in rows}


async def event_replays(
    connection: asyncpg.Connection, task_ids: Sequence[UUID], kind: int
) -> dict[UUID, int]:
    """The attempts that the last replays of these tasks and runs began; others are missing."""
    statement = _EVENTS["task_event_replays"]
    rows = await connection.fetch(statement, task_ids, kind, min(task_ids))
    return {row["task_id"]: row["attempt"] for row in rows}


async def new_event_exists(connection: asyncpg.Connection, tenant_id: UUID, event_id: UUID) -> bool:
    found: bool = await connection.fetchval(_EVENTS["event_exists"], tenant_id, event_id)
    return found


def new_event_insert_many(batch: Batch, rows: Sequence[Row]) -> None:
    """``rows``: tenant, id, key, scope, payload, metadata, priority, source."""
    batch.add(_EVENTS["event_insert_many"], *columns(rows))


def expression_failure_insert_many(batch: Batch, rows: Sequence[Row]) -> None:
    batch.add(_EVENTS["expression_failure_insert_many"], *columns(rows))


def task_insert_members(batch: Batch, common: Row, rows: Sequence[Row]) -> None:
    """``common``: tenant, workflow, version, created at; ``rows``: id, run id, step, priority,
    metadata."""
    batch.add(_TASKS["task_insert_members"], *common, *columns(rows))


async def task_members(
    connection: asyncpg.Connection, tenant_id: UUID, run_ids: Sequence[UUID], output_max: int
) -> list[asyncpg.Record]:
    """Tasks of these runs with their ends, and outputs up to ``output_max`` characters."""
    rows: list[asyncpg.Record] = await connection.fetch(
        _TASKS["task_members"], tenant_id, run_ids, min(run_ids), output_max
    )
    return sorted(rows, key=itemgetter("run_id", "step"))


async def task_parents(
    connection: asyncpg.Connection, tenant_id: UUID, ids: Sequence[UUID]
) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(
        _TASKS["task_parents"], tenant_id, ids, min(ids), max(ids)
    )
    return rows


async def task_children(
    connection: asyncpg.Connection, tenant_id: UUID, keys: Sequence[tuple[UUID, str]]
) -> list[asyncpg.Record]:
    """Children that exist, by (parent, key)."""
    parents, texts = columns(keys)
    rows: list[asyncpg.Record] = await connection.fetch(
        _TASKS["task_children"], tenant_id, parents, texts, min(parents)
    )
    return rows


def task_children_differ(batch: Batch, rows: Sequence[Row], told_max: int, at: datetime) -> None:
    """Log to parents which of these children, made by older calls, are not what is asked for now.
    ``rows``: tenant, log id, parent, its attempt, key, child, workflow, size and MD5 of the input.
    """
    children = [row[5] for row in rows]
    batch.add(
        _TASKS["task_children_differ"], *columns(rows), min(children), max(children), told_max, at
    )


async def task_descendants(
    connection: asyncpg.Connection, tenant_id: UUID, ids: Sequence[UUID], limit: int
) -> list[UUID]:
    """Runs that these tasks have spawned, at any depth, and that have not ended."""
    rows = await connection.fetch(_TASKS["task_descendants"], tenant_id, ids, min(ids), limit)
    return [row["id"] for row in rows]


async def task_ids_by_filter(
    connection: asyncpg.Connection | asyncpg.Pool, *arguments: Any
) -> list[UUID]:
    rows = await connection.fetch(_TASKS["task_ids_by_filter"], *arguments)
    return [row["id"] for row in rows]
