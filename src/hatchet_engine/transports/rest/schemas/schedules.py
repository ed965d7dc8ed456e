"""Crons and scheduled runs. Fields that the official API lacks are optional."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from hatchet_engine.domain.calendar import CatchUp, Overlap
from hatchet_engine.transports.rest.parameters import Instant, Text
from hatchet_engine.transports.rest.responses import JsonObject
from hatchet_engine.transports.rest.schemas.common import (
    APIResourceMeta,
    PaginationResponse,
    Schema,
    Uuid,
)

BULK_MAX = 500

Priority = Annotated[int | None, Field(description="1 to 3; default: the workflow's.")]


class OrderByDirection(StrEnum):
    ASC = "ASC"
    DESC = "DESC"


class Method(StrEnum):
    DEFAULT = "DEFAULT"  # by code: declared with the workflow, or over gRPC
    API = "API"


class CreateCronWorkflowTriggerRequest(Schema):
    input: dict[str, object] | None = None
    additional_metadata: dict[str, object] | None = None
    cron_name: Text
    cron_expression: Text
    priority: Priority = None
    zone: Annotated[str | None, Field(description="IANA time zone; default: UTC.")] = None
    catch_up: Annotated[
        CatchUp | None, Field(description="What is done about missed ticks; default: SKIP.")
    ] = None
    catch_up_max: Annotated[
        int | None, Field(description="How many missed ticks ALL makes good; default: 100.")
    ] = None
    overlap: Annotated[
        Overlap | None,
        Field(description="What a tick does while the run before goes on; default: ALLOW."),
    ] = None
    jitter_ms: int | None = None
    start_at: Instant | None = None
    end_at: Instant | None = None


class UpdateCronWorkflowTriggerRequest(Schema):
    enabled: bool | None = None


class CronWorkflows(Schema):
    metadata: APIResourceMeta
    tenant_id: str
    workflow_version_id: str
    workflow_id: str
    workflow_name: str
    cron: str
    name: str | None = None
    input: JsonObject = None
    additional_metadata: JsonObject = None
    enabled: bool
    method: Method
    priority: int | None = None
    zone: str
    catch_up: CatchUp
    catch_up_max: int
    overlap: Overlap
    jitter_ms: int
    start_at: datetime | None = None
    end_at: datetime | None = None
    next_run_at: datetime | None = None
    waiting: Annotated[
        bool, Field(description="A tick waits for the end of the run before (QUEUE).")
    ]
    last_tick_at: datetime | None = None
    last_run_id: Uuid | None = None
    error: Annotated[str | None, Field(description="Why the last tick made no run.")] = None


class CronWorkflowsList(Schema):
    rows: list[CronWorkflows]
    pagination: PaginationResponse


class CronWorkflowsOrderByField(StrEnum):
    NAME = "name"
    CREATED_AT = "createdAt"


class CronPreview(Schema):
    zone: str
    ticks: list[datetime]


class TriggerRunResult(Schema):
    external_id: Uuid


class ScheduleWorkflowRunRequest(Schema):
    input: dict[str, object] | None = None
    additional_metadata: dict[str, object] | None = None
    trigger_at: Instant
    priority: Priority = None


class UpdateScheduledWorkflowRunRequest(Schema):
    trigger_at: Instant


class ScheduledRunStatus(StrEnum):
    """Of one that has fired: the status of its run."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    QUEUED = "QUEUED"
    SCHEDULED = "SCHEDULED"


class ScheduledWorkflows(Schema):
    metadata: APIResourceMeta
    tenant_id: str
    workflow_version_id: str
    workflow_id: str
    workflow_name: str
    trigger_at: datetime
    input: JsonObject = None
    additional_metadata: JsonObject = None
    workflow_run_created_at: datetime | None = None
    workflow_run_status: ScheduledRunStatus | None = None
    workflow_run_id: Uuid | None = None
    method: Method
    priority: int | None = None
    error: Annotated[str | None, Field(description="Why it made no run.")] = None


class ScheduledWorkflowsList(Schema):
    rows: list[ScheduledWorkflows]
    pagination: PaginationResponse


class ScheduledWorkflowsOrderByField(StrEnum):
    TRIGGER_AT = "triggerAt"
    CREATED_AT = "createdAt"


class ScheduledWorkflowsBulkDeleteFilter(Schema):
    """All that is given must fit."""

    workflow_id: UUID | None = None
    parent_workflow_run_id: UUID | None = None
    parent_step_run_id: UUID | None = None
    additional_metadata: list[Text] | None = None


class ScheduledWorkflowsBulkDeleteRequest(Schema):
    """Either ids or a filter."""

    scheduled_workflow_run_ids: Annotated[
        list[UUID] | None, Field(min_length=1, max_length=BULK_MAX)
    ] = None
    filter: ScheduledWorkflowsBulkDeleteFilter | None = None


class ScheduledWorkflowsBulkError(Schema):
    id: Uuid | None = None
    error: str


class ScheduledWorkflowsBulkDeleteResponse(Schema):
    deleted_ids: list[Uuid]
    errors: list[ScheduledWorkflowsBulkError]


class ScheduledWorkflowsBulkUpdateItem(Schema):
    id: UUID
    trigger_at: Instant


class ScheduledWorkflowsBulkUpdateRequest(Schema):
    updates: Annotated[
        list[ScheduledWorkflowsBulkUpdateItem], Field(min_length=1, max_length=BULK_MAX)
    ]


class ScheduledWorkflowsBulkUpdateResponse(Schema):
    updated_ids: list[Uuid]
    errors: list[ScheduledWorkflowsBulkError]
