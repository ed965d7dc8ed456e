"""How the tasks of a run follow from each other."""

from __future__ import annotations

import pytest

from hatchet_engine.domain.dag import (
    Member,
    all_skipped,
    descendants,
    doomed,
    member_of,
    on_failure,
    run_status,
)
from hatchet_engine.domain.states import Status

PENDING, BEGUN, COMPLETED, FAILED, CANCELLED, SKIPPED = Member


@pytest.mark.parametrize("state", list(Member))
def test_what_is_final_and_what_lets_children_go_on(state: Member) -> None:
    assert state.final == (state in (COMPLETED, FAILED, CANCELLED, SKIPPED))
    assert state.done == (state in (COMPLETED, SKIPPED))


@pytest.mark.parametrize(
    ("status", "skipped", "state"),
    [
        (Status.COMPLETED, False, COMPLETED),
        (Status.COMPLETED, True, SKIPPED),
        (Status.FAILED, False, FAILED),
        (Status.CANCELLED, False, CANCELLED),
    ],
)
def test_stored_outcomes_as_states(status: Status, skipped: bool, state: Member) -> None:
    assert member_of(status, skipped) is state


@pytest.mark.parametrize(
    ("parents", "by"),
    [
        ([], None),
        ([COMPLETED, SKIPPED], None),
        ([PENDING, BEGUN], None),
        ([BEGUN, FAILED], FAILED),
        ([PENDING, CANCELLED], CANCELLED),
    ],
)
def test_one_bad_parent_is_enough(parents: list[Member], by: Member | None) -> None:
    assert doomed(parents) is by


@pytest.mark.parametrize(
    ("parents", "skipped"),
    [([], False), ([SKIPPED], True), ([SKIPPED, SKIPPED], True), ([SKIPPED, COMPLETED], False)],
)
def test_a_child_is_skipped_with_all_its_parents(parents: list[Member], skipped: bool) -> None:
    assert all_skipped(parents) is skipped


@pytest.mark.parametrize(
    ("others", "fate"),
    [
        ([FAILED, BEGUN, PENDING], BEGUN),
        ([FAILED, COMPLETED], BEGUN),
        ([COMPLETED, SKIPPED, CANCELLED], SKIPPED),
        ([COMPLETED, BEGUN], PENDING),
        ([CANCELLED, PENDING], PENDING),
    ],
)
def test_of_1_of_2_the_on_failure_task(others: list[Member], fate: Member) -> None:
    assert on_failure(others) is fate


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ([COMPLETED], Status.COMPLETED),
        ([SKIPPED], Status.COMPLETED),
        ([COMPLETED, CANCELLED], Status.CANCELLED),
        ([CANCELLED, FAILED, COMPLETED], Status.FAILED),
    ],
)
def test_dag_8_how_a_run_ends(members: list[Member], status: Status) -> None:
    assert run_status(members) is status


def test_descendants_are_found_once_by_all_ways() -> None:
    diamond = [[1, 2], [3], [3], [], [5], []]
    assert descendants(diamond, [0]) == {0, 1, 2, 3}
    assert descendants(diamond, [2, 4]) == {2, 3, 4, 5}
    assert descendants(diamond, [3]) == {3}
    assert descendants(diamond, []) == set()


def test_a_long_chain_is_no_matter_of_recursion() -> None:
    length = 5_000
    chain = [[at + 1] for at in range(length - 1)] + [[]]
    assert len(descendants(chain, [0])) == length
