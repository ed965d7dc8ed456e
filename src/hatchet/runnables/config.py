"""What a workflow's declaration says."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from hatchet.runnables.forms import as_concurrency
from hatchet.runnables.types import DefaultFilter, TaskDefaults
from hatchet.types.priority import Priority

if TYPE_CHECKING:
    from hatchet.types.concurrency import ConcurrencyExpression
    from hatchet.types.idempotency import (
        StatusBasedIdempotencyConfig,
        TTLBasedIdempotencyConfig,
    )
    from hatchet.types.sticky import StickyStrategy

__all__ = ["WorkflowConfig"]

T = TypeVar("T")


@dataclass(kw_only=True)
class WorkflowConfig:
    name: str
    description: str | None = None
    input_validator: Any = None
    on_events: list[str] = field(default_factory=list)
    on_crons: list[str] = field(default_factory=list)
    cron_input: Any = None
    version: str | None = None
    sticky: "StickyStrategy | None" = None
    default_priority: Priority | int = Priority.LOW
    concurrency: "int | ConcurrencyExpression | Sequence[ConcurrencyExpression] | None" = None
    task_defaults: TaskDefaults = field(default_factory=TaskDefaults)
    default_filters: list[DefaultFilter] = field(default_factory=list)
    default_additional_metadata: dict[str, Any] = field(default_factory=dict)
    idempotency: "TTLBasedIdempotencyConfig | StatusBasedIdempotencyConfig | None" = None

    def __post_init__(self) -> None:
        self.on_events = as_keys("on_events", self.on_events)
        self.on_crons = as_keys("on_crons", self.on_crons)
        self.default_filters = list(self.default_filters)
        self.default_additional_metadata = dict(self.default_additional_metadata)
        if not self.name:
            raise ValueError("a workflow needs a name")
        if not 1 <= int(self.default_priority) <= 3:
            raise ValueError(f"default_priority must be 1, 2 or 3, not {self.default_priority}")
        as_concurrency(self.concurrency)  # a mistake shows here, not at the worker
        if not all(self.on_events):
            raise ValueError(f"workflow {self.name!r}: on_events has an empty key")


def as_keys(option: str, value: Sequence[str]) -> list[str]:
    """A list option; a single text, of which each letter would count, is a mistake."""
    if isinstance(value, str):
        raise TypeError(f"{option} takes a list: {option}=[{value!r}]")
    return list(value)


def as_list(option: str, value: Sequence[T] | None) -> list[T]:
    """A list option; a single thing that should stand in a list is a mistake."""
    if value is None:
        return []
    if not isinstance(value, Iterable):
        raise TypeError(f"{option} takes a list: {option}=[...]")
    return list(value)


def check_call(decorator: str, name: object) -> None:
    """Refuse a decorator without parentheses, which gets the function where a name belongs."""
    if callable(name):
        raise TypeError(f"write @{decorator}(), with parentheses")
