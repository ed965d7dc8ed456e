"""What the REST API answers about crons and scheduled runs."""

from datetime import datetime
from enum import StrEnum

from hatchet.features.models import APIResourceMeta, JSONMapping, Model, PaginationResponse
from hatchet.types.cron import CatchUp, Overlap

__all__ = [
    "CronPreview",
    "CronWorkflows",
    "CronWorkflowsList",
    "CronWorkflowsMethod",
    "CronWorkflowsOrderByField",
    "ScheduledRunStatus",
    "ScheduledWorkflows",
    "ScheduledWorkflowsBulkDeleteResponse",
    "ScheduledWorkflowsBulkError",
    "ScheduledWorkflowsBulkUpdateItem",
    "ScheduledWorkflowsBulkUpdateResponse",
    "ScheduledWorkflowsList",
    "ScheduledWorkflowsMethod",
    "ScheduledWorkflowsOrderByField",
    "TriggerRunResult",
    "WorkflowRunOrderByDirection",
    "WorkflowRunStatus",
]


class WorkflowRunOrderByDirection(StrEnum):
    ASC = "ASC"
    DESC = "DESC"


class WorkflowRunStatus(StrEnum):
    """Status of the run that a schedule made."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    QUEUED = "QUEUED"
    BACKOFF = "BACKOFF"


class CronWorkflowsMethod(StrEnum):
    """`DEFAULT`: declared with `on_crons`; `API`: made by `create`."""

    DEFAULT = "DEFAULT"
    API = "API"


class CronWorkflowsOrderByField(StrEnum):
    NAME = "name"
    CREATEDAT = "createdAt"


class CronWorkflows(Model):
    """A cron. `error` says why its last tick made no run; `next_run_at` None: it has ended, is
    disabled, or waits for the end of the run before (`waiting`)."""

    metadata: APIResourceMeta
    tenant_id: str
    workflow_version_id: str
    workflow_id: str
    workflow_name: str
    cron: str
    name: str | None = None
    input: JSONMapping | None = None
    additional_metadata: JSONMapping | None = None
    enabled: bool
    method: CronWorkflowsMethod
    priority: int | None = None
    zone: str = "UTC"
    catch_up: CatchUp = CatchUp.SKIP
    catch_up_max: int | None = None
    overlap: Overlap = Overlap.ALLOW
    jitter_ms: int = 0
    start_at: datetime | None = None
    end_at: datetime | None = None
    next_run_at: datetime | None = None
    waiting: bool = False
    last_tick_at: datetime | None = None
    last_run_id: str | None = None
    error: str | None = None


class CronWorkflowsList(Model):
    rows: list[CronWorkflows] | None = None
    pagination: PaginationResponse | None = None


class CronPreview(Model):
    zone: str
    ticks: list[datetime]


class TriggerRunResult(Model):
    external_id: str


class ScheduledWorkflowsMethod(StrEnum):
    """`DEFAULT`: made by `workflow.schedule`; `API`: made by `create`."""

    DEFAULT = "DEFAULT"
    API = "API"


class ScheduledWorkflowsOrderByField(StrEnum):
    TRIGGERAT = "triggerAt"
    CREATEDAT = "createdAt"


class ScheduledRunStatus(StrEnum):
    """`SCHEDULED`: still to come; else the status of the run."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    QUEUED = "QUEUED"
    SCHEDULED = "SCHEDULED"


class ScheduledWorkflows(Model):
    """A scheduled run. `workflow_run_id` and `workflow_run_status` are there once it has fired;
    `error` says why it made no run."""

    metadata: APIResourceMeta
    tenant_id: str
    workflow_version_id: str
    workflow_id: str
    workflow_name: str
    trigger_at: datetime
    input: JSONMapping | None = None
    additional_metadata: JSONMapping | None = None
    workflow_run_created_at: datetime | None = None
    workflow_run_name: str | None = None
    workflow_run_status: WorkflowRunStatus | None = None
    workflow_run_id: str | None = None
    method: ScheduledWorkflowsMethod
    priority: int | None = None
    error: str | None = None


class ScheduledWorkflowsList(Model):
    rows: list[ScheduledWorkflows] | None = None
    pagination: PaginationResponse | None = None


class ScheduledWorkflowsBulkError(Model):
    id: str | None = None
    error: str


class ScheduledWorkflowsBulkDeleteResponse(Model):
    deleted_ids: list[str]
    errors: list[ScheduledWorkflowsBulkError]


class ScheduledWorkflowsBulkUpdateItem(Model):
    id: str
    trigger_at: datetime


class ScheduledWorkflowsBulkUpdateResponse(Model):
    updated_ids: list[str]
    errors: list[ScheduledWorkflowsBulkError]
