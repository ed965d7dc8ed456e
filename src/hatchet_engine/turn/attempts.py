"""An attempt begins: a task that has left its queue or line is on a worker from now on."""

from __future__ import annotations

from hatchet_engine.turn.batches import Batch
from hatchet_engine.turn.queues import Queued
from hatchet_engine.turn.state import Turn
from hatchet_engine.turn.workers import Running, Worker


def begin_attempt(turn: Turn, item: Queued, worker: Worker, batch: Batch | None = None) -> Running:
    """Assign a task; its slots are taken by the caller, once for a whole batch."""
    step = item.step
    if step.watched:
        turn.plan.forget_waits(item.task_id)  # what has started is not cancelled by conditions
    deadline_ms = turn.now_ms + step.execution_timeout_ms
    running = Running(
        task_id=item.task_id,
        tenant_id=item.tenant_id,
        run_id=item.run_id,
        step=step,
        worker=worker,
        attempt=item.attempt,
        app_retries=item.app_retries,
        internal_retries=item.internal_retries,
        assigned_ms=turn.now_ms,
        deadline_ms=deadline_ms,
        demand=item.demand,
        batch=batch,
    )
    hot = turn.hot
    hot.running[item.task_id] = running
    worker.running[item.task_id] = running
    if hot.next_deadline_ms is None or deadline_ms < hot.next_deadline_ms:
        hot.next_deadline_ms = deadline_ms
    turn.plan.assigned.append(running)
    turn.deliveries.append((running, item.payload))
    return running
