"""How the tasks of one run follow from each other (DAG-*, OF-*): states, propagation, the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum

from hatchet_engine.domain.states import Status

SKIPPED_OUTPUT = '{"skipped": true}'


class Member(IntEnum):
    """Where a task of a run stands."""

    PENDING = 0  # its parents are not done
    BEGUN = 1  # it waits for times or events, is queued, in backoff or running
    COMPLETED = 2
    FAILED = 3
    CANCELLED = 4
    SKIPPED = 5

    @property
    def final(self) -> bool:
        return self >= Member.COMPLETED

    @property
    def done(self) -> bool:
        """Ended in a way that lets its children go on."""
        return self is Member.COMPLETED or self is Member.SKIPPED


def member_of(status: Status, skipped: bool) -> Member:
    """The state that an outcome stands for."""
    return Member.SKIPPED if skipped else Member(status.value)


def doomed(parents: Iterable[Member]) -> Member | None:
    """A parent's state that cancels the child at once, whatever the other parents do (3.2)."""
    for state in parents:
        if state is Member.FAILED or state is Member.CANCELLED:
            return state
    return None


def all_skipped(parents: Sequence[Member]) -> bool:
    """Whether the child is skipped because all of its parents were (3.2)."""
    return bool(parents) and all(state is Member.SKIPPED for state in parents)


def on_failure(others: Sequence[Member]) -> Member:
    """What becomes of the on-failure task: BEGUN at the first failure (OF-1), SKIPPED when
    everything ended without one (OF-2), else still PENDING."""
    if any(state is Member.FAILED for state in others):
        return Member.BEGUN
    return Member.SKIPPED if all(state.final for state in others) else Member.PENDING


def run_status(members: Sequence[Member]) -> Status:
    """How a run ended whose members are all final (DAG-8)."""
    if any(state is Member.FAILED for state in members):
        return Status.FAILED
    if any(state is Member.CANCELLED for state in members):
        return Status.CANCELLED
    return Status.COMPLETED


def descendants(children: Sequence[Sequence[int]], start: Iterable[int]) -> set[int]:
    """These tasks and all that follow from them, by position.

    >>> sorted(descendants([[1], [2], [], []], [1]))
    [1, 2]
    """
    found: set[int] = set()
    waiting = list(start)
    while waiting:
        position = waiting.pop()
        if position not in found:
            found.add(position)
            waiting.extend(children[position])
    return found
