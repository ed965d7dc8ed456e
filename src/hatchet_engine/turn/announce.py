"""What follows a commit: start messages, cancellations, results. Nothing here may fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from hatchet_engine.turn.batches import Batch
from hatchet_engine.turn.commands import RunSubscriber
from hatchet_engine.turn.deliveries import (
    Assigned,
    AssignedBatch,
    RunEvent,
    RunResult,
    TaskResult,
)
from hatchet_engine.turn.queues import Payload
from hatchet_engine.turn.state import Finished, Turn
from hatchet_engine.turn.workers import Running, Worker


class Waiters(Protocol):
    """Those who wait for results (sessions/subscriptions.py)."""

    def add(self, tenant_id: UUID, subscriber: RunSubscriber, ids: Sequence[UUID]) -> None: ...

    def awaited(self, tenant_id: UUID, run_id: UUID) -> bool: ...

    def deliver(self, tenant_id: UUID, results: Sequence[RunResult]) -> None: ...

    def look_up(self, tenant_id: UUID, run_id: UUID) -> None:
        """Read the result of a run that has ended from the table."""
        ...


class Watchers(Protocol):
    """Those who watch runs live (sessions/watchers.py)."""

    @property
    def active(self) -> bool: ...

    @property
    def want_metadata(self) -> bool: ...

    def match(self, tenant_id: UUID, run_id: UUID, metadata: str) -> None: ...

    def deliver(self, events: Sequence[RunEvent]) -> None: ...


def announce(turn: Turn, waiters: Waiters, watchers: Watchers) -> None:
    """Tell everybody. Subscriptions come first: a run can't end before its waiter is known."""
    for tenant_id, subscriber, ids in turn.subscriptions:
        waiters.add(tenant_id, subscriber, ids)
    for tenant_id, run_id in turn.look_ups:
        waiters.look_up(tenant_id, run_id)
    _deliver(turn)
    _deliver_results(turn, waiters)
    if turn.events is not None:
        if watchers.want_metadata:
            _match_metadata(turn, watchers)
        turn.events.extend(event for one in turn.finished for event in _end_events(turn, one))
        turn.events.extend(
            RunEvent(run.run_id, None, f"RUN_{run.status.name}", "", 0, None, turn.now_ms)
            for run in turn.finished_runs
        )
        if turn.events:
            watchers.deliver(turn.events)
    for session, reason in turn.sessions_to_close:
        session.close(reason)


def _deliver_results(turn: Turn, waiters: Waiters) -> None:
    by_tenant: dict[UUID, list[RunResult]] = {}
    for one in turn.finished:
        tenant_id = one.step.version.tenant_id
        if waiters.awaited(tenant_id, one.run_id):
            by_tenant.setdefault(tenant_id, []).append(_result(turn, one))
    for run in turn.finished_runs:
        if waiters.awaited(run.tenant_id, run.run_id):
            if run.tasks is None:
                waiters.look_up(run.tenant_id, run.run_id)
            else:
                result = RunResult(run.run_id, run.status, turn.now_ms, run.tasks)
                by_tenant.setdefault(run.tenant_id, []).append(result)
    for tenant_id, task in turn.task_results:
        if waiters.awaited(tenant_id, task.task_id):
            result = RunResult(task.task_id, task.status, turn.now_ms, [task])
            by_tenant.setdefault(tenant_id, []).append(result)
    for tenant_id, results in by_tenant.items():
        waiters.deliver(tenant_id, results)


def _match_metadata(turn: Turn, watchers: Watchers) -> None:
    for task in turn.plan.tasks:
        if task.metadata:
            watchers.match(task.step.version.tenant_id, task.id, task.metadata)
    for running, payload in turn.deliveries:
        if payload is not None and payload.metadata:
            watchers.match(running.tenant_id, running.run_id, payload.metadata)


def _deliver(turn: Turn) -> None:
    by_worker: dict[Worker, list[Assigned | AssignedBatch]] = {}
    by_batch: dict[Batch, AssignedBatch] = {}
    for running, payload in turn.deliveries:
        if not running.live or payload is None:
            continue
        deliveries = by_worker.setdefault(running.worker, [])
        batch = running.batch
        if batch is None:
            deliveries.append(_assigned(running, payload))
            continue
        gathered = by_batch.get(batch)
        if gathered is None:
            gathered = by_batch[batch] = _assigned_batch(batch)
            deliveries.append(gathered)
        gathered.members.append(_assigned(running, payload))
    for worker in by_worker.keys() | turn.cancels.keys():
        if worker.session is not None:
            worker.session.deliver(by_worker.get(worker, ()), turn.cancels.get(worker, ()))


def _assigned_batch(batch: Batch) -> AssignedBatch:
    step = batch.group.step
    action = step.queue.action
    return AssignedBatch(
        id=batch.id,
        tenant_id=step.version.tenant_id,
        action=batch.worker.actions.get(action, action),
        key=batch.group.key,
        reason=batch.reason,
        flushed_ms=batch.flushed_ms,
    )


def _assigned(running: Running, payload: Payload) -> Assigned:
    step = running.step
    version = step.version
    action = step.queue.action
    return Assigned(
        running.tenant_id,
        running.task_id,
        running.run_id,
        running.attempt,
        running.worker.actions.get(action, action),
        step.name,
        step.id,
        payload.input,
        payload.metadata,
        payload.priority,
        version.workflow_id,
        version.id,
        payload.created_ms,
        running.assigned_ms,
        running.deadline_ms,
        payload.parent_task_id,
        payload.child_index,
        payload.child_key,
        payload.context,
    )


def _result(turn: Turn, one: Finished) -> RunResult:
    task = TaskResult(one.task_id, one.step.name, one.status, one.output, one.error)
    return RunResult(one.run_id, one.status, turn.now_ms, [task])


def _end_events(turn: Turn, one: Finished) -> list[RunEvent]:
    kind = one.status.name
    payload = (one.output if kind == "COMPLETED" else one.error) or ""
    run_kind = f"RUN_{kind}"
    task_payload = "" if kind == "CANCELLED" else payload
    events = []
    if kind != "FAILED":  # a failed attempt was reported when it failed
        events.append(RunEvent(one.run_id, one.task_id, kind, task_payload, 0, None, turn.now_ms))
    events.append(RunEvent(one.run_id, None, run_kind, "", 0, None, turn.now_ms))
    return events
