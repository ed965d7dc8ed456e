"""What workers of the official SDKs say of their tasks (B7, B8)."""

from __future__ import annotations

from hatchet_engine.domain.durations import MAX_MS
from hatchet_engine.domain.errors import invalid
from hatchet_engine.transports.grpc.codecs.ids import parse_id
from hatchet_engine.turn.commands import Report, ReportKind
from hatchet_protocol.dispatcher import (
    BatchActionEvent,
    BatchActionEventItem,
    StepActionEvent,
    StepActionEventType,
)
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
    return _report(event, kind, timestamp_ms(event.event_timestamp))


def batch_reports(event: BatchActionEvent) -> list[Report]:
    """One report for each item. Raises ``Refused`` for a bad id or kind."""
    kind = _KINDS.get(event.event_type)
    if kind is None or kind is ReportKind.ACKNOWLEDGED:
        raise invalid(
            f"event_type: must be STARTED, COMPLETED, FAILED or CANCELLED, got {event.event_type}",
            field="event_type",
        )
    at_ms = timestamp_ms(event.event_timestamp)
    batch_id = parse_id(event.batch_id, "batch_id") if event.batch_id else None
    reports = [_report(item, kind, at_ms) for item in event.items]
    for report in reports:
        report.batch_id = batch_id
    return reports


def _report(about: StepActionEvent | BatchActionEventItem, kind: ReportKind, at_ms: int) -> Report:
    report = Report(
        parse_id(about.task_run_external_id, "task_run_external_id"),
        about.retry_count if about.HasField("retry_count") else None,
        kind,
    )
    if kind is ReportKind.COMPLETED:
        report.payload = about.event_payload
    elif kind is ReportKind.FAILED:
        report.payload = about.event_payload
        report.should_not_retry = about.should_not_retry
        if about.HasField("retry_after_ms"):
            report.retry_after_ms = min(max(about.retry_after_ms, 0), MAX_MS)
    elif kind is ReportKind.STARTED:
        # The payload means nothing here: "", two quotes or null, by SDK (B5.3).
        report.started_ms = at_ms or None
    return report
