"""The steps every task goes through, each in one place: enqueue, end, retry, cancel."""

from __future__ import annotations

from uuid import UUID

import orjson

from hatchet_engine.domain import retry
from hatchet_engine.domain.demand import Demand, text_of
from hatchet_engine.domain.states import PRIORITY_AGAIN, EventKind, Status
from hatchet_engine.turn.definitions import Step
from hatchet_engine.turn.deliveries import CancelNotice, RunEvent
from hatchet_engine.turn.entering import arrive, release
from hatchet_engine.turn.queues import Payload, Queued
from hatchet_engine.turn.state import Finished, MemberEnd, Turn
from hatchet_engine.turn.workers import Running


def enqueue(
    turn: Turn,
    *,
    task_id: UUID,
    tenant_id: UUID,
    step: Step,
    priority: int,
    attempt: int = 0,
    app_retries: int = 0,
    internal_retries: int = 0,
    demand: Demand | None = None,
    payload: Payload | None = None,
    run_id: UUID | None = None,
) -> None:
    """A task is ready to run: it goes through its concurrency rules into its queue."""
    item = Queued(
        task_id,
        tenant_id,
        step,
        -priority,
        attempt,
        app_retries,
        internal_retries,
        turn.now_ms,
        turn.now_ms + step.schedule_timeout_ms,
        demand,
        payload,
        run_id=run_id,
    )
    arrive(turn, item)


def leave_worker(turn: Turn, running: Running) -> None:
    """The attempt is over: give its slots back and offer them to the worker's queues."""
    running.live = False
    worker = running.worker
    del turn.hot.running[running.task_id]
    worker.running.pop(running.task_id, None)
    turn.plan.unassign(running)
    turn.left.add(running.task_id)
    batch = running.batch
    if batch is not None:
        del batch.members[running.task_id]
        if batch.members:
            return  # the slot is theirs as well
        turn.hot.batches.ended(batch)
    if not running.released:
        worker.give(running.step.units)
        turn.gain(worker)


def finish(
    turn: Turn,
    running: Running,
    status: Status,
    output: str | None,
    error: str | None,
) -> None:
    """The task ends with this attempt."""
    leave_worker(turn, running)
    if running.task_id in turn.hot.groups.held:
        release(turn, running.task_id)
    if status is Status.COMPLETED:
        turn.plan.completed.append((running, output))
    else:
        turn.plan.end(
            running.tenant_id,
            running.task_id,
            running.step.version.task_kind,
            status,
            running.attempt,
            running,
            output,
            error,
        )
    step = running.step
    if step.version.several:
        turn.ends.append(
            MemberEnd(
                running.run_id,
                running.tenant_id,
                step,
                status,
                output,
                error,
                running.attempt,
                running.started_ms or running.assigned_ms,
                running.worker.id,
            )
        )
    else:
        turn.finished.append(Finished(running.run_id, running.task_id, step, status, output, error))


def fail(
    turn: Turn,
    running: Running,
    error: str,
    *,
    kind: EventKind = EventKind.ATTEMPT_FAILED,
    should_not_retry: bool = False,
    retry_after_ms: int | None = None,
) -> None:
    """A user failure or an execution timeout: another attempt, or the end (RT-1 to RT-8)."""
    step = running.step
    _watch(turn, running, "FAILED", error)
    if not retry.may_retry(step.retries, running.app_retries, should_not_retry):
        if kind is not EventKind.ATTEMPT_FAILED:
            _attempt_event(turn, running, kind, error)
        finish(turn, running, Status.FAILED, None, error)
        return
    _attempt_event(turn, running, kind, error)
    app_retries = running.app_retries + 1
    delay_ms = retry_after_ms
    if delay_ms is None:
        delay_ms = retry.backoff_ms(step.backoff_factor, step.backoff_max_s, app_retries)
    turn.plan.event(
        EventKind.RETRYING,
        running.tenant_id,
        running.task_id,
        running.attempt + 1,
        data=f'{{"delay_ms": {delay_ms}}}',
    )
    leave_worker(turn, running)
    if delay_ms > 0:
        delay(turn, running, app_retries, turn.now_ms + delay_ms)
    else:
        again(turn, running, app_retries, running.internal_retries)


def reassign(turn: Turn, running: Running, reason: str) -> None:
    """The worker or the way to it was lost; costs the user no retry (WK-9, RT-14)."""
    _attempt_event(turn, running, EventKind.REASSIGNED, reason)
    if running.internal_retries >= retry.INTERNAL_RETRIES_MAX:
        error = "Task reached its maximum reassignment count"
        _watch(turn, running, "FAILED", error)
        finish(turn, running, Status.FAILED, None, error)
        return
    leave_worker(turn, running)
    again(turn, running, running.app_retries, running.internal_retries + 1)


def again(turn: Turn, running: Running, app_retries: int, internal_retries: int) -> None:
    """Queue the next attempt ahead of all user priorities (Q-6)."""
    enqueue(
        turn,
        task_id=running.task_id,
        tenant_id=running.tenant_id,
        step=running.step,
        priority=PRIORITY_AGAIN,
        attempt=running.attempt + 1,
        app_retries=app_retries,
        internal_retries=internal_retries,
        demand=running.demand,
        run_id=running.run_id,
    )


def delay(turn: Turn, running: Running, app_retries: int, due_ms: int) -> None:
    """Hold no slot and no concurrency place until the backoff is over (RT-6, CON-12)."""
    release(turn, running.task_id)
    step = running.step
    turn.plan.delayed.append(
        (
            running.task_id,
            due_ms,
            step.queue.id,
            running.tenant_id,
            step.version.id,
            step.index,
            running.attempt + 1,
            app_retries,
            running.internal_retries,
            text_of(running.demand),
            running.run_id if step.version.several else None,
        )
    )
    earliest = turn.hot.next_delayed_ms
    if earliest is None or due_ms < earliest:
        turn.hot.next_delayed_ms = due_ms


def cancel_running(turn: Turn, running: Running, reason: str) -> None:
    """Cancel an attempt on its worker: final at once; the worker hears after the commit (CX-3)."""
    tell_worker(turn, running, reason)
    turn.plan.event(
        EventKind.CANCELLED,
        running.tenant_id,
        running.task_id,
        running.attempt,
        running.worker.id,
        reason,
    )
    finish(turn, running, Status.CANCELLED, None, reason)


def end_waiting(
    turn: Turn,
    *,
    tenant_id: UUID,
    task_id: UUID,
    run_id: UUID,
    step: Step,
    attempt: int,
    kind: EventKind,
    reason: str,
) -> None:
    """A task that holds no worker ends as cancelled; its hot row is removed by the caller."""
    release(turn, task_id)
    turn.plan.event(kind, tenant_id, task_id, attempt, None, reason)
    kind_of_task = step.version.task_kind
    turn.plan.end(tenant_id, task_id, kind_of_task, Status.CANCELLED, attempt, None, None, reason)
    if step.version.several:
        if step.watched:
            turn.plan.forget_waits(task_id)
        turn.ends.append(
            MemberEnd(run_id, tenant_id, step, Status.CANCELLED, None, reason, attempt, None)
        )
    else:
        turn.finished.append(Finished(task_id, task_id, step, Status.CANCELLED, None, reason))


def tell_worker(turn: Turn, running: Running, reason: str) -> None:
    """Have the worker stop this attempt, if its stream is there to hear it."""
    step = running.step
    turn.cancels.setdefault(running.worker, []).append(
        CancelNotice(
            tenant_id=running.tenant_id,
            task_id=running.task_id,
            run_id=running.run_id,
            attempt=running.attempt,
            action=running.worker.actions.get(step.queue.action, step.queue.action),
            task_name=step.name,
            step_id=step.id,
            workflow_id=step.version.workflow_id,
            version_id=step.version.id,
            reason=reason,
        )
    )


def _attempt_event(turn: Turn, running: Running, kind: EventKind, message: str) -> None:
    times = {"assigned_ms": running.assigned_ms, "started_ms": running.started_ms}
    turn.plan.event(
        kind,
        running.tenant_id,
        running.task_id,
        running.attempt,
        running.worker.id,
        message,
        orjson.dumps(times).decode(),
    )


def _watch(turn: Turn, running: Running, kind: str, payload: str) -> None:
    if turn.events is not None:
        turn.events.append(
            RunEvent(
                run_id=running.run_id,
                task_id=running.task_id,
                kind=kind,
                payload=payload,
                retry_count=running.attempt,
                index=None,
                at_ms=turn.now_ms,
            )
        )
