"""Concurrency strategies (CON-*): who gets a place under a key, who waits, who is cancelled.

Pure: given those who hold places, those who wait and those who have just come, in any order.
Ranks are priorities negated: the lower one goes first.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple
from uuid import UUID


class Strategy(Enum):
    GROUP_ROUND_ROBIN = "GROUP_ROUND_ROBIN"
    CANCEL_IN_PROGRESS = "CANCEL_IN_PROGRESS"
    CANCEL_NEWEST = "CANCEL_NEWEST"
    CANCEL_QUEUED_EXCEPT_NEWEST = "CANCEL_QUEUED_EXCEPT_NEWEST"
    CANCEL_QUEUED_EXCEPT_OLDEST = "CANCEL_QUEUED_EXCEPT_OLDEST"


REASON = "Cancelled due to concurrency strategy"


class Claim(NamedTuple):
    """Somebody who holds a place or wants one. Ids grow with time."""

    rank: int
    id: UUID


def in_order(claims: Iterable[Claim]) -> list[Claim]:
    """Priority first, then the older one (CON-4)."""
    return sorted(claims)


def best_first(claims: Iterable[Claim]) -> list[Claim]:
    """Priority first, then the newer one (CON-5)."""
    return sorted(claims, key=lambda claim: (claim.rank, -claim.id.int))


class Verdict(NamedTuple):
    admitted: list[Claim]
    cancelled: list[Claim]  # of those who waited or came
    evicted: list[Claim]  # of those who held a place


def overflowing(
    strategy: Strategy, limit: int, holders: Iterable[Claim], waiting: Iterable[Claim]
) -> Verdict:
    """What a strategy that cancels does; whoever is in no list of the verdict goes on waiting.

    >>> from uuid import UUID
    >>> old, new = Claim(-1, UUID(int=1)), Claim(-1, UUID(int=2))
    >>> overflowing(Strategy.CANCEL_IN_PROGRESS, 1, [old], [new]).evicted == [old]
    True
    >>> overflowing(Strategy.CANCEL_NEWEST, 1, [old], [new]).cancelled == [new]
    True
    """
    holding = list(holders)
    if strategy is Strategy.CANCEL_IN_PROGRESS:
        return _keep_best(limit, holding, list(waiting))
    ordered = in_order(waiting)
    free = max(0, limit - len(holding))
    admitted, left = ordered[:free], ordered[free:]
    if strategy is Strategy.CANCEL_NEWEST:
        return Verdict(admitted, left, [])
    if strategy is Strategy.CANCEL_QUEUED_EXCEPT_NEWEST:
        return Verdict(admitted, best_first(left)[1:], [])
    if strategy is Strategy.CANCEL_QUEUED_EXCEPT_OLDEST:
        return Verdict(admitted, left[1:], [])
    raise ValueError(f"{strategy.name} cancels nobody")


def _keep_best(limit: int, holding: list[Claim], waiting: list[Claim]) -> Verdict:
    kept = set(best_first(holding + waiting)[:limit])
    return Verdict(
        [claim for claim in in_order(waiting) if claim in kept],
        [claim for claim in waiting if claim not in kept],
        [claim for claim in holding if claim not in kept],
    )
