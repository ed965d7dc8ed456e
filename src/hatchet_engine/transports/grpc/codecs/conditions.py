"""Conditions of a task: parent overrides, sleeps and user events (B5.4).

Tasks never look back: ``consider_events_since`` means something in durable waits only.
"""

from __future__ import annotations

from hatchet_engine.domain.definition import Condition
from hatchet_engine.domain.errors import invalid
from hatchet_protocol.v1_condition import Action, BaseMatchCondition, TaskConditions

NO_GROUP = ("", "00000000-0000-0000-0000-000000000000")


def task_conditions(conditions: TaskConditions) -> list[Condition]:
    """All conditions in a fixed order; ungrouped ones get a group of their own."""
    found = []
    for override in conditions.parent_override_conditions:
        if not override.parent_readable_id:
            raise invalid(
                "conditions: a parent override needs parent_readable_id, the name of a parent",
                field="conditions",
            )
        condition = _condition("parent", override.base)
        condition.parent = override.parent_readable_id
        condition.data_key = condition.data_key or override.parent_readable_id
        found.append(condition)
    for sleep in conditions.sleep_conditions:
        if not sleep.sleep_for:
            raise invalid("conditions: a sleep needs sleep_for, a duration", field="conditions")
        condition = _condition("sleep", sleep.base)
        condition.sleep = sleep.sleep_for
        found.append(condition)
    for event in conditions.user_event_conditions:
        if not event.user_event_key:
            raise invalid("conditions: an event needs user_event_key", field="conditions")
        condition = _condition("event", event.base)
        condition.event_key = event.user_event_key
        condition.event_scope = event.event_scope or None
        found.append(condition)
    for position, condition in enumerate(found):
        if condition.or_group in NO_GROUP:
            condition.or_group = f"own {position}"
    return found


def _condition(kind: str, base: BaseMatchCondition) -> Condition:
    try:
        action = Action(base.action).name
    except ValueError:
        action = str(base.action)
    return Condition(kind, action, base.readable_data_key, base.or_group_id, base.expression)
