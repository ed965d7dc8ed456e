"""Frames of the session protocol: many commands in, many deliveries out.

Functions here run once per task and direction, so they stay short and allocate little.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from asyncpg.pgproto.pgproto import UUID as FastUUID

from hatchet_engine.domain.durations import MAX_MS
from hatchet_engine.domain.errors import Refused, invalid
from hatchet_engine.observe.logs import LogLine
from hatchet_engine.transports.grpc.codecs.ids import id_of_bytes, optional_id_of_bytes
from hatchet_engine.transports.grpc.codecs.labels import session_desired_labels, session_labels
from hatchet_engine.transports.grpc.codecs.texts import refuse_nul
from hatchet_engine.transports.grpc.codecs.trigger import child_key
from hatchet_engine.turn.commands import (
    RegisterWorker,
    Report,
    ReportKind,
    RunSubscriber,
    TriggerItem,
    TriggerRuns,
)
from hatchet_engine.turn.deliveries import Assigned, AssignedBatch, CancelNotice, RunResult
from hatchet_protocol import session

_KINDS = {
    int(session.ReportKind.STARTED): ReportKind.STARTED,
    int(session.ReportKind.COMPLETED): ReportKind.COMPLETED,
    int(session.ReportKind.FAILED): ReportKind.FAILED,
    int(session.ReportKind.CANCELLED): ReportKind.CANCELLED,
}

ORIGIN_MAX = 1 << 62  # the items of a call count on from there
RESENT_MAX_MS = 600_000  # so far back are the runs of a repeated call looked for


def trigger(tenant_id: UUID, request: session.Trigger, subscriber: RunSubscriber) -> TriggerRuns:
    """Raises ``Refused`` naming the field, with the index of the item."""
    items = []
    for index, wanted in enumerate(request.items):
        try:
            items.append(_item(wanted))
        except Refused as refused:
            raise Refused(refused.code, refused.message, field=refused.field, index=index) from None
    command = TriggerRuns(tenant_id, items, subscriber if request.subscribe else None)
    if request.origin:
        if request.origin >= ORIGIN_MAX:
            raise invalid(f"origin: must be below {ORIGIN_MAX}", field="origin")
        command.origin = request.origin
        if request.HasField("resent_after_ms"):
            if not 0 <= request.resent_after_ms <= RESENT_MAX_MS:
                raise invalid(
                    f"resent_after_ms: must be between 0 and {RESENT_MAX_MS}; "
                    "look whether the runs exist",
                    field="resent_after_ms",
                )
            command.resent_ms = request.resent_after_ms
    return command


def _item(wanted: session.TriggerItem) -> TriggerItem:
    item = TriggerItem(wanted.workflow, wanted.input, wanted.metadata, wanted.priority or None)
    parent = wanted.parent_task_id
    if parent:
        item.parent_task_id = id_of_bytes(parent, "parent_task_id")
        if wanted.HasField("child_index"):
            item.child_index = wanted.child_index
        item.child_key = child_key(wanted.child_key)
    item.desired_worker_id = optional_id_of_bytes(wanted.desired_worker_id, "desired_worker_id")
    if wanted.desired_labels:
        item.desired_labels = session_desired_labels(wanted.desired_labels)
    return item


def reports(messages: Iterable[session.Report]) -> list[Report]:
    """Raises ``Refused`` when one can't be understood: the frame is malformed then."""
    found = []
    kinds = _KINDS
    for message in messages:
        kind = kinds.get(message.kind)
        if kind is None:
            raise invalid(f"reports.kind: must be 1 to 4, got {message.kind}")
        raw = message.task_id
        if len(raw) != 16:
            raise invalid(f"reports.task_id: an id is 16 bytes, not {len(raw)}")
        report = Report(FastUUID(raw), message.attempt, kind, message.payload)
        if kind is ReportKind.FAILED:
            report.should_not_retry = message.should_not_retry
            if message.HasField("retry_after_ms"):
                report.retry_after_ms = min(max(message.retry_after_ms, 0), MAX_MS)
        report.started_ms = message.started_at_ms or None
        found.append(report)
    return found


def ids(raw_ids: Iterable[bytes], field: str) -> list[UUID]:
    return [id_of_bytes(raw, field) for raw in raw_ids]


def held(message: session.RegisterWorker) -> list[tuple[UUID, int]]:
    return [(id_of_bytes(task.task_id, "held.task_id"), task.attempt) for task in message.held]


def worker(
    tenant_id: UUID, message: session.RegisterWorker, hello: session.Hello
) -> RegisterWorker:
    """Raises ``Refused``; name, actions and slots are checked by the engine."""
    labels = session_labels(message.labels)
    about = {
        "sdk_version": hello.sdk_version,
        "language": hello.language.upper(),
        "language_version": hello.language_version,
        "os": hello.os,
        "extra": hello.client_name,
    }
    runtime = {key: value for key, value in about.items() if value}
    refuse_nul(labels, "labels")
    refuse_nul(runtime, "hello")
    refuse_nul(list(message.slots), "slots")
    refuse_nul(list(message.actions), "actions")
    return RegisterWorker(
        tenant_id,
        message.name,
        list(message.actions),
        dict(message.slots),
        labels,
        runtime,
        "session",
    )


def log_lines(messages: Iterable[session.LogLine]) -> list[LogLine]:
    """Lines with a bad task id are left out: logs never break a stream that carries results."""
    return [
        LogLine(
            FastUUID(line.task_id),
            line.attempt,
            line.at_ms,
            line.level,
            line.message,
            line.metadata,
        )
        for line in messages
        if len(line.task_id) == 16
    ]


# ---------------------------------------------------------------- engine to client


def add_batch(frame: session.EngineFrame, batch: AssignedBatch) -> None:
    message = frame.batches.add(
        id=batch.id.bytes,
        action=batch.action,
        key=batch.key,
        reason=batch.reason,
        flushed_at_ms=batch.flushed_ms,
    )
    for one in batch.members:
        add_assignment(message, one)


def add_assignment(holder: session.EngineFrame | session.Batch, assigned: Assigned) -> None:
    task_id = assigned.task_id.bytes
    run_id = assigned.run_id
    message = holder.assignments.add(
        task_id=task_id,
        run_id=task_id if run_id == assigned.task_id else run_id.bytes,
        attempt=assigned.attempt,
        action=assigned.action,
        task_name=assigned.task_name,
        input=assigned.input,
        metadata=assigned.metadata,
        priority=assigned.priority,
        workflow_id=assigned.workflow_id.bytes,
        workflow_version_id=assigned.version_id.bytes,
        context=assigned.context,
        deadline_ms=assigned.deadline_ms,
        created_at_ms=assigned.created_ms,
    )
    if assigned.parent_task_id is not None:
        message.parent_task_id = assigned.parent_task_id.bytes
        if assigned.child_index is not None:
            message.child_index = assigned.child_index
        if assigned.child_key is not None:
            message.child_key = assigned.child_key


def add_cancellation(frame: session.EngineFrame, notice: CancelNotice) -> None:
    frame.cancellations.add(
        task_id=notice.task_id.bytes, attempt=notice.attempt, reason=notice.reason
    )


def add_result(frame: session.EngineFrame, result: RunResult, *, more: bool = False) -> None:
    """``more``: other tasks of the run follow in the next frame."""
    message = frame.results.add(run_id=result.run_id.bytes, status=int(result.status), more=more)
    for task in result.tasks:
        message.tasks.add(
            task_id=task.task_id.bytes,
            task_name=task.task_name,
            status=int(task.status),
            output=task.output or "",
            error=task.error or "",
        )


def error(refused: Refused) -> session.Error:
    return session.Error(code=int(refused.code), message=refused.message, index=refused.index)


def add_trigger_reply(
    frame: session.EngineFrame,
    request_id: int,
    run_ids: Iterable[UUID],
    error: session.Error | None,
    holders: Mapping[int, UUID],
) -> None:
    reply = frame.trigger_replies.add(
        request_id=request_id, run_ids=[run_id.bytes for run_id in run_ids]
    )
    if error is not None:
        reply.error.CopyFrom(error)
    for index, holder in holders.items():
        reply.collisions.add(index=index, existing_run_id=holder.bytes)
