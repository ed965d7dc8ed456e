"""What workers of the official SDKs say of their tasks (B7)."""

from __future__ import annotations

from hatchet_engine.domain.durations import MAX_MS
from hatchet_engine.domain.errors import invalid
from hatchet_engine.transports.grpc.codecs.ids import parse_id
from hatchet_engine.turn.commands import Report, ReportKind
from hatchet_protocol.dispatcher import StepActionEvent, StepActionEventType
from hatchet_protocol.times import timestamp_ms

_KINDS = {
    int(StepActionEventType.STARTED): ReportKind.STARTED,
    int(StepActionEventType.COMPLETED): ReportKind.COMPLETED,
    int(StepActionEventType.FAILED): ReportKind.FAILED,
    int(StepActionEventType.ACKNOWLEDGED): ReportKind.ACKNOWLEDGED,
    int(StepActionEventType.CANCELLED): ReportKind.CANCELLED,
}


def step_report(event: StepActionEvent) -> Report:
    """Raises ``Refused`` for a bad id or kind.

    ``worker_id`` is not looked at: TypeScript puts the worker's name there.
    """
    kind = _KINDS.get(event.event_type)
    if kind is None:
        raise invalid(
            f"event_type: must be STARTED, COMPLETED, FAILED, ACKNOWLEDGED or CANCELLED, "
            f"got {event.event_type}",
            field="event_type",
        )
    report = Report(
        parse_id(event.task_run_external_id, "task_run_external_id"),
        event.retry_count if event.HasField("retry_count") else None,
        kind,
    )
    if kind is ReportKind.COMPLETED:
        report.payload = event.event_payload
    elif kind is ReportKind.FAILED:
        report.payload = event.event_payload
        report.should_not_retry = event.should_not_retry
        if event.HasField("retry_after_ms"):
            report.retry_after_ms = min(max(event.retry_after_ms, 0), MAX_MS)
    elif kind is ReportKind.STARTED:
        # The payload means nothing here: "", two quotes or null, by SDK (B5.3).
        report.started_ms = timestamp_ms(event.event_timestamp) or None
    return report
