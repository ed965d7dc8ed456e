"""The history of tasks as clients read it.

Most of it is not stored: that a task was created, queued, assigned, started and finished follows
from columns of ``task``, ``assignment`` and ``outcome``. Rows of ``task_event`` tell the rest, and
those that end an attempt carry the times of that attempt. Lists show each type once per attempt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from hatchet_engine.domain import ids
from hatchet_engine.domain.states import EventKind, Status, TaskKind
from hatchet_engine.observe.rows import TaskRow
from hatchet_engine.observe.times import from_ms
from hatchet_engine.store.sql import load

EVENTS_PER_READ_MAX = 100_000

_SQL = load("read_runs")

# Names of the REST API; kinds that are missing have none there and are not shown (clients refuse
# names they don't know).
_TYPES = {
    EventKind.ATTEMPT_FAILED: "FAILED",
    EventKind.RETRYING: "RETRYING",
    EventKind.TIMED_OUT: "TIMED_OUT",
    EventKind.REASSIGNED: "REASSIGNED",
    EventKind.SCHEDULING_TIMED_OUT: "SCHEDULING_TIMED_OUT",
    EventKind.CANCELLED: "CANCELLED",
    EventKind.RETRIED_BY_USER: "RETRIED_BY_USER",
    EventKind.SLOT_RELEASED: "SLOT_RELEASED",
    EventKind.TIMEOUT_REFRESHED: "TIMEOUT_REFRESHED",
    EventKind.REQUEUED_NO_WORKER: "REQUEUED_NO_WORKER",
    EventKind.WAITING_FOR_BATCH: "WAITING_FOR_BATCH",
    EventKind.BATCH_FLUSHED: "BATCH_FLUSHED",
    EventKind.REQUEUED_RATE_LIMIT: "REQUEUED_RATE_LIMIT",
    EventKind.WAITING: "QUEUED",  # clients know no type for waiting; the message tells
    EventKind.CONDITION_MET: "QUEUED",
    EventKind.CONDITION_FAILED: "QUEUED",
    EventKind.SKIPPED: "SKIPPED",
}
# Kinds of which each event is shown, before what was said of them.
_SHOWN_ALL = {
    EventKind.WAITING: "Waiting for",
    EventKind.CONDITION_MET: "Condition met:",
    EventKind.CONDITION_FAILED: "Condition can't be evaluated:",
}
_ENDED = {Status.COMPLETED: "FINISHED", Status.FAILED: "FAILED", Status.CANCELLED: "CANCELLED"}
# What happened in one millisecond happened in this order.
_ORDER = (
    "RETRIED_BY_USER",
    "RETRYING",
    "CREATED",
    "QUEUED",
    "SKIPPED",
    "REQUEUED_NO_WORKER",
    "REQUEUED_RATE_LIMIT",
    "ASSIGNED",
    "STARTED",
)
_ERRORS = {"FAILED", "TIMED_OUT", "SCHEDULING_TIMED_OUT"}


@dataclass(slots=True, frozen=True)
class EventRow:
    """A row of ``task_event``."""

    id: UUID
    task_id: UUID
    kind: EventKind
    attempt: int
    worker_id: UUID | None
    message: str | None
    assigned_at: datetime | None  # of the attempt that this event ends
    started_at: datetime | None
    finished_at: datetime | None  # ENDED only, as is the status
    status: Status | None
    condition: str | None  # the data key of the condition that was met


@dataclass(slots=True, frozen=True)
class TaskEvent:
    """One entry of a task's history; ``number`` is an id that fits into 53 bits."""

    number: int
    task_id: UUID
    at: datetime
    type: str
    message: str
    error: str
    output: str | None
    worker_id: UUID | None
    attempt: int
    display_name: str
    single: bool = True  # shown once per attempt and type


async def task_events(
    pool: asyncpg.Pool,
    tenant_id: UUID,
    tasks: Sequence[TaskRow],
    ready: Mapping[UUID, datetime] | None = None,
) -> list[TaskEvent]:
    """The history of these tasks, newest first.

    ``ready``: since when members of a DAG wait (``dags.ready_times``); others since their creation.
    """
    tasks = [task for task in tasks if task.kind is not TaskKind.DAG]
    rows = await event_rows(pool, tenant_id, [task.id for task in tasks])
    by_task: dict[UUID, list[EventRow]] = {task.id: [] for task in tasks}
    for row in rows:
        by_task[row.task_id].append(row)
    found = [event for task in tasks for event in history(task, by_task[task.id], ready)]
    found.sort(key=lambda event: (event.at, event.attempt, _rank(event.type)), reverse=True)
    return found


async def event_rows(
    pool: asyncpg.Pool, tenant_id: UUID, task_ids: Sequence[UUID]
) -> list[EventRow]:
    """Stored events of these tasks, oldest first."""
    if not task_ids:
        return []
    records = await pool.fetch(
        _SQL["task_event_list"],
        tenant_id,
        list(task_ids),
        ids.lowest(ids.time_ms(min(task_ids))),
        EVENTS_PER_READ_MAX,
    )
    known = {int(kind) for kind in EventKind}
    return [_event_row(record) for record in records if record["kind"] in known]


def history(
    task: TaskRow, rows: Iterable[EventRow], ready: Mapping[UUID, datetime] | None = None
) -> list[TaskEvent]:
    """All entries of one task, oldest first: one per attempt and type, the first of each; but
    every word about conditions."""
    entries = list(_entries(task, list(rows), ready))
    entries.sort(key=lambda entry: (entry.attempt, entry.at, _rank(entry.type)))
    first: dict[tuple[int, str, int], TaskEvent] = {}
    for entry in entries:
        key = (entry.attempt, entry.type, 0 if entry.single else entry.number)
        first.setdefault(key, entry)
    return list(first.values())


def _entries(
    task: TaskRow, rows: list[EventRow], ready: Mapping[UUID, datetime] | None
) -> Iterator[TaskEvent]:
    # Attempts whose end has an event of its own.
    told = {row.attempt for row in rows if row.kind in _FINAL}
    yield _entry(task, task.created_at, "CREATED", 0)
    queued_at = _queued_at(task, rows, ready)
    if queued_at is not None:
        yield _entry(task, queued_at, "QUEUED", 0)
    for row in rows:
        yield from _placed(task, row.attempt, row.assigned_at, row.started_at, row.worker_id)
        yield from _told(task, row, told)
    yield from _placed(task, task.attempt, task.assigned_at, task.started_at, task.worker_id)
    if task.finished_at is not None and task.status in _ENDED and task.attempt not in told:
        kind = "SKIPPED" if task.skipped else _ENDED[task.status]
        message = task.error or ""
        worker_id, output = task.worker_id, task.output
        yield _entry(task, task.finished_at, kind, task.attempt, worker_id, message, output)


def _told(task: TaskRow, row: EventRow, told: set[int]) -> Iterator[TaskEvent]:
    """What a stored event shows."""
    at = from_ms(ids.time_ms(row.id))
    if row.kind is EventKind.ENDED and row.status in _ENDED and row.attempt not in told:
        completed = row.status is Status.COMPLETED
        yield _entry(
            task,
            row.finished_at or at,
            _ENDED[row.status],
            row.attempt,
            row.worker_id,
            "" if completed else row.message or "",
            row.message if completed else None,
        )
    kind = _TYPES.get(row.kind)
    if kind is None:
        return
    if row.kind in _SHOWN_ALL:
        yield _about_condition(task, row, at, kind)
        return
    yield _entry(task, at, kind, row.attempt, row.worker_id, row.message or "")
    if row.kind is EventKind.RETRIED_BY_USER and task.begun:
        yield _entry(task, at, "QUEUED", row.attempt)
    elif row.kind is EventKind.REASSIGNED and row.attempt < task.attempt:
        yield _entry(task, at, "QUEUED", row.attempt + 1)


def _about_condition(task: TaskRow, row: EventRow, at: datetime, kind: str) -> TaskEvent:
    about = row.condition or row.message or ""
    entry = _entry(task, at, kind, row.attempt, None, f"{_SHOWN_ALL[row.kind]} {about}".strip())
    failed = row.kind is EventKind.CONDITION_FAILED
    return replace(
        entry,
        number=_number(row.id, row.attempt, kind),
        error=entry.message if failed else "",
        single=False,
    )


def _queued_at(
    task: TaskRow, rows: list[EventRow], ready: Mapping[UUID, datetime] | None
) -> datetime | None:
    """When its first attempt began to wait; None: it has not.

    Never later than what followed: after a replay the parents' times are those of their last end.
    """
    if not task.begun and not rows:
        return None
    at = task.created_at if ready is None else ready.get(task.id, task.created_at)
    later = [row.assigned_at for row in rows if row.assigned_at is not None]
    if task.assigned_at is not None:
        later.append(task.assigned_at)
    return min([at, *later])


_FINAL = {
    EventKind.TIMED_OUT,
    EventKind.SCHEDULING_TIMED_OUT,
    EventKind.CANCELLED,
    EventKind.SKIPPED,
}


def _placed(
    task: TaskRow,
    attempt: int,
    assigned_at: datetime | None,
    started_at: datetime | None,
    worker_id: UUID | None,
) -> Iterator[TaskEvent]:
    if assigned_at is not None:
        message = f"Assigned to worker {worker_id}" if worker_id else ""
        yield _entry(task, assigned_at, "ASSIGNED", attempt, worker_id, message)
    if started_at is not None:
        yield _entry(task, started_at, "STARTED", attempt, worker_id)


def _entry(
    task: TaskRow,
    at: datetime,
    kind: str,
    attempt: int,
    worker_id: UUID | None = None,
    message: str = "",
    output: str | None = None,
) -> TaskEvent:
    return TaskEvent(
        number=_number(task.id, attempt, kind),
        task_id=task.id,
        at=at,
        type=kind,
        message=message,
        error=message if kind in _ERRORS else "",
        output=output,
        worker_id=worker_id,
        attempt=attempt,
        display_name=task.display_name,
    )


def _number(task_id: UUID, attempt: int, kind: str) -> int:
    """The same entry has the same number at each look; JavaScript holds 53 bits."""
    digest = hashlib.blake2b(f"{task_id}/{attempt}/{kind}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 11


def _rank(kind: str) -> int:
    if kind in _ORDER:
        return _ORDER.index(kind)
    return len(_ORDER)


def _event_row(record: asyncpg.Record) -> EventRow:
    data: Any = orjson.loads(record["data"]) if record["data"] else {}
    ended = record["kind"] == EventKind.ENDED
    return EventRow(
        id=record["id"],
        task_id=record["task_id"],
        kind=EventKind(record["kind"]),
        attempt=record["attempt"],
        worker_id=record["worker_id"],
        message=record["message"],
        assigned_at=_time(data, "assigned"),
        started_at=_time(data, "started"),
        finished_at=_time(data, "finished"),
        status=Status(data["status"]) if ended and "status" in data else None,
        condition=data.get("key") if record["kind"] == EventKind.CONDITION_MET else None,
    )


def _time(data: dict[str, Any], name: str) -> datetime | None:
    """Events that end an attempt have milliseconds; those of a replay the texts of columns."""
    at_ms, text = data.get(f"{name}_ms"), data.get(f"{name}_at")
    if isinstance(at_ms, int):
        return from_ms(at_ms)
    return datetime.fromisoformat(text) if isinstance(text, str) else None
