"""Which tick of a cron comes first, next, and after a time when nobody was there to fire it."""

from __future__ import annotations

from hatchet_engine.domain.calendar.policies import LATE_MAX_MS, CatchUp, Policies
from hatchet_engine.domain.calendar.ticks import Ticks


def first_tick(ticks: Ticks, policies: Policies, now_ms: int) -> int | None:
    """The first tick of a cron that begins, or is enabled, now: none of the past is made good."""
    after_ms = now_ms
    if policies.start_ms is not None:
        after_ms = max(after_ms, policies.start_ms - 1)
    return following(ticks, policies, after_ms)


def following(ticks: Ticks, policies: Policies, after_ms: int) -> int | None:
    """The next tick after a moment; None: there is none within the cron's bounds."""
    tick = ticks.after(after_ms)
    if tick is None or (policies.end_ms is not None and tick > policies.end_ms):
        return None
    return tick


def to_make_good(ticks: Ticks, policies: Policies, tick_ms: int, now_ms: int) -> int | None:
    """Where a cron goes on whose next tick was ``tick_ms``: there, if it is only late; else at the
    earliest missed tick that is to be made good, or at the first that is not missed."""
    oldest_ms = now_ms - LATE_MAX_MS - policies.jitter_ms
    if tick_ms >= oldest_ms:
        return tick_ms
    if policies.catch_up is CatchUp.SKIP:
        return following(ticks, policies, oldest_ms - 1)
    count = policies.catch_up_max if policies.catch_up is CatchUp.ALL else 1
    at_ms = oldest_ms
    if policies.end_ms is not None:
        at_ms = min(at_ms, policies.end_ms + 1)
    for _ in range(count):
        earlier = ticks.before(at_ms)
        if earlier is None or earlier <= tick_ms:
            return tick_ms
        at_ms = earlier
    return at_ms
