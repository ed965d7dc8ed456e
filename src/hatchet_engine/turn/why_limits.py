"""Why a task gets no place under a concurrency key and no units of a rate limit. Only looks at the
hot state; the rules are those of ``admit.py`` and ``rates.py``."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from uuid import UUID

from hatchet_engine.domain.demand import Demand
from hatchet_engine.domain.rates import Meter
from hatchet_engine.domain.why import HOLDERS_SHOWN_MAX, Blocker, Holder, Kind, counted, moment
from hatchet_engine.turn.asks import Rule
from hatchet_engine.turn.groups import Group
from hatchet_engine.turn.lines import place_line
from hatchet_engine.turn.state import Hot


def key_of(line: str) -> str:
    """The concurrency key, or that of a rate limit, that a line is about."""
    return line.partition(":")[2]


def concurrency_blockers(
    hot: Hot | None, line: str, rules: Sequence[Rule], demand: Demand | None
) -> list[Blocker]:
    """The rule in whose line it stands, and those behind it whose places are all taken too."""
    places = demand.places if demand is not None else ()
    limits = {
        place_line(rule.limit_id, place.key): place.max_runs
        for rule, place in zip(rules, places, strict=False)
    }
    names = list(limits)
    group = hot.groups.find(line) if hot is not None else None
    blockers = []
    if group is None or not group.paused or _taken(group):
        blockers.append(_concurrency(group, line, limits.get(line)))
    for later in names[names.index(line) + 1 :] if line in limits else ():
        group = hot.groups.find(later) if hot is not None else None
        if group is not None and _taken(group):
            blockers.append(_concurrency(group, later, limits[later]))
    return blockers


def _taken(group: Group) -> bool:
    """Whether all places are; a pause is told as such."""
    return len(group.holders) >= group.limit


def _concurrency(group: Group | None, line: str, limit: int | None) -> Blocker:
    key = key_of(line)
    holders = group.holders if group is not None else {}
    if group is None:
        told = f"it waits for one of {limit} places" if limit else "it waits for a place"
    else:
        limit = group.limit
        if len(holders) >= limit:
            told = f"{len(holders)} of {limit} places are taken"
        else:
            told = "its turn comes next"
    return Blocker(
        Kind.CONCURRENCY,
        f"Concurrency key {key!r}: {told}.",
        "Wait until one of the holders ends, cancel one, or raise max_runs.",
        key=key,
        line=line,
        limit=limit,
        used=len(holders) if group is not None else None,
        holders=tuple(Holder(id) for id in heapq.nsmallest(HOLDERS_SHOWN_MAX, holders)),
    )


def rate_blockers(
    meter_of: Callable[[str], Meter | None],
    demand: Demand | None,
    now_ms: int,
    waits_for: str | None = None,
) -> list[Blocker]:
    """Each limit that has not the units it asks for; first the one in whose line it stands
    (``waits_for``), even if units are there again: others may stand before it."""
    asked: dict[str, int] = {}
    for key, units in demand.units if demand is not None else ():
        asked[key] = asked.get(key, 0) + units
    keys = sorted((key for key in asked if asked[key]), key=lambda key: key != waits_for)
    blockers = []
    for key in keys:
        meter = meter_of(key)
        meter = meter.at(now_ms) if meter is not None else Meter(None, "SECOND", 0, 0)
        meter.paused = False  # which is told as such
        if key == waits_for or asked[key] > meter.available(now_ms):
            blockers.append(_rate(key, meter, asked[key]))
    return blockers


def _rate(key: str, meter: Meter, needed: int) -> Blocker:
    limit, used, until_ms = meter.limit, None, meter.next_ms()
    if limit is None:
        told = "has never been put, so it has no units"
        remedy = f"Put a limit for {key!r}"
    elif needed > limit:
        used, until_ms = limit - meter.remaining, None
        told = f"has {counted(limit, 'unit')} in all, and the task asks for {needed:,}"
        remedy = f"Raise it to {needed:,} or more, or let the task ask for fewer"
    else:
        used = limit - meter.remaining
        told = (
            f"has {meter.remaining:,} of {counted(limit, 'unit')} per {meter.window.lower()} left, "
            f"and the task asks for {needed:,}"
        )
        if until_ms is not None:
            told += f"; it refills at {moment(until_ms)}"
        remedy = "Wait until then, or raise the limit"
    return Blocker(
        Kind.RATE_LIMIT,
        f"Rate limit {key!r} {told}.",
        f"{remedy}.",
        key=key,
        limit=limit,
        used=used,
        needed=needed,
        until_ms=until_ms,
    )


def meters_of(hot: Hot, tenant_id: UUID) -> Callable[[str], Meter | None]:
    """The limits of a tenant as the engine knows them."""

    def find(key: str) -> Meter | None:
        bucket = hot.buckets.find(tenant_id, key)
        return None if bucket is None else bucket.meter

    return find
