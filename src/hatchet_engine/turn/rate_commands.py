"""Limits are put, paused and deleted by hand (RL-3, B16)."""

from __future__ import annotations

from hatchet_engine.domain.errors import invalid
from hatchet_engine.domain.rates import WINDOWS, check_key
from hatchet_engine.turn import pauses
from hatchet_engine.turn.commands import (
    DeleteRateLimit,
    Pause,
    PauseKind,
    PauseRateLimit,
    PutRateLimit,
    Resume,
)
from hatchet_engine.turn.rates import change
from hatchet_engine.turn.state import Turn

PAUSED_FOR_EVER_MS = 253_402_300_799_999  # told for a pause without an end: the last of year 9999


def put(turn: Turn, command: PutRateLimit) -> None:
    """Make or change a limit."""
    check_key(command.key, turn.limits.rate_key_bytes_max)
    if not 0 <= command.limit <= turn.limits.rate_limit_max:
        raise invalid(
            f"limit: must be between 0 and {turn.limits.rate_limit_max}, got {command.limit}",
            field="limit",
        )
    if command.window not in WINDOWS:
        raise invalid(
            f"duration: is one of {', '.join(WINDOWS)}, not {command.window!r}", field="duration"
        )
    bucket = turn.hot.buckets.get(command.tenant_id, command.key)
    change(turn, bucket, command.limit, command.window)
    turn.plan.buckets[bucket] = None


def delete(turn: Turn, command: DeleteRateLimit) -> bool:
    """Forget a limit; those who wait for it go on waiting, until there is one again."""
    bucket = turn.hot.buckets.find(command.tenant_id, command.key)
    if bucket is None or bucket.gone:
        return False
    pauses.resume(turn, Resume(command.tenant_id, PauseKind.RATE_LIMIT, command.key))
    bucket.meter.limit = None
    bucket.gone = True
    turn.plan.buckets[bucket] = None
    return True


def pause(turn: Turn, command: PauseRateLimit) -> int:
    """Let nothing pass before a time; never shortens a pause (B16)."""
    tenant_id, key, until_ms = command.tenant_id, command.key, command.until_ms
    check_key(key, turn.limits.rate_key_bytes_max)
    known = turn.hot.pauses.find(tenant_id, PauseKind.RATE_LIMIT, key)
    if known is None:
        if until_ms > turn.now_ms:
            pauses.pause(turn, Pause(tenant_id, PauseKind.RATE_LIMIT, key, until_ms))
        return until_ms
    if known.until_ms is None:
        return PAUSED_FOR_EVER_MS
    if until_ms > max(known.until_ms, turn.now_ms):
        pauses.pause(turn, Pause(tenant_id, known.kind, key, until_ms, known.by, known.reason))
    return max(until_ms, known.until_ms)
