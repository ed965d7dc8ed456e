"""Stores a plan: all of it in one statement, which is the turn's transaction.

Nearly all rows of a turn are alike: first attempts of few steps, completed on some worker. They
take short statements whose common values are bound once; whatever is special takes the general
ones. Binding an array element costs Python and Postgres about as much as the work on it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from hatchet_engine.domain.demand import text_of
from hatchet_engine.domain.states import TaskKind
from hatchet_engine.store import (
    assignments,
    bulk,
    history,
    idempotency,
    lines,
    queue,
    schedules,
    waits,
    workers,
)
from hatchet_engine.store.batch import Batch
from hatchet_engine.turn.children import DIFFERENCES_TOLD_MAX
from hatchet_engine.turn.dags import Dag
from hatchet_engine.turn.definitions import Step
from hatchet_engine.turn.plan import NewTask, Plan, Row
from hatchet_engine.turn.queues import Queued
from hatchet_engine.turn.times import from_ms
from hatchet_engine.turn.workers import Running
from hatchet_engine.turn.write_flow import write_flow_control

GROUPS_MAX = 4  # more kinds of rows than that in a turn: one general statement is cheaper


def prepare(plan: Plan) -> list[Batch]:
    """The statements that store everything the turn decided: batches to be run one after the
    other. An error here is none of the database."""
    removals, additions = Batch(), Batch()
    _remove(removals, plan)
    _add(additions, plan)
    changes = _worker_batches(plan, from_ms(plan.now_ms))
    if len(changes) > 1 or _depends(plan):
        return [removals, additions, *changes]
    for batch in (additions, *changes):
        removals.extend(batch)
    return [removals]


async def write(connection: asyncpg.Connection, batches: list[Batch]) -> None:
    """Store everything, or raise and store nothing."""
    if len(batches) == 1:
        await batches[0].run(connection)
        return
    async with connection.transaction():
        for batch in batches:
            await batch.run(connection)


def _depends(plan: Plan) -> bool:
    """Whether a row is to be added under a key that is to be removed: an attempt that failed and
    whose successor was placed in the same turn, a replay that was cancelled at once."""
    if plan.assignments_removed and plan.assigned:
        removed = set(plan.assignments_removed)
        if any(running.task_id in removed for running in plan.assigned):
            return True
    if plan.delayed_removed and plan.delayed:
        return True
    if plan.queue_removed and any(key[2] in plan.queued for key in plan.queue_removed):
        return True
    if not plan.parked_removed.isdisjoint(plan.parked):
        return True
    if not plan.places_removed.isdisjoint(plan.places):
        return True
    if plan.waits_removed and plan.waits:
        return True
    return bool(plan.outcomes_removed and (plan.outcomes or plan.completed))


def _remove(batch: Batch, plan: Plan) -> None:
    if plan.assignments_removed:
        assignments.delete_many(batch, plan.assignments_removed)
    if plan.queue_removed:
        _remove_queued(batch, plan.queue_removed)
    if plan.parked_removed:
        lines.parked_delete_many(batch, list(plan.parked_removed))
    if plan.places_removed:
        lines.place_delete_many(batch, list(plan.places_removed))
    if plan.delayed_removed:
        queue.delayed_delete_many(batch, plan.delayed_removed)
    if plan.outcomes_removed:
        history.outcome_delete_many(batch, plan.outcomes_removed)
    if plan.waits_removed:
        waits.delete_tasks(batch, list(plan.waits_removed))
    if plan.waits_dropped:
        waits.delete_many(batch, plan.waits_dropped)
    if plan.keys_freed:
        idempotency.free(batch, plan.keys_freed)


def _add(batch: Batch, plan: Plan) -> None:
    now = from_ms(plan.now_ms)
    _write_runs(batch, plan, now)
    if plan.completed:
        _write_completed(batch, plan.completed, now)
    if plan.outcomes:
        history.outcome_insert_many(batch, plan.outcomes, now)
    if plan.events:
        history.event_insert_many(batch, plan.events)
    queued = [item for item in plan.queued.values() if not item.gone]
    if queued:
        _write_queued(batch, queued)
    write_flow_control(batch, plan)
    if plan.delayed:
        queue.delayed_insert_many(batch, plan.delayed)
    assigned = [running for running in plan.assigned if running.live]
    if assigned:
        _write_assigned(batch, assigned, plan.now_ms)
    _write_changes(batch, plan)
    _write_waits(batch, plan)
    if plan.bulk is not None:
        bulk.advance(batch, *plan.bulk)
    _write_schedules(batch, plan)
    if plan.new_events:
        history.new_event_insert_many(batch, plan.new_events)
    if plan.expression_failures:
        history.expression_failure_insert_many(batch, plan.expression_failures)


def _write_runs(batch: Batch, plan: Plan, now: datetime) -> None:
    if plan.tasks:
        _write_tasks(batch, plan.tasks, now)
    for version_dags in _by_version(plan.dags).values():
        _write_members(batch, version_dags, now)
    if plan.reused:
        history.task_children_differ(batch, plan.reused, DIFFERENCES_TOLD_MAX, now)
    if plan.claims:
        idempotency.claim(batch, list(plan.claims.values()))


def _write_schedules(batch: Batch, plan: Plan) -> None:
    if plan.crons:
        schedules.cron_move_many(batch, list(plan.crons.values()))
    if plan.crons_released:
        schedules.cron_release_many(batch, plan.crons_released, plan.now_ms)
    if plan.scheduled:
        schedules.scheduled_fired_many(batch, plan.scheduled, plan.now_ms)


def _write_waits(batch: Batch, plan: Plan) -> None:
    rows = [row for of_task in plan.waits.values() for row in of_task]
    if rows:
        waits.insert_many(batch, rows)
    met = [
        (task_id, position, data)
        for (task_id, position), data in plan.waits_met.items()
        if task_id not in plan.waits_removed
    ]
    if met:
        waits.set_met(batch, met)


def _by_version(dags: list[Dag]) -> dict[UUID, list[Dag]]:
    found: dict[UUID, list[Dag]] = {}
    for dag in dags:
        found.setdefault(dag.version.id, []).append(dag)
    return found


def _write_members(batch: Batch, dags: list[Dag], now: datetime) -> None:
    """Tasks of new runs of one version: the whole graph is there from the start (DAG-1)."""
    version = dags[0].version
    common = (version.tenant_id, version.workflow_id, version.id, now)
    rows = [
        (task_id, dag.run_id, step, dag.priority, dag.metadata or None)
        for dag in dags
        for step, task_id in enumerate(dag.task_ids)
    ]
    history.task_insert_members(batch, common, rows)


def _write_tasks(batch: Batch, tasks: list[NewTask], now: datetime) -> None:
    plain: dict[Step, list[Row]] = {}
    special: list[Row] = []
    for task in tasks:
        if task.extra is None:
            plain.setdefault(task.step, []).append(task[1:6])
        else:
            special.append(_task_row(task))
    if len(plain) > GROUPS_MAX:
        special = [_task_row(task) for task in tasks]
        plain = {}
    for step, rows in plain.items():
        version = step.version
        common = (version.tenant_id, version.workflow_id, version.id, step.index, now)
        history.task_insert_plain(batch, common, rows)
    if special:
        history.task_insert_many(batch, special, now)


def _task_row(task: NewTask) -> Row:
    version = task.step.version
    *given, kind = task.extra or (None, None, None, None, None, None, TaskKind.STANDALONE.value)
    return (
        version.tenant_id,
        task.id,
        task.id,
        kind,
        version.workflow_id,
        version.id,
        task.step.index,
        task.priority,
        task.input,
        task.metadata,
        *given,
        task.origin,
    )


def _write_completed(
    batch: Batch, completed: list[tuple[Running, str | None]], now: datetime
) -> None:
    by_tenant: dict[UUID, list[Row]] = {}
    for running, output in completed:
        by_tenant.setdefault(running.tenant_id, []).append(
            (
                running.task_id,
                running.step.version.task_kind.value,
                running.attempt,
                running.assigned_ms,
                running.started_ms,
                running.worker.id,
                output,
            )
        )
    for tenant_id, rows in by_tenant.items():
        history.outcome_insert_completed(batch, tenant_id, now, rows)


def _remove_queued(batch: Batch, keys: list[Row]) -> None:
    groups: dict[tuple[int, int], list[UUID]] = {}
    for queue_id, rank, task_id in keys:
        groups.setdefault((queue_id, rank), []).append(task_id)
    if len(groups) > GROUPS_MAX:
        queue.delete_many(batch, keys)
        return
    for (queue_id, rank), task_ids in groups.items():
        queue.delete_rank(batch, queue_id, rank, task_ids)


def _write_queued(batch: Batch, items: list[Queued]) -> None:
    fresh: dict[tuple[Step, int, int, int], list[Queued]] = {}
    special: list[Row] = []
    for item in items:
        item.stored = True
        if item.attempt == 0 and not item.step.version.several:
            common_key = (item.step, item.rank, item.queued_ms, item.schedule_timeout_ms)
            fresh.setdefault(common_key, []).append(item)
        else:
            special.append(_queue_row(item))
    if len(fresh) > GROUPS_MAX:
        special = [_queue_row(item) for item in items]
        fresh = {}
    for (step, rank, queued_ms, schedule_timeout_ms), group in fresh.items():
        version = step.version
        common = (
            step.queue.id,
            rank,
            version.tenant_id,
            version.id,
            step.index,
            queued_ms,
            schedule_timeout_ms,
        )
        if step.asks is None and all(item.demand is None for item in group):
            queue.insert_fresh(batch, common, [item.task_id for item in group])
        else:
            rows = [(item.task_id, text_of(item.demand), item.round) for item in group]
            queue.insert_asked(batch, common, rows)
    if special:
        queue.insert_many(batch, special)


def _queue_row(item: Queued) -> Row:
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
        text_of(item.demand),
        item.run_id if step.version.several else None,
        item.round,
    )


def _write_assigned(batch: Batch, assigned: list[Running], now_ms: int) -> None:
    fresh: dict[Step, list[Running]] = {}
    special: list[Row] = []
    for running in assigned:
        if running.attempt == 0:
            fresh.setdefault(running.step, []).append(running)
        else:
            special.append(_assignment_row(running))
    if len(fresh) > GROUPS_MAX:
        special = [_assignment_row(running) for running in assigned]
        fresh = {}
    for step, group in fresh.items():
        version = step.version
        common = (
            version.tenant_id,
            step.queue.id,
            version.id,
            step.index,
            now_ms,
            group[0].deadline_ms,
        )
        if step.asks is None and all(running.demand is None for running in group):
            plain = [(running.task_id, running.worker.id) for running in group]
            assignments.insert_fresh(batch, common, plain)
        else:
            rows = [
                (one.task_id, one.worker.id, text_of(one.demand), one.batch and one.batch.id)
                for one in group
            ]
            assignments.insert_asked(batch, common, rows)
    if special:
        assignments.insert_many(batch, special, now_ms)


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
        text_of(running.demand),
        None if running.batch is None else running.batch.id,
    )


def _write_changes(batch: Batch, plan: Plan) -> None:
    """Changes of tasks that go on running."""
    rows = [
        (task_id, running.started_ms, running.deadline_ms, running.released)
        for task_id, running in plan.changed.items()
    ]
    if rows:
        assignments.set_many(batch, rows)


def _worker_batches(plan: Plan, now: datetime) -> list[Batch]:
    """Changes of workers, one batch for each kind: several kinds may touch one row."""
    batches = [Batch() for _ in range(5)]
    inserts, streams, labels, drains, left = batches
    for row in plan.workers:
        workers.insert(inserts, row, now)
    for worker_id in dict.fromkeys(plan.streams_opened):
        workers.set_stream(streams, worker_id, now)
    for worker_id, text in plan.worker_labels.items():
        workers.set_labels(labels, worker_id, text)
    for worker_id, draining in plan.worker_drains.items():
        workers.set_draining(drains, worker_id, draining)
    if plan.workers_left:
        workers.set_left_many(left, plan.workers_left, now)
    return [batch for batch in batches if batch.statements]


async def stored(connection: asyncpg.Connection, plan: Plan) -> bool:
    """Whether a plan whose COMMIT got no answer was stored. One row tells for all: the plan was
    one transaction, and nobody else writes. A plan without new rows may be applied again."""
    if plan.tasks:
        first = plan.tasks[0]
        tenant_id = first.step.version.tenant_id
        return bool(await history.task_existing(connection, tenant_id, [first.id]))
    ended = _first_end(plan)
    if ended is not None:
        tenant_id, task_id, attempt = ended
        found = await history.outcome_get_many(connection, tenant_id, [task_id])
        return any(row["attempt"] == attempt for row in found)
    if plan.events:
        return await history.event_exists(connection, plan.events[0][2], plan.events[0][1])
    if plan.new_events:
        return await history.new_event_exists(connection, *plan.new_events[0][:2])
    if plan.workers:
        return await workers.get(connection, plan.workers[0][0], plan.workers[0][1]) is not None
    for running in plan.assigned:
        return await assignments.exists(connection, running.task_id, running.attempt)
    return False


def _first_end(plan: Plan) -> tuple[Any, Any, int] | None:
    for running, _ in plan.completed:
        return running.tenant_id, running.task_id, running.attempt
    for row in plan.outcomes:
        return row[0], row[1], row[4]
    return None
