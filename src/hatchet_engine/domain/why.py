"""Why a task does not run: what an answer to that question is made of.

A *blocker* is one thing that has to change before the task goes on. Texts are for people; the
fields beside them say the same to programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from hatchet_engine.domain.labels import LabelValue
from hatchet_engine.domain.states import Status

PLACES_COUNTED_MAX = 10_000  # who stands before a task is counted up to this
WORKERS_SHOWN_MAX = 10  # of those that are full, paused or away
TASKS_SHOWN_MAX = 5  # on one worker
HOLDERS_SHOWN_MAX = 10  # of a concurrency key
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Kind(StrEnum):
    """What a task waits for."""

    NO_WORKER = "NO_WORKER"  # none offers the action, or all of them are paused or away
    LABELS = "LABELS"  # no worker has the labels it requires
    STICKY = "STICKY"  # its run is bound to a worker that is away or full
    SLOTS = "SLOTS"  # no worker is large enough, full or not
    WORKERS_FULL = "WORKERS_FULL"
    CONCURRENCY = "CONCURRENCY"  # all places under its key are taken
    RATE_LIMIT = "RATE_LIMIT"
    PAUSED = "PAUSED"  # its tenant, its workflow or its concurrency key
    PARENTS = "PARENTS"  # tasks of its run that it comes after
    CONDITIONS = "CONDITIONS"  # times and events
    BACKOFF = "BACKOFF"  # its next attempt has a time
    SCHEDULED = "SCHEDULED"  # the time it was scheduled for
    BATCH = "BATCH"  # others of its batch, or the end of another one of its group
    RUNNING = "RUNNING"  # nothing: a worker has it
    SOON = "SOON"  # nothing that is known: it is being placed
    STANDBY = "STANDBY"  # a worker; only the node that owns the shard knows more


@dataclass(slots=True, frozen=True)
class TaskOnWorker:
    task_id: UUID
    name: str  # of the task's definition
    since_ms: int


@dataclass(slots=True, frozen=True)
class WorkerUse:
    """A worker that offers the action. ``tasks``: some of what holds its slots."""

    id: UUID
    name: str
    state: str  # "ready", "paused", "draining", "away"
    slots: Mapping[str, int]
    free: Mapping[str, int]
    tasks: tuple[TaskOnWorker, ...] = ()
    tasks_total: int = 0


@dataclass(slots=True, frozen=True)
class LabelMiss:
    """A required label that a worker does not meet."""

    key: str
    wanted: str  # with its comparator, such as ">= 80"
    offered: LabelValue | None


@dataclass(slots=True, frozen=True)
class Holder:
    """A task or run that holds a place under a concurrency key."""

    id: UUID
    workflow: str = ""
    since_ms: int | None = None


@dataclass(slots=True, frozen=True)
class Parent:
    task_id: UUID
    name: str
    status: Status


@dataclass(slots=True, frozen=True)
class Awaited:
    """A time or an event that lets a task start. Of a ``group`` one is enough, and every group is
    to be met. ``position``: in the definition. ``expression``: what must be true of the event."""

    position: int
    due_ms: int | None
    event_key: str | None
    scope: str | None
    met: bool
    group: str = ""
    expression: str = ""

    @property
    def text(self) -> str:
        if self.due_ms is not None:
            return moment(self.due_ms)
        scope = f" in scope {self.scope!r}" if self.scope else ""
        where = f" with {self.expression}" if self.expression else ""
        return f"event {self.event_key!r}{scope}{where}"


@dataclass(slots=True, frozen=True)
class Blocker:
    """``task_id`` and ``task``: which task of a run of several; fields that say nothing about this
    kind are empty. ``until_ms``: when it changes by itself, if that is known."""

    kind: Kind
    message: str
    remedy: str = ""
    task_id: UUID | None = None
    task: str | None = None
    action: str | None = None
    workers: tuple[WorkerUse, ...] = ()
    workers_total: int | None = None
    labels: tuple[LabelMiss, ...] = ()
    slots: Mapping[str, int] | None = None  # that it asks for, by type
    key: str | None = None  # of a concurrency rule or a rate limit
    line: str | None = None  # of a concurrency key; what a pause of it has for a target
    limit: int | None = None  # places or units
    used: int | None = None
    needed: int | None = None  # units
    holders: tuple[Holder, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    by: str | None = None
    reason: str | None = None
    attempt: int | None = None  # 1 first
    attempts: int | None = None
    parents: tuple[Parent, ...] = ()
    conditions: tuple[Awaited, ...] = ()


@dataclass(slots=True, frozen=True)
class Place:
    """Where a task stands. ``position``: 1 first; with ``more``, it is larger than that, because
    counting ended."""

    of: str  # the queue or line, in words
    position: int
    more: bool = False

    @property
    def text(self) -> str:
        if self.more:
            return f"behind more than {PLACES_COUNTED_MAX:,} others in {self.of}"
        if self.position == 1:
            return f"first in {self.of}"
        return f"number {self.position:,} in {self.of}"


@dataclass(slots=True, frozen=True)
class Answer:
    """``task_id`` None: asked about a run of several tasks, or about a scheduled run that has made
    no run, whose ``run_id`` is then its own. ``remedy``: the smallest change that
    would let it go; "" when there is nothing to do but wait. ``partial``: why something is
    missing, "" if nothing is. ``tasks_left_out``: unfinished tasks of the run beyond those shown.
    """

    task_id: UUID | None
    run_id: UUID
    status: Status
    since_ms: int | None
    message: str
    blockers: tuple[Blocker, ...] = ()
    place: Place | None = None
    remedy: str = ""
    times_out_ms: int | None = None
    partial: str = ""
    tasks_left_out: int = 0


def moment(at_ms: int) -> str:
    """A time for people.

    >>> moment(0)
    '1970-01-01 00:00:00 UTC'
    """
    return f"{_EPOCH + timedelta(milliseconds=at_ms):%Y-%m-%d %H:%M:%S} UTC"


def counted(count: int, noun: str) -> str:
    """
    >>> counted(1, "worker"), counted(2_000, "worker")
    ('1 worker', '2,000 workers')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
