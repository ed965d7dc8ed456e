"""Events and filters as the API shows them."""

from __future__ import annotations

from uuid import UUID

from hatchet_engine.domain.states import Status
from hatchet_engine.observe.events import EventRow, EventRun
from hatchet_engine.observe.times import from_ms
from hatchet_engine.transports.rest.codecs.common import meta
from hatchet_engine.transports.rest.responses import compact, json_object
from hatchet_engine.transports.rest.schemas.events import (
    CreateEventRequest,
    V1Event,
    V1EventTriggeredRun,
    V1EventWorkflowRunSummary,
    V1Filter,
)
from hatchet_engine.turn.commands import Filter, NewEvent

_COUNTED_AS = {
    Status.QUEUED: "queued",
    Status.RUNNING: "running",
    Status.COMPLETED: "succeeded",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
}


def event(tenant_id: UUID, row: EventRow) -> V1Event:
    return V1Event(
        metadata=meta(row.id, row.seen_at),
        key=row.key,
        tenant_id=str(tenant_id),
        workflow_run_summary=_summary(row.runs),
        additional_metadata=json_object(row.metadata),
        payload=json_object(row.payload),
        scope=row.scope,
        seen_at=row.seen_at,
        triggered_runs=[
            V1EventTriggeredRun(workflow_run_id=str(run.run_id), filter_id=run.filter_id)
            for run in row.runs
        ],
        triggering_webhook_name=row.source,
    )


def new_event(body: CreateEventRequest) -> NewEvent:
    return NewEvent(
        key=body.key,
        payload=compact(body.data),
        metadata=compact(body.additional_metadata) if body.additional_metadata else "",
        priority=body.priority,
        scope=body.scope,
    )


def again(row: EventRow) -> NewEvent:
    """The same event, to be pushed once more."""
    return NewEvent(
        key=row.key,
        payload=row.payload,
        metadata=row.metadata or "",
        priority=row.priority,
        scope=row.scope,
        source=row.source,
    )


def filter_shown(found: Filter) -> V1Filter:
    return V1Filter(
        metadata=meta(found.id, from_ms(found.created_ms), from_ms(found.updated_ms)),
        tenant_id=str(found.tenant_id),
        workflow_id=str(found.workflow_id),
        scope=found.scope,
        expression=found.expression,
        payload=json_object(found.payload),
        is_declarative=found.declarative,
    )


def _summary(runs: list[EventRun]) -> V1EventWorkflowRunSummary:
    counts = dict.fromkeys(_COUNTED_AS.values(), 0)
    for run in runs:
        counts[_COUNTED_AS[run.status]] += 1
    return V1EventWorkflowRunSummary(**counts)
