"""What the REST API answers about events, filters and expressions."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from hatchet.features.models import APIResourceMeta, JSONMapping, Model, PaginationResponse


class V1EventWorkflowRunSummary(Model):
    """How many runs an event has started, by their present status."""

    running: int
    queued: int
    succeeded: int
    failed: int
    cancelled: int


class V1EventTriggeredRun(Model):
    workflow_run_id: str
    filter_id: str | None = None


class V1Event(Model):
    metadata: APIResourceMeta
    key: str
    tenant_id: str
    workflow_run_summary: V1EventWorkflowRunSummary
    additional_metadata: JSONMapping | None = None
    payload: JSONMapping | None = None
    payloads_restricted: bool | None = None
    scope: str | None = None
    seen_at: datetime | None = None
    triggered_runs: list[V1EventTriggeredRun] | None = None
    triggering_webhook_name: str | None = None


class V1EventList(Model):
    pagination: PaginationResponse | None = None
    rows: list[V1Event] | None = None


class V1Filter(Model):
    """Which events start a workflow: those with this scope for which the expression holds."""

    metadata: APIResourceMeta
    tenant_id: str
    workflow_id: str
    scope: str
    expression: str
    payload: JSONMapping
    is_declarative: bool | None = None


class V1FilterList(Model):
    pagination: PaginationResponse | None = None
    rows: list[V1Filter] | None = None


class V1UpdateFilterRequest(Model):
    """Changes of a filter; what is None stays."""

    expression: str | None = None
    scope: str | None = None
    payload: JSONMapping | None = None


class CELSuccess(BaseModel):
    status: Literal["success"] = "success"
    output: bool


class CELFailure(BaseModel):
    status: Literal["failure"] = "failure"
    error: str


class CELEvaluationResult(BaseModel):
    """What an expression gave, or why it gave nothing."""

    result: CELSuccess | CELFailure = Field(discriminator="status")
