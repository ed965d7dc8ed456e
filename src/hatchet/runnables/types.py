"""Types of declarations."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NewType

from pydantic import BaseModel, Field

from hatchet._core.codec import EmptyModel
from hatchet._core.durations import Duration
from hatchet.types.priority import Priority

__all__ = [
    "BatchConfig",
    "BatchMemberId",
    "DefaultFilter",
    "EmptyModel",
    "StepType",
    "TaskDefaults",
]

BatchMemberId = NewType("BatchMemberId", str)


class StepType(StrEnum):
    DEFAULT = "default"
    ON_FAILURE = "on_failure"
    ON_SUCCESS = "on_success"


class TaskDefaults(BaseModel):
    """Defaults for the tasks of one workflow. A value given to a task wins."""

    schedule_timeout: Duration | None = None
    execution_timeout: Duration | None = None
    priority: int | Priority | None = Field(default=None, ge=1, le=3)
    retries: int | None = None
    backoff_factor: float | None = None
    backoff_max_seconds: int | None = None


class DefaultFilter(BaseModel):
    """An event filter that is created with the workflow. `expression` is CEL over the event."""

    expression: str
    scope: str
    payload: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BatchConfig:
    """How runs of a batch task are collected."""

    max_size: int
    max_interval_ms: int | None = None
    group_key: str | None = None
    group_max_runs: int | None = None
    broadcast_output: bool = False
