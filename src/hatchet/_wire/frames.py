"""Frames of the session protocol.

What goes out is encoded piece by piece, where it arises: each function returns the bytes of a
`ClientFrame` with one thing in it. Protobuf concatenation is merging, so a frame is just its
pieces joined, its size is known exactly, and a piece can be kept and sent again.
"""

import platform
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from hatchet._core.session import (
    Assigned,
    AssignedBatch,
    CallError,
    Cancelled,
    LabelValue,
    Received,
    Registered,
    RunOutcome,
    TaskAnswer,
    TaskOutcome,
    TriggerAnswer,
    TriggerItemData,
    Welcomed,
    WorkerData,
)
from hatchet_protocol.session import ClientFrame, EngineFrame

if TYPE_CHECKING:
    from hatchet_protocol.session import Assignment, Error, RegisterWorker, WorkerChange

REPORT_COMPLETED = 2
REPORT_FAILED = 3
REPORT_CANCELLED = 4


def hello(sdk_version: str, client_name: str, instance: bytes) -> bytes:
    frame = ClientFrame()
    frame.hello.sdk_version = sdk_version
    frame.hello.language = "python"
    frame.hello.language_version = platform.python_version()
    frame.hello.os = platform.platform(terse=True)
    frame.hello.client_name = client_name
    frame.hello.instance = instance
    return frame.SerializeToString()


def heartbeat() -> bytes:
    return ClientFrame(heartbeat=True).SerializeToString()


def sequence(seq: int) -> bytes:
    return ClientFrame(seq=seq).SerializeToString()


def register_worker(
    worker: WorkerData, resume_worker_id: bytes, held: Iterable[tuple[bytes, int]]
) -> bytes:
    frame = ClientFrame()
    message = frame.register_worker
    message.name = worker.name
    message.actions.extend(worker.actions)
    message.slots.update(worker.slots)
    _set_labels(message, worker.labels)
    message.resume_worker_id = resume_worker_id
    for task_id, attempt in held:
        message.held.add(task_id=task_id, attempt=attempt)
    return frame.SerializeToString()


def worker_change(
    paused: bool | None = None,
    labels: Mapping[str, LabelValue] | None = None,
    leave: bool = False,
) -> bytes:
    frame = ClientFrame()
    message = frame.worker_change
    message.leave = leave
    if paused is not None:
        message.paused = paused
    _set_labels(message, labels or {})
    return frame.SerializeToString()


def _set_labels(message: "RegisterWorker | WorkerChange", labels: Mapping[str, LabelValue]) -> None:
    for key, value in labels.items():
        if isinstance(value, int):
            message.labels[key].number = int(value)
        else:
            message.labels[key].text = value


def trigger(
    request_id: int, items: Sequence[TriggerItemData], subscribe: bool, origin: int = 0
) -> bytes:
    frame = ClientFrame()
    message = frame.triggers.add(request_id=request_id, subscribe=subscribe, origin=origin)
    add = message.items.add
    for item in items:
        added = add(
            workflow=item.workflow,
            input=item.input,
            metadata=item.metadata,
            priority=item.priority,
        )
        if item.parent_task_id:
            added.parent_task_id = item.parent_task_id
            added.child_key = item.child_key
            if item.child_index is not None:
                added.child_index = item.child_index
        if item.desired_worker_id:
            added.desired_worker_id = item.desired_worker_id
        for key, label in (item.desired_labels or {}).items():
            desired = added.desired_labels[key]
            if isinstance(label.value, int):
                desired.value.number = label.value
            else:
                desired.value.text = label.value
            desired.required = label.required
            desired.comparator = label.comparator
            if label.weight is not None:
                desired.weight = label.weight
    return frame.SerializeToString()


def repeated_trigger(data: bytes, after_ms: int) -> bytes:
    """What `trigger` gave, marked as sent before."""
    frame = ClientFrame.FromString(data)
    frame.triggers[0].resent_after_ms = after_ms
    return frame.SerializeToString()


def subscribe(run_ids: Iterable[bytes]) -> bytes:
    return ClientFrame(subscribe=run_ids).SerializeToString()


def unsubscribe(run_ids: Iterable[bytes]) -> bytes:
    return ClientFrame(unsubscribe=run_ids).SerializeToString()


def report(
    task_id: bytes,
    attempt: int,
    kind: int,
    payload: str,
    started_at_ms: int,
    should_not_retry: bool = False,
    retry_after_ms: int | None = None,
) -> bytes:
    frame = ClientFrame()
    message = frame.reports.add(
        task_id=task_id, attempt=attempt, kind=kind, payload=payload, started_at_ms=started_at_ms
    )
    if should_not_retry:
        message.should_not_retry = True
    if retry_after_ms is not None:
        message.retry_after_ms = retry_after_ms
    return frame.SerializeToString()


def log_line(
    task_id: bytes, attempt: int, at_ms: int, level: str, message: str, metadata: str = ""
) -> bytes:
    frame = ClientFrame()
    frame.logs.add(
        task_id=task_id,
        attempt=attempt,
        at_ms=at_ms,
        level=level,
        message=message,
        metadata=metadata,
    )
    return frame.SerializeToString()


def stream_chunk(task_id: bytes, attempt: int, index: int, data: bytes) -> bytes:
    frame = ClientFrame()
    frame.chunks.add(task_id=task_id, attempt=attempt, index=index, data=data)
    return frame.SerializeToString()


def sent_again(chunk: bytes) -> bytes:
    """A piece of `stream_chunk` that may have arrived already."""
    frame = ClientFrame.FromString(chunk)
    frame.chunks[0].again = True
    return frame.SerializeToString()


def extend_timeout(request_id: int, task_id: bytes, by_ms: int) -> bytes:
    frame = ClientFrame()
    frame.task_requests.add(request_id=request_id, task_id=task_id, extend_timeout_ms=by_ms)
    return frame.SerializeToString()


def release_slot(request_id: int, task_id: bytes) -> bytes:
    frame = ClientFrame()
    frame.task_requests.add(request_id=request_id, task_id=task_id, release_slot=True)
    return frame.SerializeToString()


def decode(data: bytes) -> Received:
    """One frame from the engine. Raises protobuf's `DecodeError` for garbage.

    Everything is copied out: a message of protobuf keeps its whole frame in memory, and a task
    may run for days.
    """
    frame = EngineFrame.FromString(data)
    received = Received(acked_seq=frame.acked_seq)
    if frame.HasField("welcome"):
        w = frame.welcome
        received.welcome = Welcomed(
            w.tenant_id,
            w.engine_version,
            w.heartbeat_interval_ms,
            w.max_frame_bytes,
            w.max_payload_bytes,
        )
    if frame.HasField("worker_registered"):
        r = frame.worker_registered
        error = _error(r.error) if r.HasField("error") else None
        received.registered = Registered(r.worker_id, r.resumed, error)
    received.trigger_answers = [
        TriggerAnswer(
            answer.request_id,
            list(answer.run_ids),
            _error(answer.error) if answer.HasField("error") else None,
            {one.index: one.existing_run_id for one in answer.collisions},
        )
        for answer in frame.trigger_replies
    ]
    received.assignments = [_assigned(a) for a in frame.assignments]
    received.batches = [
        AssignedBatch(
            b.id, b.action, b.key, b.reason, b.flushed_at_ms, [_assigned(a) for a in b.assignments]
        )
        for b in frame.batches
    ]
    received.cancellations = [
        Cancelled(c.task_id, c.attempt, c.reason) for c in frame.cancellations
    ]
    received.results = [
        (
            r.run_id,
            RunOutcome(
                r.status,
                tuple(
                    [
                        TaskOutcome(t.task_id, t.task_name, t.status, t.output, t.error)
                        for t in r.tasks
                    ]
                ),
                r.more,
            ),
        )
        for r in frame.results
    ]
    received.task_answers = [
        TaskAnswer(
            answer.request_id,
            answer.timeout_at_ms,
            _error(answer.error) if answer.HasField("error") else None,
        )
        for answer in frame.task_replies
    ]
    return received


def _assigned(a: "Assignment") -> Assigned:
    return Assigned(
        a.task_id,
        a.run_id,
        a.attempt,
        a.action,
        a.task_name,
        a.input,
        a.metadata,
        a.priority,
        a.workflow_id,
        a.workflow_version_id,
        a.parent_task_id,
        a.child_index if a.HasField("child_index") else None,
        a.child_key,
        a.context,
        a.deadline_ms,
        a.created_at_ms,
    )


def _error(error: "Error") -> CallError:
    return CallError(error.code, error.message, error.index)
