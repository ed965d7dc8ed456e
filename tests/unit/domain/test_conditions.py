"""What the conditions of a task decide: precedence, or-groups, what stays open."""

from __future__ import annotations

import pytest

from hatchet_engine.domain.conditions import Standing, Verdict, judge, resume, waits_to_start
from hatchet_engine.domain.definition import Condition

MET, OPEN, NEVER = Standing


def under(*actions: str) -> list[Condition]:
    """Conditions by text: ``QUEUE``, or ``QUEUE/g`` for one of the or-group ``g``. Without a group
    each is its own, as after registration."""
    conditions = []
    for at, text in enumerate(actions):
        action, _, group = text.partition("/")
        conditions.append(Condition("event", action, f"key{at}", group or str(at), event_key="k"))
    return conditions


@pytest.mark.parametrize(
    ("actions", "standings", "verdict", "watch"),
    [
        # Nothing to wait for.
        ([], [], Verdict.READY, []),
        (["QUEUE"], [MET], Verdict.READY, []),
        (["SKIP"], [NEVER], Verdict.READY, []),
        # Precedence.
        (["QUEUE", "SKIP", "CANCEL"], [MET, MET, MET], Verdict.CANCEL, []),
        (["QUEUE", "SKIP", "CANCEL"], [MET, MET, NEVER], Verdict.SKIP, []),
        (["QUEUE", "SKIP", "CANCEL"], [MET, NEVER, NEVER], Verdict.READY, []),
        # A list is an and, a group an or.
        (["QUEUE", "QUEUE"], [MET, OPEN], Verdict.WAIT, [1]),
        (["QUEUE/g", "QUEUE/g"], [MET, OPEN], Verdict.READY, []),
        (["QUEUE/g", "QUEUE/g"], [NEVER, OPEN], Verdict.WAIT, [1]),
        (["QUEUE/g", "QUEUE/g", "QUEUE"], [OPEN, OPEN, MET], Verdict.WAIT, [0, 1]),
        (["SKIP", "SKIP"], [MET, NEVER], Verdict.READY, []),
        # The same group under two actions is two groups.
        (["QUEUE/g", "SKIP/g"], [MET, NEVER], Verdict.READY, []),
        # What can't be met any more.
        (["QUEUE"], [NEVER], Verdict.IMPOSSIBLE, []),
        (["QUEUE", "QUEUE"], [OPEN, NEVER], Verdict.IMPOSSIBLE, []),
        (["QUEUE", "SKIP"], [NEVER, OPEN], Verdict.IMPOSSIBLE, []),
        (["QUEUE", "SKIP"], [NEVER, MET], Verdict.SKIP, []),
        # Actions that can't fire any more are not watched.
        (["QUEUE", "SKIP", "SKIP"], [OPEN, OPEN, NEVER], Verdict.WAIT, [0]),
        (["QUEUE", "SKIP", "SKIP"], [OPEN, OPEN, MET], Verdict.WAIT, [0, 1]),
        (["QUEUE", "SKIP", "CANCEL"], [OPEN, OPEN, OPEN], Verdict.WAIT, [0, 1, 2]),
        # Only a wait_for holds a task back; its cancel_if is watched until it starts.
        (["SKIP"], [OPEN], Verdict.READY, []),
        (["CANCEL"], [OPEN], Verdict.READY, [0]),
        (["QUEUE", "SKIP", "CANCEL"], [MET, OPEN, OPEN], Verdict.READY, [2]),
    ],
)
def test_judging_a_task_whose_parents_are_done(
    actions: list[str], standings: list[Standing], verdict: Verdict, watch: list[int]
) -> None:
    decision = judge(under(*actions), standings)
    assert (decision.verdict, decision.watch) == (verdict, watch)


@pytest.mark.parametrize(
    ("actions", "watched", "verdict"),
    [
        (["QUEUE"], {0: False}, Verdict.WAIT),
        (["QUEUE"], {0: True}, Verdict.READY),
        (["QUEUE", "QUEUE"], {0: True, 1: False}, Verdict.WAIT),
        (["QUEUE/g", "QUEUE/g"], {0: False, 1: True}, Verdict.READY),
        # A group that was met before the wait is not watched and does not hold back.
        (["QUEUE", "QUEUE"], {1: True}, Verdict.READY),
        (["QUEUE", "SKIP", "CANCEL"], {0: True, 1: True, 2: True}, Verdict.CANCEL),
        (["QUEUE", "SKIP", "CANCEL"], {0: True, 1: True, 2: False}, Verdict.SKIP),
        (["QUEUE", "CANCEL", "CANCEL"], {0: False, 1: True, 2: False}, Verdict.WAIT),
        (["QUEUE"], {}, Verdict.WAIT),
    ],
)
def test_going_on_from_what_is_watched(
    actions: list[str], watched: dict[int, bool], verdict: Verdict
) -> None:
    assert resume(under(*actions), watched) is verdict


@pytest.mark.parametrize(
    ("watched", "held"), [([0], True), ([1], False), ([2], False), ([2, 0], True), ([], False)]
)
def test_only_a_wait_for_holds_a_task_back(watched: list[int], held: bool) -> None:
    assert waits_to_start(under("QUEUE", "SKIP", "CANCEL"), watched) is held
