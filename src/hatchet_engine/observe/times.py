"""Conversions between epoch milliseconds, datetimes and the bounds of id ranges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hatchet_engine.domain import ids

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
LATEST_MS = 253_402_214_400_000  # the last day that datetime can hold in every zone
MICROSECOND = timedelta(microseconds=1)


def from_ms(at_ms: int) -> datetime:
    """UTC time of epoch milliseconds; times outside of what datetime can hold are clamped."""
    return _EPOCH + timedelta(milliseconds=min(max(at_ms, 0), LATEST_MS))


def to_ms(at: datetime) -> int:
    """Epoch milliseconds, rounded down.

    >>> to_ms(from_ms(1_735_787_045_123))
    1735787045123
    """
    return (at - _EPOCH) // _MILLISECOND


def id_bounds(since: datetime | None, until: datetime | None) -> tuple[UUID, UUID]:
    """The lowest id of a time window and the first id after it (exclusive).

    Ids carry the time of their turn, and creation times are those of the turn, but ids made in one
    millisecond may overflow into the next; so the window is a little wider than asked, and callers
    compare the exact time too.
    """
    lower = 0 if since is None else min(max(to_ms(since) - _SLACK_MS, 0), LATEST_MS)
    upper = LATEST_MS if until is None else min(max(to_ms(until) + _SLACK_MS, 0), LATEST_MS)
    return ids.lowest(lower), ids.lowest(upper)


def exact_bounds(since: datetime | None, until: datetime | None) -> tuple[UUID, UUID]:
    """The lowest id and the first id after a window (inclusive on both sides), to the millisecond:
    right for whatever has the time of its id."""
    lower = 0 if since is None else -((_EPOCH - since) // _MILLISECOND)
    upper = LATEST_MS if until is None else to_ms(until) + 1
    return ids.lowest(min(max(lower, 0), LATEST_MS)), ids.lowest(min(max(upper, 0), LATEST_MS))


def ids_from(id: UUID) -> UUID:
    """Not larger than the id of the run that a task with this id belongs to, or than ids of what
    happened in the same turn."""
    return ids.lowest(max(ids.time_ms(id) - SAME_TURN_MS, 0))


def ids_after(id: UUID) -> UUID:
    """Larger than all ids that were made in the turn of this one."""
    return ids.lowest(min(ids.time_ms(id) + SAME_TURN_MS, LATEST_MS))


_SLACK_MS = 1_000
# Ids of one turn ascend from its time on, a millisecond per 262,144 ids; far less than this.
SAME_TURN_MS = 3_600_000
