"""One task: its latest or an earlier attempt, and how many runs it has spawned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import asyncpg

from hatchet_engine.domain import ids
from hatchet_engine.domain.states import EventKind, Status, TaskKind
from hatchet_engine.observe.dags import parents_of
from hatchet_engine.observe.reasons import Hold, hold_of
from hatchet_engine.observe.rows import TaskRow, member_rows, task_rows
from hatchet_engine.observe.runs import CHILDREN_MAX, child_counts
from hatchet_engine.observe.task_events import EventRow, event_rows
from hatchet_engine.observe.times import from_ms
from hatchet_engine.store.sql import load

_SQL = load("read_runs")
_FAILURES = {
    EventKind.ATTEMPT_FAILED,
    EventKind.TIMED_OUT,
    EventKind.REASSIGNED,
    EventKind.SCHEDULING_TIMED_OUT,
}


@dataclass(slots=True, frozen=True)
class TaskView:
    task: TaskRow  # its status, times, output and error are those of the attempt asked for
    child_count: int
    parents: Sequence[TaskRow] = ()  # tasks of its run that it comes after, without payloads
    waits: Sequence[Wait] = ()  # the conditions it waits for
    hold: Hold | None = None  # what else keeps it from a worker


@dataclass(slots=True, frozen=True)
class Wait:
    """A condition that a task waits for: a time or an event."""

    due_at: datetime | None
    event_key: str | None
    event_scope: str | None
    met: bool


async def task_get(
    pool: asyncpg.Pool, tenant_id: UUID, task_id: UUID, attempt: int | None = None
) -> TaskView | None:
    """A task with payloads; ``attempt`` counts from 0, None is the latest.

    None for unknown ids, for DAG runs (they are no tasks) and for attempts that were never made.
    """
    found = await task_rows(pool, tenant_id, [task_id], payloads=True)
    if not found or found[0].kind is TaskKind.DAG:
        return None
    task = found[0]
    if attempt is not None and attempt != task.attempt:
        if attempt > task.attempt:
            return None
        events = await event_rows(pool, tenant_id, [task_id])
        task = _earlier(task, attempt, events)
    counts = await child_counts(pool, tenant_id, [task_id], CHILDREN_MAX)
    queued = task.status is Status.QUEUED
    return TaskView(
        task,
        counts.get(task_id, 0),
        parents_of(task, await siblings(pool, tenant_id, task)) if task.parents else (),
        await _waits(pool, tenant_id, task_id) if queued else (),
        await hold_of(pool, tenant_id, task) if queued else None,
    )


async def siblings(pool: asyncpg.Pool, tenant_id: UUID, task: TaskRow) -> list[TaskRow]:
    """All tasks of its run, without payloads; of a standalone run, itself."""
    if task.kind is not TaskKind.MEMBER:
        return [task]
    found = await member_rows(pool, tenant_id, [task.run_id], payloads=False)
    return found.get(task.run_id, [])


async def _waits(pool: asyncpg.Pool, tenant_id: UUID, task_id: UUID) -> list[Wait]:
    records = await pool.fetch(_SQL["task_waits"], tenant_id, task_id)
    return [
        Wait(
            None if record["due_ms"] is None else from_ms(record["due_ms"]),
            record["event_key"],
            record["event_scope"],
            record["met"],
        )
        for record in records
    ]


async def task_exists(pool: asyncpg.Pool, tenant_id: UUID, task_id: UUID) -> bool:
    """Whether this is a task (not a DAG run) of the tenant."""
    record = await pool.fetchrow(_SQL["run_names"], tenant_id, [task_id], task_id, task_id)
    return record is not None and record["kind"] != TaskKind.DAG


def _earlier(task: TaskRow, attempt: int, events: Sequence[EventRow]) -> TaskRow:
    """An attempt that is over is known by its events alone."""
    own = [event for event in events if event.attempt == attempt]
    replayed = next((event for event in own if event.kind is EventKind.ENDED), None)
    failed = next((event for event in own if event.kind in _FAILURES), None)
    ended = replayed or failed
    if replayed is not None and replayed.status is not None:
        status = replayed.status
    else:
        status = Status.FAILED
    completed = status is Status.COMPLETED
    return replace(
        task,
        attempt=attempt,
        status=status,
        assigned_at=ended.assigned_at if ended else None,
        started_at=ended.started_at if ended else None,
        finished_at=(ended.finished_at or from_ms(ids.time_ms(ended.id))) if ended else None,
        worker_id=ended.worker_id if ended else None,
        output=ended.message if ended and completed else None,
        error=ended.message if ended and not completed else None,
        skipped=False,
    )
