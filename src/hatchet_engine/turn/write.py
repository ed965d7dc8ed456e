"""Writes a plan: a handful of set-based statements inside the turn's transaction."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from hatchet_engine.store import assignments, history, queue, workers
from hatchet_engine.turn.plan import Plan, Row
from hatchet_engine.turn.queues import Queued
from hatchet_engine.turn.times import from_ms
from hatchet_engine.turn.workers import Running


async def write(connection: asyncpg.Connection, plan: Plan) -> None:
    """Store everything the turn decided. Deletes go first: an id may leave one hot table and
    enter another, or the same one again, within one turn."""
    now = from_ms(plan.now_ms)
    if plan.assignments_removed:
        await assignments.delete_many(connection, plan.assignments_removed)
    if plan.queue_removed:
        await queue.delete_many(connection, plan.queue_removed)
    if plan.delayed_removed:
        await queue.delayed_delete_many(connection, plan.delayed_removed)
    if plan.outcomes_removed:
        await history.outcome_delete_many(connection, plan.outcomes_removed)
    if plan.tasks:
        await history.task_insert_many(connection, plan.tasks, now)
    if plan.outcomes:
        await history.outcome_insert_many(connection, plan.outcomes, now)
    if plan.events:
        await history.event_insert_many(connection, plan.events)
    queued = [_queue_row(item) for item in plan.queued if not item.gone]
    if queued:
        await queue.insert_many(connection, queued)
    if plan.delayed:
        await queue.delayed_insert_many(connection, plan.delayed)
    assigned = [_assignment_row(running) for running in plan.assigned if running.live]
    if assigned:
        await assignments.insert_many(connection, assigned, plan.now_ms)
    if plan.started:
        started = [(id, running.started_ms) for id, running in plan.started.items()]
        await assignments.set_started_many(connection, started)
    if plan.deadlines:
        await assignments.set_deadline_many(connection, list(plan.deadlines.items()))
    if plan.released:
        await assignments.set_released_many(connection, plan.released)
    await _write_workers(connection, plan, now)


async def _write_workers(connection: asyncpg.Connection, plan: Plan, now: datetime) -> None:
    for row in plan.workers:
        await workers.insert(connection, row, now)
    for worker_id in plan.streams_opened:
        await workers.set_stream(connection, worker_id, now)
    for worker_id, labels in plan.worker_labels.items():
        await workers.set_labels(connection, worker_id, labels)
    for worker_id, paused in plan.worker_pauses.items():
        await workers.set_paused(connection, worker_id, paused)
    if plan.workers_left:
        await workers.set_left_many(connection, plan.workers_left, now)


async def stored(connection: asyncpg.Connection, plan: Plan) -> bool:
    """Whether a plan whose COMMIT got no answer was stored. One row tells for all: the plan was
    one transaction, and nobody else writes. A plan without new rows may be applied again."""
    if plan.tasks:
        row = plan.tasks[0]
        return bool(await history.task_existing(connection, row[0], [row[1]]))
    if plan.outcomes:
        row = plan.outcomes[0]
        found = await history.outcome_get_many(connection, [(row[0], row[1])])
        return any(one["attempt"] == row[3] for one in found)
    if plan.events:
        return await history.event_exists(connection, plan.events[0][2], plan.events[0][1])
    if plan.workers:
        return await workers.get(connection, plan.workers[0][0], plan.workers[0][1]) is not None
    for running in plan.assigned:
        return await assignments.exists(connection, running.task_id, running.attempt)
    return False


def _queue_row(item: Queued) -> Row:
    item.stored = True
    step = item.step
    return (
        step.queue.id,
        item.rank,
        item.task_id,
        item.tenant_id,
        step.version.id,
        step.index,
        item.attempt,
        item.app_retries,
        item.internal_retries,
        item.queued_ms,
        item.schedule_timeout_ms,
        item.demand,
    )


def _assignment_row(running: Running) -> Row:
    step = running.step
    return (
        running.task_id,
        running.tenant_id,
        step.queue.id,
        step.version.id,
        step.index,
        running.attempt,
        running.worker.id,
        running.app_retries,
        running.internal_retries,
        running.deadline_ms,
        running.demand,
    )
