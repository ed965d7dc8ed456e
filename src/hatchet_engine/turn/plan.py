"""What one turn writes: rows gathered by table, in the column order of the insert statements."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from hatchet_engine.domain.ids import IdSource
from hatchet_engine.domain.states import EventKind, Status, TaskKind
from hatchet_engine.turn.buckets import Bucket
from hatchet_engine.turn.commands import PausedThing, PauseKind
from hatchet_engine.turn.dags import Dag
from hatchet_engine.turn.definitions import Step
from hatchet_engine.turn.queues import Queued
from hatchet_engine.turn.workers import Running

Row = tuple[Any, ...]


class NewTask(NamedTuple):
    """A row of ``task``: a run. ``extra``: parent task id, child index, child key, demand, trigger,
    idempotency key and kind, when any of them is not that of a plain standalone run. ``origin``
    marks what may be sent again (:mod:`hatchet_engine.turn.repeats`)."""

    step: Step
    id: UUID
    priority: int
    input: str
    metadata: str | None
    origin: int | None
    extra: (
        tuple[UUID | None, int | None, str | None, str | None, str | None, str | None, int] | None
    )


class Plan:
    """Filled by the deciding functions, written by :mod:`hatchet_engine.turn.write`."""

    def __init__(self, ids: IdSource, now_ms: int) -> None:
        self.ids = ids
        self.now_ms = now_ms
        self.tasks: list[NewTask] = []
        self.reused: list[Row] = []  # children that were there before, as they are asked for now
        self.dags: list[Dag] = []  # new runs of several tasks: their members
        self.completed: list[tuple[Running, str | None]] = []  # with their outputs
        self.outcomes: list[Row] = []  # all other ends
        self.outcomes_removed: list[tuple[UUID, UUID]] = []  # (tenant, task): replays
        self.events: list[Row] = []
        # Stored at the end of the turn, unless gone or parked by then; by task.
        self.queued: dict[UUID, Queued] = {}
        self.queue_removed: list[Row] = []
        self.parked: dict[UUID, Queued] = {}  # stored in their lines, by task
        self.parked_removed: set[UUID] = set()
        # Taken in this turn, by holder; each with its tenant.
        self.places: dict[UUID, list[tuple[UUID, Row]]] = {}
        self.places_removed: set[UUID] = set()  # holders that leave all places they had
        self.pauses: dict[tuple[UUID, PauseKind, str], PausedThing | None] = {}  # None: ended
        self.buckets: dict[Bucket, None] = {}  # rate limits that have changed
        self.delayed: list[Row] = []
        self.delayed_removed: list[UUID] = []
        self.assigned: list[Running] = []  # stored unless ended within the turn
        self.assignments_removed: list[UUID] = []
        # Attempts that go on with another start time, deadline or slot: each is one row.
        self.changed: dict[UUID, Running] = {}
        self.waits: dict[UUID, list[Row]] = {}  # by task
        self.waits_met: dict[tuple[UUID, int], str] = {}  # (task, position) -> data
        self.waits_dropped: list[tuple[UUID, int]] = []
        self.waits_removed: set[UUID] = set()  # all of a task
        self.claims: dict[UUID, Row] = {}  # idempotency keys that new runs take, by run
        self.keys_freed: list[UUID] = []  # runs that held one until their end
        self.new_events: list[Row] = []
        self.expression_failures: list[Row] = []
        self.bulk: Row | None = None  # progress of the operation that took a step
        self.crons: dict[UUID, Row] = {}  # those that were looked at, as they are now
        self.crons_released: list[UUID] = []  # what their ticks waited for has ended
        self.scheduled: list[Row] = []  # scheduled runs that have fired
        self.workers: list[Row] = []
        self.streams_opened: list[UUID] = []
        self.workers_left: list[UUID] = []
        self.worker_labels: dict[UUID, str] = {}
        self.worker_drains: dict[UUID, bool] = {}

    # ------------------------------------------------------------ shorthand for rows

    def end(
        self,
        tenant_id: UUID,
        task_id: UUID,
        kind: TaskKind,
        status: Status,
        attempt: int,
        running: Running | None,
        output: str | None = None,
        error: str | None = None,
        *,
        skipped: bool = False,
        begun_ms: int | None = None,
    ) -> None:
        """The task has ended; ``running`` is its last attempt, if it had one. ``begun_ms``: when
        a run of several tasks was begun."""
        row: Row
        if running is None:
            row = (
                tenant_id,
                task_id,
                status.value,
                kind.value,
                attempt,
                begun_ms,
                begun_ms,
                None,
                output,
                error,
                skipped,
            )
        else:
            row = (
                tenant_id,
                task_id,
                status.value,
                kind.value,
                attempt,
                running.assigned_ms,
                running.started_ms,
                running.worker.id,
                output,
                error,
                skipped,
            )
        self.outcomes.append(row)

    def take_place(self, tenant_id: UUID, row: Row) -> None:
        """``row``: holder id, line, rank, max runs."""
        self.places.setdefault(row[0], []).append((tenant_id, row))

    def forget_waits(self, task_id: UUID) -> None:
        """The task waits for nothing any more."""
        if self.waits.pop(task_id, None) is None:
            self.waits_removed.add(task_id)

    def event(
        self,
        kind: EventKind,
        tenant_id: UUID,
        task_id: UUID,
        attempt: int,
        worker_id: UUID | None = None,
        message: str | None = None,
        data: str | None = None,
    ) -> None:
        self.events.append(
            (
                tenant_id,
                self.ids.new(self.now_ms),
                task_id,
                kind.value,
                attempt,
                worker_id,
                message,
                data,
            )
        )

    def unassign(self, running: Running) -> None:
        """Take the attempt off its worker in the table and in memory."""
        self.assignments_removed.append(running.task_id)
        self.changed.pop(running.task_id, None)

    @property
    def empty(self) -> bool:
        return not (
            self.tasks
            or self.reused
            or self.completed
            or self.outcomes
            or self.outcomes_removed
            or self.events
            or self.queued
            or self.queue_removed
            or self.parked
            or self.parked_removed
            or self.places
            or self.places_removed
            or self.buckets
            or self.pauses
            or self.delayed
            or self.delayed_removed
            or self.assigned
            or self.assignments_removed
            or self.changed
            or self.waits
            or self.waits_met
            or self.waits_dropped
            or self.waits_removed
            or self.new_events
            or self.bulk
            or self.crons
            or self.crons_released
            or self.scheduled
            or self.expression_failures
            or self.workers
            or self.streams_opened
            or self.workers_left
            or self.worker_labels
            or self.worker_drains
        )
