"""Workers come, open and lose streams, change and leave (WK-*)."""

from __future__ import annotations

from uuid import UUID

import orjson

from hatchet_engine.domain.errors import Code, Refused, invalid, not_found
from hatchet_engine.domain.registration import ACTION, NAME, NAME_LENGTH_MAX
from hatchet_engine.turn import pauses
from hatchet_engine.turn.commands import (
    ChangeWorker,
    CloseStream,
    LeaveWorker,
    OpenStream,
    RegisterWorker,
)
from hatchet_engine.turn.deliveries import CancelNotice
from hatchet_engine.turn.lifecycle import reassign
from hatchet_engine.turn.state import Limits, Turn
from hatchet_engine.turn.workers import Worker

DEFAULT_SLOTS = {"default": 100}
ACTIONS_MAX = 10_000


def check_registration(command: RegisterWorker, limits: Limits) -> dict[str, int]:
    """The worker's slots, or ``Refused`` naming the field (B3.1, SL-8)."""
    if not command.name or len(command.name) > NAME_LENGTH_MAX or not NAME.match(command.name):
        raise invalid(
            f"worker_name: {command.name!r} must be 1 to {NAME_LENGTH_MAX} letters, digits, dots, "
            "underscores or hyphens",
            field="worker_name",
        )
    if len(command.actions) > ACTIONS_MAX:
        raise invalid(f"actions: at most {ACTIONS_MAX} per worker", field="actions")
    for action in command.actions:
        if not ACTION.match(action):
            raise invalid(f"actions: {action!r} must look like service:verb", field="actions")
    for slot_type, units in command.slots.items():
        if not slot_type or not 0 < units <= limits.worker_slots_max:
            raise invalid(
                f"slot_config: {slot_type!r} must have 1 to {limits.worker_slots_max} units, "
                f"got {units}",
                field="slot_config",
            )
    return dict(command.slots) or dict(DEFAULT_SLOTS)


def register(turn: Turn, command: RegisterWorker) -> UUID:
    """A new worker; it gets work once its stream is open (WK-1)."""
    slots = check_registration(command, turn.limits)
    worker = Worker(
        id=turn.ids.new(turn.now_ms),
        tenant_id=command.tenant_id,
        name=command.name,
        actions=list(command.actions),
        slots=slots,
        labels=command.labels,
        protocol=command.protocol,
        heartbeat_ms=turn.now_ms,
    )
    turn.hot.add_worker(worker)
    turn.schedule_worker_check()
    turn.plan.workers.append(
        (
            worker.id,
            command.tenant_id,
            command.name,
            list(command.actions),
            orjson.dumps(slots).decode(),
            orjson.dumps(dict(command.labels)).decode(),
            orjson.dumps(dict(command.runtime)).decode(),
            command.protocol,
        )
    )
    return worker.id


def open_stream(turn: Turn, command: OpenStream) -> None:
    """The worker may get work from now on; what was lost on the way before is dealt with."""
    worker = _worker(turn, command.tenant_id, command.worker_id)
    previous = worker.session
    worker.session = command.session
    worker.streamed = True
    worker.heartbeat_ms = turn.now_ms
    turn.plan.streams_opened.append(worker.id)
    if worker.id in turn.plan.workers_left:
        turn.plan.workers_left.remove(worker.id)  # back within the same turn
    if previous is not None and previous is not command.session:
        turn.sessions_to_close.append((previous, "a newer stream of this worker was opened"))
    _recover_lost(turn, worker, command)
    turn.hot.refresh_assignable(worker)
    turn.schedule_worker_check()
    turn.offer(worker)


def _recover_lost(turn: Turn, worker: Worker, command: OpenStream) -> None:
    held = command.held
    if held is None:
        _suspect_loss(turn, worker)
        return
    worker.lost_check_ms = None
    have = set(held)
    ours = {(running.task_id, running.attempt): running for running in worker.running.values()}
    # Never arrived: the same attempt once more.
    turn.deliveries += [(running, None) for key, running in ours.items() if key not in have]
    # Ended while the stream was away (cancelled, timed out, given to another): stop working on it.
    stale = [key for key in have if key not in ours]
    if stale:
        notices = turn.cancels.setdefault(worker, [])
        notices += [_stop(worker, task_id, attempt) for task_id, attempt in stale]


def _stop(worker: Worker, task_id: UUID, attempt: int) -> CancelNotice:
    """Only workers of the session protocol tell what they hold; they go by id and attempt."""
    return CancelNotice(
        tenant_id=worker.tenant_id,
        task_id=task_id,
        run_id=task_id,
        attempt=attempt,
        action="",
        task_name="",
        step_id=UUID(int=0),
        workflow_id=UUID(int=0),
        version_id=UUID(int=0),
        reason="The attempt ended while the worker was away",
    )


def close_stream(turn: Turn, command: CloseStream) -> None:
    """No new assignments; running tasks go on and their reports are still welcome (WK-4)."""
    worker = turn.hot.workers.get(command.worker_id)
    if worker is None or worker.session is not command.session:
        return  # a newer stream has taken its place
    worker.session = None
    turn.hot.refresh_assignable(worker)
    turn.wake_queues(worker)  # those that only this worker could take go elsewhere
    if worker.protocol == "grpc":
        _suspect_loss(turn, worker)
    turn.schedule_worker_check()


def _suspect_loss(turn: Turn, worker: Worker) -> None:
    """Start messages that nobody has acknowledged yet went over a stream that is gone: wait a
    little for their acknowledgements."""
    worker.maybe_lost = {
        running.task_id: running.attempt
        for running in worker.running.values()
        if running.started_ms is None
    }
    if worker.maybe_lost:
        worker.lost_check_ms = turn.now_ms + turn.limits.unacknowledged_ms
    else:
        worker.lost_check_ms = None


def leave(turn: Turn, command: LeaveWorker) -> None:
    """A clean goodbye; whatever it still held goes to others."""
    worker = _worker(turn, command.tenant_id, command.worker_id)
    session = worker.session
    if worker.protocol == "grpc" and worker.running:
        _only_stream_leaves(turn, worker)
        return
    turn.hot.remove_worker(worker)
    pauses.forget_worker(turn, worker.tenant_id, worker.id)
    turn.wake_queues(worker)
    turn.plan.workers_left.append(worker.id)
    if worker.id in turn.plan.streams_opened:
        turn.plan.streams_opened.remove(worker.id)
    for running in list(worker.running.values()):
        reassign(turn, running, f"Worker {worker.name} left before the task ended")
    if session is not None:
        turn.sessions_to_close.append((session, "the worker has left"))


def _only_stream_leaves(turn: Turn, worker: Worker) -> None:
    """The official TypeScript SDK says goodbye before its last tasks have finished, so only the
    stream goes (WK-10). Tasks that it never finishes move on when its heartbeats are missed."""
    session = worker.session
    if session is not None:
        worker.session = None
        turn.sessions_to_close.append((session, "the worker has left"))
        turn.hot.refresh_assignable(worker)
        turn.wake_queues(worker)
        _suspect_loss(turn, worker)
    turn.schedule_worker_check()


def change(turn: Turn, command: ChangeWorker) -> None:
    """Labels, and whether it takes anything new; both count from the next assignment on (WK-6,
    WK-11)."""
    worker = _worker(turn, command.tenant_id, command.worker_id)
    if command.labels:
        worker.labels.update(command.labels)
        turn.hot.relabel(worker)
        turn.plan.worker_labels[worker.id] = orjson.dumps(worker.labels).decode()
    if command.draining is not None and command.draining != worker.draining:
        worker.draining = command.draining
        turn.plan.worker_drains[worker.id] = command.draining
        turn.hot.refresh_assignable(worker)
    turn.schedule_worker_check()  # it may have been given up before and just been read again
    turn.offer(worker)


def heartbeat(worker: Worker | None, tenant_id: UUID, now_ms: int) -> None:
    """Note a sign of life; no write. The table learns of it now and then."""
    if worker is None or worker.tenant_id != tenant_id:
        raise not_found("worker not found: register again")
    if worker.streamed and worker.session is None:
        raise Refused(
            Code.FAILED_PRECONDITION, "the worker's stream is not open: call ListenV2 again"
        )
    worker.heartbeat_ms = now_ms


def _worker(turn: Turn, tenant_id: UUID, worker_id: UUID) -> Worker:
    worker = turn.hot.workers.get(worker_id)
    if worker is None or worker.tenant_id != tenant_id:
        raise not_found(f"worker {worker_id} not found")
    return worker
