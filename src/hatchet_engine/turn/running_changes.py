"""Requests about one running task: a later deadline, a slot given back. They count for all tasks of
its batch."""

from __future__ import annotations

from uuid import UUID

from hatchet_engine.domain.durations import MAX_MS
from hatchet_engine.domain.errors import invalid, not_found
from hatchet_engine.domain.states import EventKind
from hatchet_engine.turn.commands import RefreshTimeout, ReleaseSlot
from hatchet_engine.turn.state import Turn
from hatchet_engine.turn.workers import Running


def refresh_timeout(turn: Turn, command: RefreshTimeout) -> int:
    """Add to the current deadline; returns the new one, epoch milliseconds (TO-10)."""
    if not 0 < command.increment_ms <= MAX_MS:
        raise invalid(
            "increment_timeout_by: must be longer than zero", field="increment_timeout_by"
        )
    running = _running(turn, command.tenant_id, command.task_id)
    for one in running.together:
        one.deadline_ms += command.increment_ms
        turn.plan.changed[one.task_id] = one
    turn.plan.event(
        EventKind.TIMEOUT_REFRESHED,
        running.tenant_id,
        running.task_id,
        running.attempt,
        running.worker.id,
        data=f'{{"deadline_ms": {running.deadline_ms}}}',
    )
    return running.deadline_ms


def release_slot(turn: Turn, command: ReleaseSlot) -> None:
    """Free the units; the task goes on, and cancels and worker loss still reach it (SL-11)."""
    running = _running(turn, command.tenant_id, command.task_id)
    if running.released:
        return
    for one in running.together:
        one.released = True
        turn.plan.changed[one.task_id] = one
    running.worker.give(running.step.units)
    turn.plan.event(
        EventKind.SLOT_RELEASED,
        running.tenant_id,
        running.task_id,
        running.attempt,
        running.worker.id,
    )
    turn.gain(running.worker)


def _running(turn: Turn, tenant_id: UUID, task_id: UUID) -> Running:
    running = turn.hot.running.get(task_id)
    if running is None or running.tenant_id != tenant_id:
        raise not_found(f"task {task_id} is not running")
    return running
