"""Keywords of the declarations on `Hatchet`, in one place for all their forms."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from hatchet.runnables.batch import batch_config
from hatchet.runnables.config import WorkflowConfig, check_call
from hatchet.runnables.forms import as_concurrency, as_labels, as_rate_limits
from hatchet.runnables.task import TaskOptions

if TYPE_CHECKING:
    from hatchet._core.durations import Duration
    from hatchet.conditions import Condition, OrGroup
    from hatchet.runnables.eviction import EvictionPolicy
    from hatchet.runnables.task import Task
    from hatchet.runnables.types import BatchConfig, DefaultFilter, TaskDefaults
    from hatchet.types.concurrency import ConcurrencyExpression
    from hatchet.types.idempotency import (
        StatusBasedIdempotencyConfig,
        TTLBasedIdempotencyConfig,
    )
    from hatchet.types.labels import DesiredWorkerLabel
    from hatchet.types.priority import Priority
    from hatchet.types.rate_limit import RateLimit
    from hatchet.types.sticky import StickyStrategy

__all__ = [
    "BatchKeywords",
    "BatchTaskKeywords",
    "DurableTaskKeywords",
    "TaskKeywords",
    "WorkflowKeywords",
]


class _Declared(TypedDict, total=False):
    """What every declaration takes, besides `name` and `input_validator`."""

    description: str | None
    on_events: list[str] | None
    on_crons: list[str] | None
    cron_input: Any
    version: str | None
    sticky: "StickyStrategy | None"
    default_priority: "Priority | int"
    concurrency: "int | ConcurrencyExpression | Sequence[ConcurrencyExpression] | None"
    default_filters: "list[DefaultFilter] | None"
    default_additional_metadata: dict[str, Any] | None
    idempotency: "TTLBasedIdempotencyConfig | StatusBasedIdempotencyConfig | None"


class _OfOneTask(TypedDict, total=False):
    schedule_timeout: "Duration | None"
    execution_timeout: "Duration | None"
    retries: int
    backoff_factor: float | None
    backoff_max_seconds: int | None
    rate_limits: "Sequence[RateLimit] | None"
    desired_worker_labels: "Sequence[DesiredWorkerLabel] | dict[str, DesiredWorkerLabel] | None"


class WorkflowKeywords(_Declared, total=False):
    """Keywords of `hatchet.workflow`; what they mean is said there."""

    task_defaults: "TaskDefaults | None"


class TaskKeywords(_Declared, _OfOneTask, total=False):
    """Keywords of `hatchet.task`; see `hatchet.workflow` and `workflow.task`."""

    slot_cost: "int | Mapping[str, int] | None"


class DurableTaskKeywords(_Declared, _OfOneTask, total=False):
    """Keywords of `hatchet.durable_task`; see `hatchet.workflow` and `workflow.task`."""

    eviction_policy: "EvictionPolicy | None"


class _OfBatch(TypedDict, total=False):
    batch_max_size: int
    batch_max_interval: "Duration | None"
    batch_group_key: str | None
    batch_group_max_runs: int | None


class BatchKeywords(_Declared, _OfOneTask, _OfBatch, total=False):
    """Keywords of `hatchet.batch_task`."""


class BatchTaskKeywords(_OfOneTask, _OfBatch, total=False):
    """Keywords of `workflow.batch_task`; see `hatchet.batch_task` and `workflow.task`."""

    parents: "Sequence[Task[Any, Any]] | None"
    concurrency: "int | ConcurrencyExpression | Sequence[ConcurrencyExpression] | None"
    wait_for: "Sequence[Condition | OrGroup] | None"
    skip_if: "Sequence[Condition | OrGroup] | None"
    cancel_if: "Sequence[Condition | OrGroup] | None"


_TASK_KEYS = (TaskKeywords.__optional_keys__ | DurableTaskKeywords.__optional_keys__) - (
    _Declared.__optional_keys__ - {"concurrency"}
)


def workflow_config(name: str, input_validator: Any, given: Mapping[str, Any]) -> WorkflowConfig:
    """The configuration of a workflow; None stands for the default."""
    said = {key: value for key, value in given.items() if value is not None}
    return WorkflowConfig(name=name, input_validator=input_validator, **said)


def check_keywords(what: str, kind: Any, given: Mapping[str, Any]) -> None:
    """Raise `TypeError` for a keyword that a kind of declaration does not have."""
    for key in given:
        if key not in kind.__optional_keys__:
            raise TypeError(f"{what}() got an unexpected keyword argument {key!r}")


def check_positional(what: str, given: Sequence[Any]) -> None:
    """Raise `TypeError` for anything given without its keyword, such as the function itself."""
    for value in given:
        check_call(what, value)
        raise TypeError(f"{what}() takes keywords only, such as name={value!r}")


def batch_options(given: Mapping[str, Any]) -> "tuple[dict[str, Any], BatchConfig]":
    """Keywords that are not about the batch, and what the others say."""
    batch = batch_config(
        given.get("batch_max_size", 1),
        given.get("batch_max_interval"),
        given.get("batch_group_key"),
        given.get("batch_group_max_runs"),
        given.get("broadcast_output", False),
    )
    keys = _OfBatch.__optional_keys__ | {"broadcast_output"}
    return {key: value for key, value in given.items() if key not in keys}, batch


def split(given: Mapping[str, Any]) -> tuple[dict[str, Any], TaskOptions]:
    """Keywords of a standalone task: those of its workflow, and those of the task itself."""
    task = {key: value for key, value in given.items() if key in _TASK_KEYS}
    task["rate_limits"] = as_rate_limits(task.get("rate_limits"))
    task["desired_worker_labels"] = as_labels(task.get("desired_worker_labels"))
    task["concurrency"] = as_concurrency(task.get("concurrency"))
    rest = {key: value for key, value in given.items() if key not in _TASK_KEYS}
    return rest, TaskOptions(**task)
