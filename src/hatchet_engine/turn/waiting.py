"""Takes tasks that hold no worker (queued or in backoff) out of their tables, by id."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

from hatchet_engine.domain.states import EventKind
from hatchet_engine.turn.definitions import Step
from hatchet_engine.turn.lifecycle import end_waiting
from hatchet_engine.turn.queues import Queued
from hatchet_engine.turn.state import Hot, Turn


@dataclass(slots=True)
class Found:
    """What the tables say about some tasks; read before the turn decides."""

    queued: dict[UUID, asyncpg.Record] = field(default_factory=dict)
    delayed: dict[UUID, asyncpg.Record] = field(default_factory=dict)


def step_of(hot: Hot, row: asyncpg.Record) -> Step:
    """The definition a stored hot row runs under; its version was loaded with the row."""
    version: UUID = row["version_id"]
    position: int = row["step"]
    return hot.definitions.versions[version].steps[position]


def item_from_row(hot: Hot, row: asyncpg.Record) -> Queued:
    return Queued(
        row["task_id"],
        row["tenant_id"],
        step_of(hot, row),
        row["rank"],
        row["attempt"],
        row["app_retries"],
        row["internal_retries"],
        row["queued_ms"],
        row["schedule_timeout_ms"],
        row["demand"],
        stored=True,
        run_id=row["run_id"],
    )


def end_queued(turn: Turn, item: Queued, kind: EventKind, reason: str) -> None:
    """A queued task ends as cancelled."""
    queue = item.step.queue
    queue.remove(item)
    if item.stored:
        turn.plan.queue_removed.append((queue.id, item.rank, item.task_id))
    end_waiting(
        turn,
        tenant_id=item.tenant_id,
        task_id=item.task_id,
        run_id=item.run_id,
        step=item.step,
        attempt=item.attempt,
        kind=kind,
        reason=reason,
    )


def end_waiting_anywhere(
    turn: Turn, tenant_id: UUID, task_id: UUID, found: Found, reason: str
) -> bool:
    """Cancel a task that holds no worker, wherever it stands: in a table, or only in this turn.
    Each row is used once: something earlier in this turn may have ended the task."""
    row = found.queued.pop(task_id, None)
    if row is not None and task_id not in turn.moved:
        queue = turn.hot.queues[row["queue_id"]]
        item = queue.items.get(task_id) or item_from_row(turn.hot, row)
        end_queued(turn, item, EventKind.CANCELLED, reason)
        turn.moved.add(task_id)
        return True
    row = found.delayed.pop(task_id, None)
    if row is not None and task_id not in turn.moved:
        end_delayed(turn, row, reason)
        turn.moved.add(task_id)
        return True
    return _end_new(turn, tenant_id, task_id, reason)


def _end_new(turn: Turn, tenant_id: UUID, task_id: UUID, reason: str) -> bool:
    """A task that was queued or put into backoff within this very turn is in no table yet."""
    for position, row in enumerate(turn.plan.delayed):
        if row[0] == task_id and row[3] == tenant_id:
            del turn.plan.delayed[position]
            version = turn.hot.definitions.versions[row[4]]
            end_waiting(
                turn,
                tenant_id=row[3],
                task_id=task_id,
                run_id=row[10] or task_id,
                step=version.steps[row[5]],
                attempt=row[6],
                kind=EventKind.CANCELLED,
                reason=reason,
            )
            return True
    for item in reversed(turn.plan.queued):
        if item.task_id == task_id and not item.gone and item.tenant_id == tenant_id:
            end_queued(turn, item, EventKind.CANCELLED, reason)
            return True
    return False


def end_delayed(turn: Turn, row: asyncpg.Record, reason: str) -> None:
    """A task in backoff ends as cancelled."""
    turn.plan.delayed_removed.append(row["task_id"])
    end_waiting(
        turn,
        tenant_id=row["tenant_id"],
        task_id=row["task_id"],
        run_id=row["run_id"] or row["task_id"],
        step=step_of(turn.hot, row),
        attempt=row["attempt"],
        kind=EventKind.CANCELLED,
        reason=reason,
    )
