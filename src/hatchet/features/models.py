"""What the REST API answers, as light pydantic models.

Fields are snake_case here and camelCase in JSON. Unknown fields are kept out, missing optional
ones are None, so a newer server never breaks an older client.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

JSONMapping = dict[str, Any]


class V1TaskStatus(StrEnum):
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


class RunStatus(StrEnum):
    """Status of a run; the same words as `V1TaskStatus`."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"

    @staticmethod
    def from_v1_task_status(status: V1TaskStatus) -> "RunStatus":
        return RunStatus(status.value)

    @staticmethod
    def from_proto(number: int) -> "RunStatus":
        """From the number on the wire. A run that was evicted counts as running."""
        names = ("QUEUED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED", "RUNNING")
        return RunStatus(names[number])

    def to_v1_task_status(self) -> V1TaskStatus:
        return V1TaskStatus(self.value)


class V1WorkflowType(StrEnum):
    DAG = "DAG"
    TASK = "TASK"


class LogLineLevel(StrEnum):
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


class WorkerStatus(StrEnum):
    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    PAUSED = "PAUSED"


class Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, defer_build=True)


class APIResourceMeta(Model):
    id: str
    created_at: datetime
    updated_at: datetime


class PaginationResponse(BaseModel):
    current_page: int | None = None
    next_page: int | None = None
    num_pages: int | None = None


class V1TaskSummary(Model):
    metadata: APIResourceMeta
    task_external_id: str
    workflow_run_external_id: str
    task_id: int
    tenant_id: str
    workflow_id: str
    display_name: str
    status: V1TaskStatus
    type: V1WorkflowType | str
    created_at: datetime
    task_inserted_at: datetime
    num_spawned_children: int
    input: JSONMapping
    output: JSONMapping
    action_id: str | None = None
    additional_metadata: JSONMapping | None = None
    attempt: int | None = None
    children: list["V1TaskSummary"] | None = None
    duration: int | None = None
    error_message: str | None = None
    finished_at: datetime | None = None
    idempotency_key: str | None = None
    is_durable: bool | None = None
    is_evicted: bool | None = None
    parent_task_external_id: str | None = None
    payloads_restricted: bool | None = None
    retry_count: int | None = None
    started_at: datetime | None = None
    step_id: str | None = None
    workflow_config: JSONMapping | None = None
    workflow_name: str | None = None
    workflow_version_id: str | None = None


class V1TaskSummaryList(Model):
    pagination: PaginationResponse
    rows: list[V1TaskSummary]


class V1WorkflowRun(Model):
    metadata: APIResourceMeta
    status: V1TaskStatus
    tenant_id: str
    display_name: str
    workflow_id: str
    input: JSONMapping
    output: JSONMapping
    additional_metadata: JSONMapping | None = None
    created_at: datetime | None = None
    duration: int | None = None
    error_message: str | None = None
    finished_at: datetime | None = None
    parent_task_external_id: str | None = None
    payloads_restricted: bool | None = None
    started_at: datetime | None = None
    workflow_version_id: str | None = None


class V1TaskEvent(Model):
    id: int
    task_id: str
    timestamp: datetime
    event_type: str
    message: str
    attempt: int | None = None
    error_message: str | None = None
    output: str | None = None
    retry_count: int | None = None
    task_display_name: str | None = None
    worker_id: str | None = None


class WorkflowRunShapeItemForWorkflowRunDetails(Model):
    task_external_id: str
    step_id: str
    children_step_ids: list[str]
    task_name: str


class V1WorkflowRunDetails(Model):
    run: V1WorkflowRun
    task_events: list[V1TaskEvent]
    shape: list[WorkflowRunShapeItemForWorkflowRunDetails]
    tasks: list[V1TaskSummary]
    workflow_config: JSONMapping | None = None


class V1LogLine(Model):
    created_at: datetime
    message: str
    metadata: JSONMapping
    attempt: int | None = None
    level: LogLineLevel | None = None
    retry_count: int | None = None
    task_display_name: str | None = None
    task_external_id: str | None = None


class V1LogLineList(Model):
    pagination: PaginationResponse | None = None
    rows: list[V1LogLine] | None = None


class WorkflowVersionMeta(Model):
    metadata: APIResourceMeta
    version: str
    order: int
    workflow_id: str


class Workflow(Model):
    metadata: APIResourceMeta
    name: str
    tenant_id: str | None = None
    description: str | None = None
    is_paused: bool | None = None
    paused_workflow_cron_run_queue_behavior: str | None = None
    paused_workflow_scheduled_run_queue_behavior: str | None = None
    versions: list[WorkflowVersionMeta] | None = None
    tags: list[JSONMapping] | None = None
    jobs: list[JSONMapping] | None = None
    triggers: JSONMapping | None = None


class WorkflowList(Model):
    rows: list[Workflow] | None = None
    pagination: PaginationResponse | None = None


class ConcurrencySetting(Model):
    """A concurrency rule of a workflow, or of one task of it (`step_readable_id`).

    `strategy` is a value of `ConcurrencyLimitStrategy`. `limit_strategy` is the nearest name of the
    official API, which knows fewer of them, and all there is from an official engine. `max_runs` is
    1 where `max_runs_expression` tells how many places a key has. `name`: of a rule that workflows
    share (`tenant_scoped`).
    """

    max_runs: int
    limit_strategy: str
    expression: str
    step_readable_id: str | None = None
    scope: str
    strategy: str | None = None
    max_runs_expression: str | None = None
    name: str | None = None
    tenant_scoped: bool = False


class WorkflowVersion(Model):
    metadata: APIResourceMeta
    version: str
    order: int
    workflow_id: str
    default_priority: int | None = None
    input_json_schema: JSONMapping | None = None
    schedule_timeout: str | None = None
    sticky: str | None = None
    triggers: JSONMapping | None = None
    v1_concurrency: list[ConcurrencySetting] | None = Field(default=None, alias="v1Concurrency")
    workflow: Workflow | None = None
    workflow_config: JSONMapping | None = None


class WorkerSlotConfig(Model):
    limit: int
    available: int | None = None


class WorkerRuntimeInfo(Model):
    sdk_version: str | None = None
    language: str | None = None
    language_version: str | None = None
    os: str | None = None
    runtime_extra: str | None = None


class WorkerLabel(Model):
    metadata: APIResourceMeta
    key: str
    value: str | None = None


class RegisteredWorkflow(Model):
    id: str
    name: str


class Worker(Model):
    metadata: APIResourceMeta
    name: str
    type: str
    actions: list[str] | None = None
    dispatcher_id: str | None = None
    labels: list[WorkerLabel] | None = None
    last_heartbeat_at: datetime | None = None
    last_listener_established: datetime | None = None
    recent_step_runs: list[JSONMapping] | None = None
    registered_workflows: list[RegisteredWorkflow] | None = None
    runtime_info: WorkerRuntimeInfo | None = None
    slot_config: dict[str, WorkerSlotConfig] | None = None
    slots: list[JSONMapping] | None = None
    status: WorkerStatus | str | None = None


class WorkerList(Model):
    pagination: PaginationResponse | None = None
    rows: list[Worker] | None = None


class UpdateWorkerRequest(Model):
    is_paused: bool | None = None


class TaskRunDetail(BaseModel):
    """One task of a run, as `runs.get_details` gives it."""

    external_id: str
    readable_id: str
    status: V1TaskStatus
    output: JSONMapping | None = None
    error: str | None = None
    is_evicted: bool = False


class WorkflowRunDetail(BaseModel):
    """A run with the state of its tasks, by task name. `done`: nothing can change any more."""

    external_id: str
    status: RunStatus
    input: JSONMapping | None = None
    additional_metadata: JSONMapping | None = None
    task_runs: dict[str, TaskRunDetail]
    done: bool = False


class RunFilter(BaseModel):
    """Which runs a bulk cancel or replay means."""

    since: datetime
    until: datetime | None = None
    statuses: list[V1TaskStatus] | None = None
    workflow_ids: list[str] | None = None
    additional_metadata: dict[str, str] | None = None


class BulkCancelReplayOpts(BaseModel):
    """Runs for a bulk cancel or replay: `ids` or `filters`, exactly one of them."""

    ids: list[str] | None = None
    filters: RunFilter | None = None

    @model_validator(mode="after")
    def _check(self) -> "BulkCancelReplayOpts":
        if (self.ids is None) == (self.filters is None):
            raise ValueError("give either ids or filters")
        return self

    def to_body(self) -> JSONMapping:
        """The request body."""
        if self.filters is None:
            return {"externalIds": self.ids}
        filters = self.filters
        body: JSONMapping = {"since": filters.since}
        if filters.until is not None:
            body["until"] = filters.until
        if filters.statuses:
            body["statuses"] = filters.statuses
        if filters.workflow_ids:
            body["workflowIds"] = filters.workflow_ids
        if filters.additional_metadata:
            pairs = filters.additional_metadata.items()
            body["additionalMetadata"] = [f"{key}:{value}" for key, value in pairs]
        return {"filter": body}
