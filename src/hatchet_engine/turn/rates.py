"""Rate limits within a turn (RL-*): units are taken as a task gets its worker, for all of its keys
or none. A task that lacks units waits in the line of that key, and is not looked at before there
may be more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from hatchet_engine.domain.rates import WINDOWS
from hatchet_engine.domain.states import EventKind
from hatchet_engine.turn.buckets import Bucket
from hatchet_engine.turn.entering import enter_queue, leave_line, park, stand_aside
from hatchet_engine.turn.queues import Queued
from hatchet_engine.turn.state import Turn

DUE_MAX = 1_000  # limits looked at in one turn because of the time
CALLED_MAX = 1_000  # tasks that leave the line of one limit in one turn
LEFT_OVER_MS = 1_000  # until units that a task could not use, for want of others, are offered again


def apply_limits(turn: Turn, tenant_id: UUID, limits: Sequence[tuple[str, int, str]]) -> None:
    """Limits that tasks bring along. Of several in one turn the smallest counts, and the longest
    window (RL-3)."""
    for key, *brought in limits:
        bucket = turn.hot.buckets.get(tenant_id, key)
        limit, window = turn.brought[bucket] = _stricter(brought, turn.brought.get(bucket))
        if bucket.meter.limit != limit or bucket.meter.window != window:
            change(turn, bucket, limit, window)


def _stricter(one: Sequence[Any], other: tuple[int, str] | None) -> tuple[int, str]:
    limit, window = one
    if other is None:
        return limit, window
    return min(limit, other[0]), max(window, other[1], key=WINDOWS.index)


def change(turn: Turn, bucket: Bucket, limit: int, window: str) -> None:
    bucket.gone = False
    if bucket.meter.change(limit, window, turn.now_ms):
        turn.plan.buckets[bucket] = None
        if bucket.waited_for:
            turn.hot.buckets.look_at(bucket, turn.now_ms)


def lacking(turn: Turn, item: Queued) -> Bucket | None:
    """The limit whose units a task has to wait for; None if all of them are there for it."""
    assert item.demand is not None
    for key, units in item.demand.units:
        if not units:
            continue
        bucket = turn.hot.buckets.get(item.tenant_id, key)
        if units > bucket.meter.available(turn.now_ms) or bucket.line.stands_before(item):
            return bucket
    return None


def take(turn: Turn, item: Queued) -> None:
    """The task has got its worker."""
    assert item.demand is not None
    for key, units in item.demand.units:
        if units:
            bucket = turn.hot.buckets.get(item.tenant_id, key)
            bucket.meter.take(units)
            turn.plan.buckets[bucket] = None


def hold_back(turn: Turn, item: Queued, bucket: Bucket) -> None:
    """Park a task that lacks units, and say so in its activity (RL-9, RL-10)."""
    unread = bucket.line.wants_reading  # perhaps nobody is before it
    park(turn, item, bucket.line_for(_units(item, bucket)))
    due_ms = turn.now_ms if unread else bucket.meter.next_ms()
    turn.hot.buckets.look_at(bucket, due_ms)
    stand_aside(turn, item, LEFT_OVER_MS, but=bucket)
    turn.plan.event(
        EventKind.REQUEUED_RATE_LIMIT,
        item.tenant_id,
        item.task_id,
        item.attempt,
        None,
        _words(bucket, item),
    )


def _words(bucket: Bucket, item: Queued) -> str:
    asked = _units(item, bucket)
    meter = bucket.meter
    if meter.limit is None:
        return f"Rate limit {bucket.key!r} has never been put, so it has no units"
    if asked > meter.limit:
        return f"Asks for {asked} units of rate limit {bucket.key!r}, which has {meter.limit}"
    if meter.paused:
        return f"Rate limit {bucket.key!r} is paused"
    return (
        f"Rate limit {bucket.key!r}: {meter.limit - meter.remaining} of {meter.limit} units "
        f"per {meter.window.lower()} are used, {asked} needed"
    )


def call_waiting(turn: Turn, bucket: Bucket) -> None:
    """Units may be there again: as many of those who wait as they suffice for go back to their
    queues, in order. Their schedule timeouts run on (RL-13)."""
    meter = bucket.meter
    budget = meter.available(turn.now_ms)
    turn.plan.buckets[bucket] = None
    called = _sort_in(turn, bucket)
    while budget > 0 and called < CALLED_MAX and (item := bucket.line.pop()) is not None:
        units = _units(item, bucket)
        if meter.limit is not None and units > meter.limit:
            leave_line(turn, item)
            park(turn, item, bucket.over_of(units))
            called += 1
            continue
        if units > budget:
            bucket.line.put_back(item)
            break
        leave_line(turn, item)
        called += 1
        enter_queue(turn, item)
        if item.line is None:  # else it waits for something else first
            budget -= units
    unread = budget > 0 and bucket.line.wants_reading
    if unread or called >= CALLED_MAX or bucket.fitting():
        turn.hot.buckets.look_at(bucket, turn.now_ms)
    elif bucket.line.depth:
        turn.hot.buckets.look_at(bucket, meter.next_ms())


def _sort_in(turn: Turn, bucket: Bucket) -> int:
    """Those whose units a new limit allows stand in line with the others; returns how many came."""
    came = 0
    for line in bucket.fitting():
        while came < CALLED_MAX and (item := line.pop()) is not None:
            leave_line(turn, item)
            park(turn, item, bucket.line)
            came += 1
    return came


def _units(item: Queued, bucket: Bucket) -> int:
    assert item.demand is not None
    return sum(units for key, units in item.demand.units if key == bucket.key)
