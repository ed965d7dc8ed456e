"""Cancelling (CX-*)."""

from __future__ import annotations

from uuid import UUID

from hatchet_engine.domain.states import EventKind
from hatchet_engine.turn.commands import CancelTasks
from hatchet_engine.turn.lifecycle import cancel_running, end_waiting
from hatchet_engine.turn.state import Turn
from hatchet_engine.turn.waiting import Found, end_delayed, end_queued, item_from_row


def cancel(turn: Turn, command: CancelTasks) -> list[UUID]:
    """Cancel what still lives; the rest is left alone. Final at once: no worker is waited for."""
    ids, found = turn.loaded.pop(id(command))
    return [task_id for task_id in ids if _cancel_one(turn, command, task_id, found)]


def _cancel_one(turn: Turn, command: CancelTasks, task_id: UUID, found: Found) -> bool:
    running = turn.hot.running.get(task_id)
    if running is not None:
        if running.tenant_id != command.tenant_id:
            return False
        cancel_running(turn, running, command.reason)
        return True
    # Each row is used once: an earlier command of this turn may have ended the task.
    row = found.queued.pop(task_id, None)
    if row is not None and task_id not in turn.moved:
        queue = turn.hot.queues[row["queue_id"]]
        item = queue.items.get(task_id) or item_from_row(turn.hot, row)
        end_queued(turn, item, EventKind.CANCELLED, command.reason)
        turn.moved.add(task_id)
        return True
    row = found.delayed.pop(task_id, None)
    if row is not None and task_id not in turn.moved:
        end_delayed(turn, row, command.reason)
        turn.moved.add(task_id)
        return True
    return _cancel_new(turn, command, task_id)


def _cancel_new(turn: Turn, command: CancelTasks, task_id: UUID) -> bool:
    """A task that was queued or put into backoff within this very turn is in no table yet."""
    for position, row in enumerate(turn.plan.delayed):
        if row[0] == task_id and row[3] == command.tenant_id:
            del turn.plan.delayed[position]
            version = turn.hot.definitions.versions[row[4]]
            end_waiting(
                turn,
                tenant_id=row[3],
                task_id=task_id,
                step=version.steps[row[5]],
                attempt=row[6],
                kind=EventKind.CANCELLED,
                reason=command.reason,
            )
            return True
    for item in reversed(turn.plan.queued):
        if item.task_id == task_id and not item.gone and item.tenant_id == command.tenant_id:
            end_queued(turn, item, EventKind.CANCELLED, command.reason)
            return True
    return False
