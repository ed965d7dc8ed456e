"""Options of a run. Plain classes: a bulk of 100,000 items builds one for each item."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from hatchet.types.labels import DesiredWorkerLabel

__all__ = [
    "BulkPushEventOptions",
    "BulkPushEventWithMetadata",
    "ItemOptions",
    "PushEventOptions",
    "RunOptions",
    "ScheduleTriggerWorkflowOptions",
    "TriggerWorkflowOptions",
    "WorkflowRunTriggerConfig",
]

JSONMapping = dict[str, Any]


class ItemOptions(TypedDict, total=False):
    """Keywords of `create_bulk_run_item`, besides its `key`."""

    child_key: str | None
    additional_metadata: JSONMapping | None
    priority: int | None
    sticky: bool
    desired_worker_id: str | None
    desired_worker_labels: "list[DesiredWorkerLabel] | None"


class RunOptions(ItemOptions, total=False):
    """Keywords of every run method. `key` is the same as `child_key`."""

    key: str | None


@dataclass(kw_only=True, slots=True)
class ScheduleTriggerWorkflowOptions:
    """Options of a scheduled run."""

    parent_id: str | None = None
    parent_step_run_id: str | None = None
    child_index: int | None = None
    child_key: str | None = None
    namespace: str | None = None
    additional_metadata: JSONMapping = field(default_factory=dict)
    priority: int | None = None


@dataclass(kw_only=True, slots=True)
class TriggerWorkflowOptions(ScheduleTriggerWorkflowOptions):
    """Options of a run.

    - `child_key`: names a child run of the running task, so that a retried attempt finds it again
    - `additional_metadata`: searchable data; a child inherits that of its parent
    - `priority`: 1 (low) to 3 (high); default: the workflow's
    - `sticky`: run the child on the worker of the running task
    - `desired_worker_id`, `desired_worker_label`: which worker should run it
    """

    desired_worker_id: str | None = None
    sticky: bool = False
    key: str | None = None
    desired_worker_label: "list[DesiredWorkerLabel] | dict[str, DesiredWorkerLabel] | None" = None


@dataclass(slots=True)
class WorkflowRunTriggerConfig:
    """One item of a bulk: made by `create_bulk_run_item`."""

    workflow_name: str
    input: str | None
    options: TriggerWorkflowOptions
    key: str | None = None
    default_metadata: JSONMapping = field(default_factory=dict)  # that workflow's, for each run


@dataclass(kw_only=True, slots=True)
class PushEventOptions:
    """Options of an event. `namespace` replaces that of the client for this event."""

    additional_metadata: JSONMapping = field(default_factory=dict)
    namespace: str | None = None
    priority: int | None = None
    scope: str | None = None


@dataclass(kw_only=True, slots=True)
class BulkPushEventWithMetadata:
    """One event for `bulk_push`. `payload` is a dict, a pydantic model or a dataclass."""

    key: str = ""
    payload: Any = field(default_factory=dict)
    additional_metadata: JSONMapping = field(default_factory=dict)
    priority: int | None = None
    scope: str | None = None


@dataclass(kw_only=True, slots=True)
class BulkPushEventOptions(BulkPushEventWithMetadata):
    """Options of a whole `bulk_push`: only `namespace` is used."""

    namespace: str | None = None
