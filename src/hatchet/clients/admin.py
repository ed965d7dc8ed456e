"""Names that programs import from the official SDK's module of this name."""

from hatchet._core.chunks import ITEMS_PER_TRIGGER as MAX_BULK_WORKFLOW_RUN_BATCH_SIZE
from hatchet.features.models import RunStatus, TaskRunDetail, WorkflowRunDetail
from hatchet.types.trigger import (
    ScheduleTriggerWorkflowOptions,
    TriggerWorkflowOptions,
    WorkflowRunTriggerConfig,
)

__all__ = [
    "MAX_BULK_WORKFLOW_RUN_BATCH_SIZE",
    "RunStatus",
    "ScheduleTriggerWorkflowOptions",
    "TaskRunDetail",
    "TriggerWorkflowOptions",
    "WorkflowRunDetail",
    "WorkflowRunTriggerConfig",
]
