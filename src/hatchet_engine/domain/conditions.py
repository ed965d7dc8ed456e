"""What the conditions of a task decide (DAG-9 to DAG-17; section 3.5, column "ours").

Conditions of one action form or-groups: a group is met when one of its conditions is, and an action
fires when all of its groups are met. CANCEL goes before SKIP, SKIP before QUEUE.

A parent condition is judged once, when all parents are done. Times and events come later: as long
as they can still change something they are *open*, and the task waits for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from hatchet_engine.domain.definition import Condition

QUEUE, SKIP, CANCEL = "QUEUE", "SKIP", "CANCEL"


class Standing(Enum):
    """Where one condition stands."""

    MET = "met"
    OPEN = "open"  # a time or an event that may still come
    NEVER = "never"  # a parent condition that is false


class Verdict(Enum):
    READY = "ready"
    WAIT = "wait"
    SKIP = "skip"
    CANCEL = "cancel"
    IMPOSSIBLE = "impossible"  # wait_for can't be met any more


@dataclass(slots=True)
class Decision:
    """``watch``: positions of the conditions to go on watching. A task that is ready keeps watching
    its ``cancel_if`` until it starts."""

    verdict: Verdict
    watch: list[int] = field(default_factory=list)


def judge(conditions: Sequence[Condition], standings: Sequence[Standing]) -> Decision:
    """Decide about a task whose parents are done.

    >>> go = Condition(kind="event", action="QUEUE", data_key="go", or_group="0", event_key="go")
    >>> judge([go], [Standing.OPEN])
    Decision(verdict=<Verdict.WAIT: 'wait'>, watch=[0])
    """
    actions = {action: _Action(conditions, standings, action) for action in (QUEUE, SKIP, CANCEL)}
    if actions[CANCEL].fires:
        return Decision(Verdict.CANCEL)
    if actions[SKIP].fires:
        return Decision(Verdict.SKIP)
    queue = actions[QUEUE]
    if not queue.groups or queue.fires:
        return Decision(Verdict.READY, actions[CANCEL].open)
    if not queue.possible:
        return Decision(Verdict.IMPOSSIBLE)
    return Decision(Verdict.WAIT, sorted(queue.open + actions[SKIP].open + actions[CANCEL].open))


def resume(conditions: Sequence[Condition], watched: Mapping[int, bool]) -> Verdict:
    """Decide about a waiting task by what it still watches: position -> whether it is met.

    Only groups that were not met when the wait began are watched, and only those of actions that
    could still fire, so an action fires when all of its watched groups are met.
    """
    for action, verdict in ((CANCEL, Verdict.CANCEL), (SKIP, Verdict.SKIP), (QUEUE, Verdict.READY)):
        groups: dict[str, bool] = {}
        for position, met in watched.items():
            condition = conditions[position]
            if condition.action == action:
                groups[condition.or_group] = groups.get(condition.or_group, False) or met
        if groups and all(groups.values()):
            return verdict
    return Verdict.WAIT


def waits_to_start(conditions: Sequence[Condition], watched: Iterable[int]) -> bool:
    """Whether a task that watches these is held back by them, rather than queued already."""
    return any(conditions[position].action == QUEUE for position in watched)


class _Action:
    """The or-groups of one action."""

    __slots__ = ("fires", "groups", "open", "possible")

    def __init__(
        self, conditions: Sequence[Condition], standings: Sequence[Standing], action: str
    ) -> None:
        groups: dict[str, list[int]] = {}
        for position, condition in enumerate(conditions):
            if condition.action == action:
                groups.setdefault(condition.or_group, []).append(position)
        self.groups = groups
        unmet = [
            group
            for group in groups.values()
            if not any(standings[position] is Standing.MET for position in group)
        ]
        self.fires = bool(groups) and not unmet
        open_by_group = [
            [position for position in group if standings[position] is Standing.OPEN]
            for group in unmet
        ]
        self.possible = all(open_by_group)
        self.open = (
            [position for group in open_by_group for position in group] if self.possible else []
        )
