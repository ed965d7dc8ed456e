"""Conditions under which a task starts, is skipped or is cancelled.

    @flow.task(
        parents=[order],
        wait_for=[or_(SleepCondition(timedelta(hours=1)), UserEventCondition("order:paid"))],
        skip_if=[ParentCondition(order, "output.total == 0")],
    )
    async def ship(input: Order, ctx: Context) -> Parcel: ...

All conditions of a list must hold; of those joined by `or_` one is enough.
"""

import warnings
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from hatchet._core.durations import Duration, as_timedelta, timedelta_to_expr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hatchet.runnables.task import Task

__all__ = ["Condition", "OrGroup", "ParentCondition", "SleepCondition", "UserEventCondition", "or_"]


class Condition:
    """Common base: a name for the data of the condition, and the group in which it is an OR.

    `readable_data_key` is where `ctx.triggers` holds the data of a condition of `wait_for`.
    """

    readable_data_key: str
    or_group_id: str
    expression: str | None


class SleepCondition(Condition):
    """True when a time has passed since the task could have started (its parents have ended).

    `duration` is a `timedelta` or text such as `"10s"`. Raises `ValueError` unless it is positive.
    """

    def __init__(self, duration: Duration, readable_data_key: str | None = None) -> None:
        if as_timedelta(duration) <= timedelta(0):
            raise ValueError(f"SleepCondition: duration must be positive, not {duration}")
        self.duration = duration
        self.expression = None
        self.readable_data_key = readable_data_key or f"sleep:{timedelta_to_expr(duration)}"
        self.or_group_id = str(uuid4())


class UserEventCondition(Condition):
    """True when an event with this key arrives and the CEL expression over its `input` holds.

    With `scope`, only events pushed with that scope count. `consider_events_since` looks back at
    stored events and needs a scope; tasks of workflows never look back, only durable waits do.
    """

    def __init__(
        self,
        event_key: str,
        expression: str | None = None,
        readable_data_key: str | None = None,
        scope: str | None = None,
        consider_events_since: datetime | None = None,
    ) -> None:
        if not event_key:
            raise ValueError("UserEventCondition: event_key must not be empty")
        if consider_events_since is not None and scope is None:
            raise ValueError("consider_events_since needs a scope")
        self.event_key = event_key
        self.expression = expression
        self.readable_data_key = readable_data_key or event_key
        self.scope = scope
        self.consider_events_since = consider_events_since
        self.or_group_id = str(uuid4())


class ParentCondition(Condition):
    """True when a parent has completed and the CEL expression over its `output` holds.

    The parent must stand in `parents` of the task as well.
    """

    def __init__(
        self,
        parent: "Task[Any, Any]",
        expression: str | None = None,
        readable_data_key: str | None = None,
    ) -> None:
        self.parent = parent
        self.expression = expression
        # The same at every start of a worker, so that it does not look like a new version.
        name = parent.name + (f":{expression}" if expression else "")
        self.readable_data_key = readable_data_key or name
        self.has_own_key = readable_data_key is not None
        self.or_group_id = str(uuid4())


@dataclass
class OrGroup:
    """Conditions of which one is enough. Made by `or_`."""

    conditions: list[Condition]
    or_group_id: str = field(default_factory=lambda: str(uuid4()))


def or_(*conditions: Condition) -> OrGroup:
    """One of these conditions is enough: `wait_for=[or_(SleepCondition("1h"), ...)]`."""
    if not conditions:
        raise ValueError("or_() needs at least one condition")
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


def check_conditions(
    task_name: str,
    lists: "dict[str, list[Condition | OrGroup]]",
    parents: "Sequence[Task[Any, Any]]",
) -> None:
    """Refuse what the engine would refuse or never fulfil. `lists`: by name of the option.

    Raises `ValueError` for equal data keys and for strange parents, `TypeError` for other things
    than conditions.
    """
    keys: set[str] = set()
    for option, conditions in lists.items():
        for entry in conditions:
            for each in entry.conditions if isinstance(entry, OrGroup) else [entry]:
                _check_kind(f"task {task_name!r}: {option}", each)
        for condition, _ in flatten(conditions):
            if isinstance(condition, UserEventCondition) and condition.consider_events_since:
                warnings.warn(
                    f"task {task_name!r}: {option} has an event with consider_events_since, which "
                    "means nothing here: only durable waits look back",
                    stacklevel=2,
                )
            if isinstance(condition, ParentCondition):
                if condition.parent not in parents:
                    raise ValueError(
                        f"task {task_name!r}: {option} has a ParentCondition on "
                        f"{condition.parent.name!r}, which is not in its `parents`; add it there"
                    )
                if not condition.has_own_key:
                    continue  # parents are told apart by name; equal ones do no harm
            if condition.readable_data_key in keys:
                raise ValueError(
                    f"task {task_name!r}: two conditions have the readable_data_key "
                    f"{condition.readable_data_key!r}; give one of them its own"
                )
            keys.add(condition.readable_data_key)


def _check_kind(where: str, value: object) -> None:
    if not isinstance(value, Condition):
        raise TypeError(
            f"{where} holds {value!r}; it takes SleepCondition, UserEventCondition, "
            "ParentCondition and or_(...) of these"
        )
