"""Runs, tasks and their events."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from hatchet_engine.observe.reasons import Reason
from hatchet_engine.transports.rest.parameters import PAIRS_MAX, BodyIds, Instant, Text
from hatchet_engine.transports.rest.responses import JsonObject
from hatchet_engine.transports.rest.schemas.common import (
    APIResourceMeta,
    PaginationResponse,
    Schema,
    Uuid,
)

REASON_LENGTH_MAX = 1_000


class V1TaskStatus(StrEnum):
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


class V1RunningFilter(StrEnum):
    ALL = "ALL"
    EVICTED = "EVICTED"
    ON_WORKER = "ON_WORKER"


class V1AdditionalMetadataOperator(StrEnum):
    OR = "OR"
    AND = "AND"


class V1WorkflowType(StrEnum):
    DAG = "DAG"
    TASK = "TASK"


class V1TaskEventType(StrEnum):
    """Clients refuse any other name."""

    REQUEUED_NO_WORKER = "REQUEUED_NO_WORKER"
    REQUEUED_RATE_LIMIT = "REQUEUED_RATE_LIMIT"
    SCHEDULING_TIMED_OUT = "SCHEDULING_TIMED_OUT"
    ASSIGNED = "ASSIGNED"
    STARTED = "STARTED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    RETRYING = "RETRYING"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"
    REASSIGNED = "REASSIGNED"
    SLOT_RELEASED = "SLOT_RELEASED"
    TIMEOUT_REFRESHED = "TIMEOUT_REFRESHED"
    RETRIED_BY_USER = "RETRIED_BY_USER"
    SENT_TO_WORKER = "SENT_TO_WORKER"
    RATE_LIMIT_ERROR = "RATE_LIMIT_ERROR"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    CREATED = "CREATED"
    QUEUED = "QUEUED"
    SKIPPED = "SKIPPED"
    WAITING_FOR_BATCH = "WAITING_FOR_BATCH"
    BATCH_FLUSHED = "BATCH_FLUSHED"
    COULD_NOT_SEND_TO_WORKER = "COULD_NOT_SEND_TO_WORKER"
    DURABLE_EVICTED = "DURABLE_EVICTED"
    DURABLE_RESTORING = "DURABLE_RESTORING"


class V1TaskParent(Schema):
    """Ours: a task of the run that a task comes after."""

    task_external_id: Uuid
    task_name: str
    status: V1TaskStatus
    is_skipped: bool


class V1TaskWait(Schema):
    """Ours: what a task waits for: a time, an event, or (then there is a reason) to be let on."""

    reason: Reason | None = None
    key: str | None = None  # of the concurrency rule or rate limit
    due_at: datetime | None = None
    event_key: str | None = None
    scope: str | None = None
    met: bool


class V1TaskSummary(Schema):
    metadata: APIResourceMeta
    action_id: str | None = None
    retry_count: int | None = None
    attempt: int | None = None
    additional_metadata: JsonObject = None
    children: list[V1TaskSummary] | None = None
    created_at: datetime
    display_name: str
    duration: int | None = None  # milliseconds
    is_durable: bool | None = None
    error_message: str | None = None
    finished_at: datetime | None = None
    input: JsonObject
    num_spawned_children: int
    output: JsonObject
    status: V1TaskStatus
    is_evicted: bool | None = None
    started_at: datetime | None = None
    step_id: Uuid | None = None
    task_external_id: Uuid
    task_id: int
    task_inserted_at: datetime
    tenant_id: Uuid
    type: V1WorkflowType
    workflow_id: Uuid
    workflow_name: str | None = None
    workflow_run_external_id: Uuid
    workflow_version_id: Uuid | None = None
    workflow_config: JsonObject = None
    parent_task_external_id: Uuid | None = None
    idempotency_key: str | None = None
    is_skipped: bool | None = None  # ours: completed without having run
    parents: list[V1TaskParent] | None = None
    waits_for: list[V1TaskWait] | None = None


class V1TaskSummaryList(Schema):
    pagination: PaginationResponse
    rows: list[V1TaskSummary]


class V1WorkflowRun(Schema):
    metadata: APIResourceMeta
    status: V1TaskStatus
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration: int | None = None  # milliseconds
    tenant_id: Uuid
    additional_metadata: JsonObject = None
    display_name: str
    workflow_id: Uuid
    output: JsonObject
    error_message: str | None = None
    workflow_version_id: Uuid | None = None
    input: JsonObject
    created_at: datetime | None = None
    parent_task_external_id: Uuid | None = None


class V1TaskEvent(Schema):
    id: int
    task_id: Uuid
    timestamp: datetime
    event_type: V1TaskEventType
    message: str
    error_message: str | None = None
    output: str | None = None  # JSON text
    worker_id: Uuid | None = None
    task_display_name: str | None = None
    retry_count: int | None = None
    attempt: int | None = None


class V1TaskEventList(Schema):
    pagination: PaginationResponse
    rows: list[V1TaskEvent]


class WorkflowRunShapeItemForWorkflowRunDetails(Schema):
    task_external_id: Uuid
    step_id: Uuid
    children_step_ids: list[Uuid]
    task_name: str


class V1WorkflowRunDetails(Schema):
    run: V1WorkflowRun
    task_events: list[V1TaskEvent]
    shape: list[WorkflowRunShapeItemForWorkflowRunDetails]
    tasks: list[V1TaskSummary]
    workflow_config: JsonObject = None


class V1TaskTiming(Schema):
    metadata: APIResourceMeta
    depth: int
    status: V1TaskStatus
    task_display_name: str
    task_external_id: Uuid
    task_id: int
    task_inserted_at: datetime
    tenant_id: Uuid
    parent_task_external_id: Uuid | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    workflow_run_id: Uuid | None = None
    retry_count: int | None = None
    attempt: int | None = None


class V1TaskTimingList(Schema):
    pagination: PaginationResponse
    rows: list[V1TaskTiming]


class V1DagChildren(Schema):
    dag_id: Uuid | None = None
    children: list[V1TaskSummary] | None = None


class RerunRequest(Schema):
    """Ours. What is left out is taken from the run; metadata is added to the run's."""

    input: dict[str, object] | None = None
    additional_metadata: dict[str, object] | None = None
    priority: int | None = None  # 1..3


class V1TriggerWorkflowRunRequest(Schema):
    workflow_name: Text
    input: dict[str, object]
    additional_metadata: dict[str, object] | None = None
    priority: int | None = None  # 1..3
    return_only_id: bool | None = Field(None, alias="return_only_id")


class V1WorkflowRunDisplayName(Schema):
    metadata: APIResourceMeta
    display_name: str


class V1WorkflowRunDisplayNameList(Schema):
    pagination: PaginationResponse
    rows: list[V1WorkflowRunDisplayName]


class V1WorkflowRunCount(Schema):
    count: int


class V1TaskFilter(Schema):
    since: Instant
    until: Instant | None = None
    statuses: list[V1TaskStatus] | None = None
    workflow_ids: BodyIds = None
    additional_metadata: Annotated[list[Text] | None, Field(max_length=PAIRS_MAX)] = None


class V1CancelTaskRequest(Schema):
    """Ids of runs or tasks, or a filter; not both."""

    external_ids: BodyIds = None
    filter: V1TaskFilter | None = None
    include_children: bool = False  # ours: also the runs that they have spawned, and theirs


class V1ReplayTaskRequest(Schema):
    """Ids of runs or tasks, or a filter; not both."""

    external_ids: BodyIds = None
    filter: V1TaskFilter | None = None


class BulkOperationKind(StrEnum):
    CANCEL = "CANCEL"
    REPLAY = "REPLAY"


class BulkOperation(Schema):
    """Ours: cancelling or replaying many runs, in steps."""

    id: Uuid
    kind: BulkOperationKind
    filter: V1TaskFilter
    include_children: bool = False
    reason: str | None = None  # of the runs that it cancels
    total: int  # runs selected when it began
    done: int  # of them looked at
    changed: int  # tasks cancelled or queued again
    created_at: datetime
    finished_at: datetime | None = None
    error: str | None = None  # why it was given up; what it had done by then stays


class BulkOperationList(Schema):
    pagination: PaginationResponse
    rows: list[BulkOperation]


class BulkOperationRequest(Schema):
    kind: BulkOperationKind
    filter: V1TaskFilter
    include_children: bool = False  # CANCEL only: also the runs that they have spawned, and theirs
    # Each run that is cancelled keeps it.
    reason: Annotated[Text | None, Field(max_length=REASON_LENGTH_MAX)] = None


class V1CancelledTasks(Schema):
    ids: list[Uuid]
    bulk_operation: BulkOperation | None = None  # ours: too many for one call; ids is empty then


class V1ReplayedTasks(Schema):
    ids: list[Uuid]
    bulk_operation: BulkOperation | None = None


class V1RestoreTaskResponse(Schema):
    requeued: bool
