"""Strategies of concurrency keys (CON-4 to CON-6)."""

from __future__ import annotations

from uuid import UUID

import pytest

from hatchet_engine.domain.concurrency import Claim, Strategy, in_order, overflowing


def claim(number: int, priority: int = 1) -> Claim:
    return Claim(-priority, UUID(int=number))


OLD, MIDDLE, NEW = claim(1), claim(2), claim(3)
URGENT = claim(4, 3)


def test_con_4_priority_then_age() -> None:
    assert in_order([NEW, URGENT, OLD]) == [URGENT, OLD, NEW]


@pytest.mark.parametrize(
    ("strategy", "holding", "waiting", "admitted", "cancelled", "evicted"),
    [
        ("CANCEL_IN_PROGRESS", [OLD], [NEW], [NEW], [], [OLD]),
        ("CANCEL_IN_PROGRESS", [URGENT], [claim(9)], [], [claim(9)], []),
        ("CANCEL_IN_PROGRESS", [], [OLD, NEW], [NEW], [OLD], []),
        ("CANCEL_IN_PROGRESS", [OLD, MIDDLE], [], [], [], [OLD]),
        ("CANCEL_NEWEST", [OLD], [MIDDLE, NEW], [], [MIDDLE, NEW], []),
        ("CANCEL_NEWEST", [], [NEW, OLD], [OLD], [NEW], []),
        ("CANCEL_NEWEST", [OLD, MIDDLE], [NEW], [], [NEW], []),
        ("CANCEL_QUEUED_EXCEPT_NEWEST", [OLD], [MIDDLE, NEW], [], [MIDDLE], []),
        ("CANCEL_QUEUED_EXCEPT_OLDEST", [OLD], [MIDDLE, NEW], [], [NEW], []),
        ("CANCEL_QUEUED_EXCEPT_OLDEST", [OLD], [MIDDLE, URGENT], [], [MIDDLE], []),
        ("CANCEL_QUEUED_EXCEPT_NEWEST", [], [OLD, MIDDLE], [OLD], [], []),
    ],
)
def test_what_strategies_cancel(
    strategy: str,
    holding: list[Claim],
    waiting: list[Claim],
    admitted: list[Claim],
    cancelled: list[Claim],
    evicted: list[Claim],
) -> None:
    verdict = overflowing(Strategy(strategy), 1, holding, waiting)
    assert verdict == (admitted, cancelled, evicted)


def test_round_robin_cancels_nobody() -> None:
    with pytest.raises(ValueError, match="cancels nobody"):
        overflowing(Strategy.GROUP_ROUND_ROBIN, 1, [], [])
