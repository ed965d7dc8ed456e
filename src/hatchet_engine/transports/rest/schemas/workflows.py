"""Workflows and their versions."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from hatchet_engine.transports.rest.responses import JsonObject
from hatchet_engine.transports.rest.schemas.common import (
    APIResourceMeta,
    PaginationResponse,
    Schema,
    Uuid,
)


class WorkflowTriggerCronRef(Schema):
    parent_id: str | None = Field(None, alias="parent_id")
    cron: str | None = None


class WorkflowTriggerEventRef(Schema):
    parent_id: str | None = Field(None, alias="parent_id")
    event_key: str | None = Field(None, alias="event_key")


class WorkflowTriggers(Schema):
    metadata: APIResourceMeta | None = None
    workflow_version_id: str | None = Field(None, alias="workflow_version_id")
    tenant_id: str | None = Field(None, alias="tenant_id")
    events: list[WorkflowTriggerEventRef] | None = None
    crons: list[WorkflowTriggerCronRef] | None = None


class WhilePaused(StrEnum):
    """What becomes of runs that crons and schedules would make."""

    DROP = "DROP"
    QUEUE = "QUEUE"


class Workflow(Schema):
    metadata: APIResourceMeta
    name: str
    description: str | None = None
    is_paused: bool | None = None
    paused_workflow_cron_run_queue_behavior: WhilePaused | None = None
    paused_workflow_scheduled_run_queue_behavior: WhilePaused | None = None
    versions: list[WorkflowVersionMeta] | None = None
    tenant_id: Uuid
    triggers: WorkflowTriggers | None = None


class WorkflowVersionMeta(Schema):
    metadata: APIResourceMeta
    version: str
    order: int
    workflow_id: Uuid


class WorkflowList(Schema):
    rows: list[Workflow]
    pagination: PaginationResponse


class ConcurrencyScope(StrEnum):
    WORKFLOW = "WORKFLOW"
    TASK = "TASK"


class ConcurrencyLimitStrategy(StrEnum):
    """The names that official clients accept."""

    CANCEL_IN_PROGRESS = "CANCEL_IN_PROGRESS"
    DROP_NEWEST = "DROP_NEWEST"
    QUEUE_NEWEST = "QUEUE_NEWEST"
    GROUP_ROUND_ROBIN = "GROUP_ROUND_ROBIN"


class ConcurrencySetting(Schema):
    max_runs: int = Field(description="Places of a key; 1 if an expression tells.")
    limit_strategy: ConcurrencyLimitStrategy = Field(
        description="The nearest of the official API's names; `strategy` has the true one."
    )
    expression: str
    step_readable_id: str | None = None
    scope: ConcurrencyScope
    # Ours; official clients skip them.
    strategy: str = Field(
        description="GROUP_ROUND_ROBIN, CANCEL_IN_PROGRESS, CANCEL_NEWEST, "
        "CANCEL_QUEUED_EXCEPT_NEWEST or CANCEL_QUEUED_EXCEPT_OLDEST."
    )
    max_runs_expression: str | None = Field(None, description="Places of a key, of each run.")
    name: str | None = Field(None, description="Of a rule that workflows share.")
    tenant_scoped: bool = Field(description="Whether workflows share it.")


class WorkflowVersion(Schema):
    metadata: APIResourceMeta
    version: str
    order: int
    workflow_id: Uuid
    sticky: str | None = None
    default_priority: int | None = None
    workflow: Workflow | None = None
    triggers: WorkflowTriggers | None = None
    schedule_timeout: str | None = None
    workflow_config: JsonObject = None
    v1_concurrency: list[ConcurrencySetting] | None = Field(None, alias="v1Concurrency")
    input_json_schema: JsonObject = None


class PauseWorkflowRequestPause(Schema):
    action: Literal["pause"]
    paused_workflow_cron_run_queue_behavior: WhilePaused
    paused_workflow_scheduled_run_queue_behavior: WhilePaused
    # A duration such as 30m: what waits longer is cancelled.
    paused_workflow_queue_ttl: str = Field(alias="pausedWorkflowQueueTTL")


class PauseWorkflowRequestUnpause(Schema):
    action: Literal["unpause"]


class WorkflowUpdateRequest(Schema):
    pause: Annotated[
        PauseWorkflowRequestPause | PauseWorkflowRequestUnpause, Field(discriminator="action")
    ]
