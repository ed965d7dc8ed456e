"""Runs: one with its tasks, lists of them, and what waiters of a run need.

Everything reads the tables that the turn writes, so a run is found the moment its trigger returned.
``pool`` is the engine's read pool. All functions see one tenant only: what belongs to another one
does not exist here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from hatchet_engine.domain.states import Status, TaskKind
from hatchet_engine.observe import definitions, run_query
from hatchet_engine.observe.rows import (
    TaskRow,
    display_name,
    status_of,
    task_name,
    task_rows,
)
from hatchet_engine.observe.run_query import RunQuery
from hatchet_engine.store.sql import load

COUNT_MAX = 20_000  # totals stop here: clients only show pages
EXTERNAL_IDS_MAX = 1_000_000
DISPLAY_NAMES_MAX = 10_000

_SQL = load("read_runs")


@dataclass(slots=True, frozen=True)
class RunTask:
    task_id: UUID
    task_name: str
    status: Status
    output: str | None  # JSON text
    error: str | None


@dataclass(slots=True, frozen=True)
class RunDetails:
    """A run's state and results as gRPC's GetRunDetails tells them."""

    run_id: UUID
    status: Status
    input: str  # JSON object text
    metadata: str  # JSON object text, "" = none
    done: bool
    tasks: list[RunTask]


@dataclass(slots=True, frozen=True)
class RunView:
    """A run with those of its tasks that exist; a standalone run is its own only task."""

    run: TaskRow
    tasks: list[TaskRow]


@dataclass(slots=True, frozen=True)
class RunPage:
    rows: list[TaskRow]
    members: dict[UUID, list[TaskRow]]  # by run id; DAG runs only
    total: int  # at most COUNT_MAX; 0 when not asked for


@dataclass(slots=True, frozen=True)
class RunName:
    id: UUID
    name: str
    created_at: datetime


async def run_get(pool: asyncpg.Pool, tenant_id: UUID, run_id: UUID) -> RunView | None:
    """A run by its id, with payloads; None for unknown ids and for ids of a DAG's tasks."""
    found = await task_rows(pool, tenant_id, [run_id], payloads=True)
    if not found or found[0].kind is TaskKind.MEMBER:
        return None
    run = found[0]
    if run.kind is TaskKind.STANDALONE:
        return RunView(run, [run])
    members = await pool.fetch(_SQL["run_members"], tenant_id, run_id)
    tasks = await task_rows(pool, tenant_id, [row["id"] for row in members], payloads=True)
    return RunView(run, sorted(tasks, key=lambda task: task.id))


async def run_details(pool: asyncpg.Pool, tenant_id: UUID, id: UUID) -> RunDetails | None:
    """What GetRunDetails answers; None for an unknown run."""
    view = await run_get(pool, tenant_id, id)
    if view is None:
        return None
    return RunDetails(
        run_id=view.run.id,
        status=view.run.status,
        input=view.run.input or "{}",
        metadata=view.run.metadata or "",
        done=view.run.status.final,
        tasks=[
            RunTask(task.id, task.task_name, task.status, task.output, task.error)
            for task in view.tasks
        ],
    )


async def run_status(pool: asyncpg.Pool, tenant_id: UUID, run_id: UUID) -> Status | None:
    """The status of a run; None for an unknown one. One small query, two for a DAG."""
    record = await pool.fetchrow(_SQL["run_status"], tenant_id, run_id)
    if record is None:
        return None
    live: bool = record["live"]
    if record["kind"] == TaskKind.DAG and record["ended_status"] is None:
        live = await pool.fetchval(_SQL["run_begun"], tenant_id, run_id)
    return status_of(record["ended_status"], live)


async def run_list(
    pool: asyncpg.Pool,
    query: RunQuery,
    *,
    offset: int,
    limit: int,
    payloads: bool,
    with_total: bool = True,
) -> RunPage:
    """One page, newest first."""
    statement = run_query.page(query, offset, limit)
    found = await pool.fetch(statement.text, *statement.arguments)
    rows = await task_rows(pool, query.tenant_id, [row["id"] for row in found], payloads=payloads)
    members: dict[UUID, list[TaskRow]] = {}
    for row in rows:
        if row.kind is TaskKind.DAG:
            records = await pool.fetch(_SQL["run_members"], query.tenant_id, row.id)
            ids = [record["id"] for record in records]
            members[row.id] = await task_rows(pool, query.tenant_id, ids, payloads=payloads)
    total = await run_count(pool, query) if with_total else 0
    return RunPage(rows, members, total)


async def run_count(pool: asyncpg.Pool, query: RunQuery) -> int:
    """How many there are, at most ``COUNT_MAX``."""
    statement = run_query.count(query, COUNT_MAX)
    found: int = await pool.fetchval(statement.text, *statement.arguments)
    return min(found, COUNT_MAX)


async def run_ids_as_json(pool: asyncpg.Pool, query: RunQuery) -> str:
    """All ids that match, as a JSON array text in no order; at most ``EXTERNAL_IDS_MAX`` of each
    status."""
    statement = run_query.ids_as_json(query, EXTERNAL_IDS_MAX)
    text: str = await pool.fetchval(statement.text, *statement.arguments)
    return text


async def run_ids(pool: asyncpg.Pool, query: RunQuery, most: int) -> list[UUID]:
    """The newest ids that match, at most ``most``."""
    statement = run_query.page(query, 0, most)
    return [row["id"] for row in await pool.fetch(statement.text, *statement.arguments)]


async def run_names(pool: asyncpg.Pool, tenant_id: UUID, ids: Sequence[UUID]) -> list[RunName]:
    """Display names of runs and tasks, newest first; unknown ids are missing."""
    if not ids:
        return []
    records = await pool.fetch(_SQL["run_names"], tenant_id, list(ids), min(ids), max(ids))
    versions = await definitions.get_many(pool, {record["version_id"] for record in records})
    names = []
    for record in records:
        version = versions.get(record["version_id"])
        if record["kind"] == TaskKind.DAG:
            name = version.definition.name if version else ""
        else:
            name = task_name(version, record["step"])
        created_at = record["created_at"]
        names.append(RunName(record["id"], display_name(name, created_at), created_at))
    return names
