"""Events and event filters."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from hatchet_engine.transports.rest.parameters import IDS_MAX, Text
from hatchet_engine.transports.rest.responses import JsonObject
from hatchet_engine.transports.rest.schemas.common import (
    APIResourceMeta,
    PaginationResponse,
    Schema,
    Uuid,
)


class V1EventWorkflowRunSummary(Schema):
    """How many runs of an event are in which status."""

    running: int = 0
    queued: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0


class V1EventTriggeredRun(Schema):
    workflow_run_id: Uuid
    filter_id: Uuid | None = None


class V1Event(Schema):
    metadata: APIResourceMeta
    key: str
    tenant_id: str
    workflow_run_summary: V1EventWorkflowRunSummary
    additional_metadata: JsonObject = None
    payload: JsonObject = None
    scope: str | None = None
    seen_at: datetime | None = None
    triggered_runs: list[V1EventTriggeredRun] | None = None
    triggering_webhook_name: str | None = None


class V1EventList(Schema):
    pagination: PaginationResponse
    rows: list[V1Event]


class EventKeyList(Schema):
    rows: list[str]


class EventData(Schema):
    data: str  # the payload as JSON text


class CreateEventRequest(Schema):
    key: Text
    data: dict[str, object]
    additional_metadata: dict[str, object] | None = None
    priority: int | None = None  # 1..3, of the runs it triggers
    scope: Text | None = None


class BulkCreateEventRequest(Schema):
    events: list[CreateEventRequest]


class Events(Schema):
    metadata: APIResourceMeta
    events: list[V1Event]


class EventIds(Schema):
    event_ids: Annotated[list[UUID], Field(max_length=IDS_MAX)]


class CancelledRuns(Schema):
    workflow_run_ids: list[Uuid]


class V1Filter(Schema):
    metadata: APIResourceMeta
    tenant_id: str
    workflow_id: Uuid
    scope: str
    expression: str
    payload: JsonObject
    is_declarative: bool | None = None


class V1FilterList(Schema):
    pagination: PaginationResponse
    rows: list[V1Filter]


class V1CreateFilterRequest(Schema):
    workflow_id: UUID
    expression: Text
    scope: Text
    payload: dict[str, object] | None = None


class V1UpdateFilterRequest(Schema):
    """Only what is given changes."""

    expression: Text | None = None
    scope: Text | None = None
    payload: dict[str, object] | None = None
