"""Runs: one with its tasks, lists of them, and what waiters of a run need.

Everything reads the tables that the turn writes, so a run is found the moment its trigger returned.
``pool`` is the engine's read pool. All functions see one tenant only: what belongs to another one
does not exist here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from uuid import UUID

import asyncpg

from hatchet_engine.domain.errors import invalid
from hatchet_engine.domain.states import Status, TaskKind
from hatchet_engine.observe import definitions, run_query
from hatchet_engine.observe.dags import with_members
from hatchet_engine.observe.pieces import statements
from hatchet_engine.observe.roles import roles_of
from hatchet_engine.observe.rows import (
    TaskRow,
    display_name,
    member_rows,
    status_of,
    task_name,
    task_rows,
)
from hatchet_engine.observe.run_query import RunQuery, Statement

COUNT_MAX = 20_000  # totals stop here: clients only show pages
EXTERNAL_IDS_MAX = 1_000_000
DISPLAY_NAMES_MAX = 10_000
PAYLOAD_ROWS_PER_READ = 50
PAGE_CHARS_MAX = 256 * 1024 * 1024  # inputs and outputs of one page
CHILDREN_COUNTED_MAX = 1_000  # per task of a list; a task by itself is counted to the end
CHILDREN_MAX = 2_000_000_000

_SQL = statements("read_runs")


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
    """A run with all its tasks; a standalone run is its own only task."""

    run: TaskRow
    tasks: list[TaskRow]  # in the order of the definition


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


async def run_get(
    pool: asyncpg.Pool, tenant_id: UUID, run_id: UUID, *, payloads: bool = True
) -> RunView | None:
    """A run by its id; None for unknown ids and for ids of a DAG's tasks."""
    found = await task_rows(pool, tenant_id, [run_id], payloads=payloads)
    if not found or found[0].kind is TaskKind.MEMBER:
        return None
    run = found[0]
    if run.kind is TaskKind.STANDALONE:
        return RunView(run, [run])
    members = await member_rows(pool, tenant_id, [run_id], payloads=payloads)
    tasks = members.get(run_id, [])
    return RunView(with_members(run, tasks), tasks)


async def run_details(pool: asyncpg.Pool, tenant_id: UUID, id: UUID) -> RunDetails | None:
    """What GetRunDetails answers, by the id of a run or of one of its tasks; None for an unknown
    one. Tasks that still wait for their parents are left out (RS-6)."""
    view = await run_get(pool, tenant_id, id)
    if view is None:
        found = await task_rows(pool, tenant_id, [id], payloads=False)
        view = await run_get(pool, tenant_id, found[0].run_id) if found else None
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
            if task.begun
        ],
    )


async def run_status(pool: asyncpg.Pool, tenant_id: UUID, run_id: UUID) -> Status | None:
    """The status of a run; None for an unknown one. One small query."""
    record = await pool.fetchrow(_SQL["run_status"], tenant_id, run_id)
    return None if record is None else status_of(record["ended_status"], record["live"])


async def run_list(
    pool: asyncpg.Pool,
    query: RunQuery,
    *,
    offset: int,
    limit: int,
    payloads: bool,
    with_total: bool = True,
) -> RunPage:
    """One page, newest first. Raises ``Refused`` for payloads of more than
    ``PAGE_CHARS_MAX``: the server would have to hold all of them at once."""
    roles = await _roles(pool, query)
    found = await _fetch(pool, run_query.page(query, offset, limit, roles))
    ids = [row["id"] for row in found]
    rows, members = await _page_rows(pool, query.tenant_id, ids, payloads)
    total = await run_count(pool, query) if with_total else 0
    return RunPage(rows, members, total)


async def _page_rows(
    pool: asyncpg.Pool, tenant_id: UUID, wanted: list[UUID], payloads: bool
) -> tuple[list[TaskRow], dict[UUID, list[TaskRow]]]:
    """These runs in their order, and the members of those that are DAG runs."""
    rows: list[TaskRow] = []
    members: dict[UUID, list[TaskRow]] = {}
    left = PAGE_CHARS_MAX
    step = PAYLOAD_ROWS_PER_READ if payloads else max(len(wanted), 1)
    for start in range(0, len(wanted), step):
        read = await task_rows(pool, tenant_id, wanted[start : start + step], payloads=payloads)
        dags = [row.id for row in read if row.kind is TaskKind.DAG]
        of_dags = await member_rows(pool, tenant_id, dags, payloads=payloads)
        left -= sum(row.payload_chars for row in (*read, *chain(*of_dags.values())))
        if left < 0:
            raise invalid(
                f"limit: the inputs and outputs of these {len(wanted)} runs are larger than "
                f"{PAGE_CHARS_MAX} characters; ask for fewer, or without payloads",
                field="limit",
            )
        rows += [
            with_members(row, of_dags.get(row.id, ())) if row.kind is TaskKind.DAG else row
            for row in read
        ]
        members |= of_dags
    return rows, members


async def child_counts(
    pool: asyncpg.Pool, tenant_id: UUID, task_ids: Sequence[UUID], most: int = CHILDREN_COUNTED_MAX
) -> dict[UUID, int]:
    """How many runs these tasks have spawned, each counted up to ``most``; zeros are missing."""
    if not task_ids:
        return {}
    records = await pool.fetch(_SQL["run_child_counts"], tenant_id, list(task_ids), most)
    return {record["id"]: record["children"] for record in records}


async def run_count(pool: asyncpg.Pool, query: RunQuery, most: int = COUNT_MAX) -> int:
    """How many there are, at most ``most``."""
    statement = run_query.count(query, most, await _roles(pool, query))
    found: int = await pool.fetchval(statement.text, *statement.arguments)
    return min(found, most)


async def run_ids_as_json(pool: asyncpg.Pool, query: RunQuery) -> str:
    """All ids that match, as a JSON array text in no order; at most ``EXTERNAL_IDS_MAX`` of each
    status."""
    statement = run_query.ids_as_json(query, EXTERNAL_IDS_MAX, await _roles(pool, query))
    text: str = await pool.fetchval(statement.text, *statement.arguments)
    return text


async def run_ids(pool: asyncpg.Pool, query: RunQuery, most: int) -> list[UUID]:
    """The newest ids that match, at most ``most``."""
    statement = run_query.page(query, 0, most, await _roles(pool, query))
    return [row["id"] for row in await _fetch(pool, statement)]


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


async def _roles(pool: asyncpg.Pool, query: RunQuery) -> run_query.Roles | None:
    """Only a search for what waits looks into queues."""
    live = {Status.QUEUED, Status.RUNNING} & set(query.statuses)
    return await roles_of(pool, query.tenant_id) if live and not query.only_tasks else None


async def _fetch(pool: asyncpg.Pool, statement: Statement) -> list[asyncpg.Record]:
    records: list[asyncpg.Record] = await pool.fetch(statement.text, *statement.arguments)
    return records
