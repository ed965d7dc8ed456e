"""Lists and counts of log lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from hatchet_engine.domain import ids
from hatchet_engine.observe import definitions
from hatchet_engine.observe.rows import display_name, task_name
from hatchet_engine.observe.times import id_bounds
from hatchet_engine.store.sql import load

# A line's id has the time of its arrival, `at` is the worker's clock: how far apart they may be.
ARRIVAL_SLACK = timedelta(hours=1)
STEPS_MAX = 1_000

_SQL = load("read_logs")
_RUNS = load("read_runs")


@dataclass(slots=True, frozen=True)
class LogQuery:
    """Selects lines; empty sequences and None select all. Times are exclusive on both ends."""

    tenant_id: UUID
    since: datetime | None = None
    until: datetime | None = None
    search: str | None = None  # part of the message, case is ignored
    levels: Sequence[str] = ()
    attempt: int | None = None  # retry count, 0 first
    task_ids: Sequence[UUID] = ()
    workflow_ids: Sequence[UUID] = ()
    step_ids: Sequence[UUID] = ()
    descending: bool = False


@dataclass(slots=True, frozen=True)
class LogRow:
    task_id: UUID
    task_display_name: str
    attempt: int
    at: datetime
    level: str
    message: str
    metadata: str | None  # JSON object text


async def log_list_task(
    pool: asyncpg.Pool, query: LogQuery, task_id: UUID, limit: int
) -> list[LogRow]:
    """Lines of one task by time; [] also for an unknown task."""
    arguments: list[Any] = [query.tenant_id, task_id, ids.lowest(ids.time_ms(task_id)), limit]
    text = await _filled(pool, _SQL["log_list_task"], query, arguments)
    return await _rows(pool, query.tenant_id, await pool.fetch(text, *arguments))


async def log_list_tenant(pool: asyncpg.Pool, query: LogQuery, limit: int) -> list[LogRow]:
    """Lines of all tasks of the tenant by time."""
    arguments: list[Any] = [query.tenant_id, *_bounds(query), limit]
    text = await _filled(pool, _SQL["log_list_tenant"], query, arguments)
    return await _rows(pool, query.tenant_id, await pool.fetch(text, *arguments))


async def log_points(
    pool: asyncpg.Pool, query: LogQuery, start: datetime, width_s: int
) -> dict[int, dict[str, int]]:
    """Lines per bucket number and level; ``start`` is where bucket 0 begins."""
    arguments: list[Any] = [query.tenant_id, *_bounds(query), start, width_s]
    text = await _filled(pool, _SQL["log_points"], query, arguments)
    found: dict[int, dict[str, int]] = {}
    for record in await pool.fetch(text, *arguments):
        found.setdefault(record["bucket"], {})[record["level"]] = record["lines"]
    return found


def pattern(part: str) -> str:
    """A pattern for ``ilike`` that matches texts with this part, whatever its characters."""
    escaped = part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _bounds(query: LogQuery) -> tuple[UUID, UUID]:
    since = query.since - ARRIVAL_SLACK if query.since else None
    until = query.until + ARRIVAL_SLACK if query.until else None
    return id_bounds(since, until)


async def _filled(pool: asyncpg.Pool, text: str, query: LogQuery, arguments: list[Any]) -> str:
    """The statement with the conditions in use; binds their values to ``arguments``."""
    pieces = []

    def add(name: str, value: Any) -> None:
        arguments.append(value)
        pieces.append(_SQL[name].replace("{value}", f"${len(arguments)}"))

    if query.since is not None:
        add("log_filter_since", query.since)
    if query.until is not None:
        add("log_filter_until", query.until)
    if query.search:
        add("log_filter_search", pattern(query.search))
    if query.levels:
        add("log_filter_levels", list(query.levels))
    if query.attempt is not None:
        add("log_filter_attempt", query.attempt)
    if query.task_ids:
        add("log_filter_tasks", list(query.task_ids))
    if query.workflow_ids:
        add("log_filter_workflows", list(query.workflow_ids))
    if query.step_ids:
        pairs = await _steps(pool, query)
        add("log_filter_steps", [pair[0] for pair in pairs])
        arguments.append([pair[1] for pair in pairs])
        pieces[-1] = pieces[-1].replace("{second}", f"${len(arguments)}")
    direction = "desc" if query.descending else "asc"
    return text.replace("{filters}", "\n".join(pieces)).replace("{direction}", direction)


async def _steps(pool: asyncpg.Pool, query: LogQuery) -> list[tuple[UUID, int]]:
    """Versions and positions of step ids. An id is a hash of both, so look through the versions."""
    wanted = set(query.step_ids)
    records = await pool.fetch(_SQL["log_versions"], query.tenant_id, STEPS_MAX)
    return [
        (record["id"], step)
        for record in records
        for step in range(record["tasks"])
        if ids.step_id(record["id"], step) in wanted
    ]


async def _rows(
    pool: asyncpg.Pool, tenant_id: UUID, records: Sequence[asyncpg.Record]
) -> list[LogRow]:
    task_ids = list({record["task_id"] for record in records})
    names: dict[UUID, str] = {}
    if task_ids:
        tasks = await pool.fetch(
            _RUNS["run_names"], tenant_id, task_ids, min(task_ids), max(task_ids)
        )
        versions = await definitions.get_many(pool, {task["version_id"] for task in tasks})
        for task in tasks:
            name = task_name(versions.get(task["version_id"]), task["step"])
            names[task["id"]] = display_name(name, task["created_at"])
    return [
        LogRow(
            task_id=record["task_id"],
            task_display_name=names.get(record["task_id"], ""),
            attempt=record["attempt"],
            at=record["at"],
            level=record["level"],
            message=record["message"],
            metadata=record["metadata"],
        )
        for record in records
    ]
