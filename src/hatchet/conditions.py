"""Conditions under which a task starts, is skipped or is cancelled."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from hatchet._core.durations import Duration, timedelta_to_expr

if TYPE_CHECKING:
    from hatchet.runnables.task import Task

__all__ = ["Condition", "OrGroup", "ParentCondition", "SleepCondition", "UserEventCondition", "or_"]


class Condition:
    """Common base: a name for the data of the condition, and the group in which it is an OR."""

    readable_data_key: str
    or_group_id: str
    expression: str | None


class SleepCondition(Condition):
    """True when a time has passed since the task could have started."""

    def __init__(self, duration: Duration, readable_data_key: str | None = None) -> None:
        self.duration = duration
        self.expression = None
        self.readable_data_key = readable_data_key or f"sleep:{timedelta_to_expr(duration)}"
        self.or_group_id = str(uuid4())


class UserEventCondition(Condition):
    """True when an event with this key arrives and the CEL expression over it holds.

    With `scope`, only events pushed with that scope count; `consider_events_since` looks back at
    stored events and needs a scope.
    """

    def __init__(
        self,
        event_key: str,
        expression: str | None = None,
        readable_data_key: str | None = None,
        scope: str | None = None,
        consider_events_since: datetime | None = None,
    ) -> None:
        if consider_events_since is not None and scope is None:
            raise ValueError("consider_events_since needs a scope")
        self.event_key = event_key
        self.expression = expression
        self.readable_data_key = readable_data_key or event_key
        self.scope = scope
        self.consider_events_since = consider_events_since
        self.or_group_id = str(uuid4())


class ParentCondition(Condition):
    """True when a parent has completed and the CEL expression over its `output` holds."""

    def __init__(
        self,
        parent: "Task[Any, Any]",
        expression: str | None = None,
        readable_data_key: str | None = None,
    ) -> None:
        self.parent = parent
        self.expression = expression
        name = parent.name + (f":{expression}" if expression else "")
        self.readable_data_key = readable_data_key or f"{name}:{datetime.now(UTC).isoformat()}"
        self.or_group_id = str(uuid4())


@dataclass
class OrGroup:
    """Conditions of which one is enough. Made by `or_`."""

    conditions: list[Condition]
    or_group_id: str = field(default_factory=lambda: str(uuid4()))


def or_(*conditions: Condition) -> OrGroup:
    """One of these conditions is enough: `wait_for=[or_(SleepCondition("1h"), ...)]`."""
    return OrGroup(list(conditions))


def flatten(conditions: "list[Condition | OrGroup]") -> list[tuple[Condition, str]]:
    """Each condition with the id of its group."""
    flat: list[tuple[Condition, str]] = []
    for entry in conditions:
        if isinstance(entry, OrGroup):
            flat.extend((condition, entry.or_group_id) for condition in entry.conditions)
        else:
            flat.append((entry, entry.or_group_id))
    return flat
