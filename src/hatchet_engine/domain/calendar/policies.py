"""What a cron does about ticks that were missed, about runs that go on, and about its own time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from uuid import UUID

LATE_MAX_MS = 60_000  # a tick not fired within this time (and its jitter) is missed, not late
CATCH_UP_DEFAULT = 100  # missed ticks that ALL makes good
CATCH_UP_MAX = 1_000
JITTER_MAX_MS = 3_600_000


class CatchUp(StrEnum):
    """What is done about ticks that were missed because the engine was away."""

    SKIP = "SKIP"
    ONE = "ONE"  # the last of them is made good
    ALL = "ALL"  # the last ``catch_up_max`` of them are


class Overlap(StrEnum):
    """What a tick does while the run of the tick before goes on."""

    ALLOW = "ALLOW"  # runs beside it
    SKIP = "SKIP"  # does not run
    QUEUE = "QUEUE"  # waits for its end; one tick at most, further ones do not run
    CANCEL_OLD = "CANCEL_OLD"  # cancels it


@dataclass(frozen=True, slots=True)
class Policies:
    """Times are epoch milliseconds; both bounds are themselves within."""

    zone: str = "UTC"
    catch_up: CatchUp = CatchUp.SKIP
    catch_up_max: int = CATCH_UP_DEFAULT
    overlap: Overlap = Overlap.ALLOW
    jitter_ms: int = 0
    start_ms: int | None = None
    end_ms: int | None = None


def check_policies(policies: Policies) -> Policies:
    """Raises ``ValueError`` for what makes no sense, naming the option."""
    if not 1 <= policies.catch_up_max <= CATCH_UP_MAX:
        raise ValueError(
            f"catch_up_max: must be between 1 and {CATCH_UP_MAX}, got {policies.catch_up_max}"
        )
    if not 0 <= policies.jitter_ms <= JITTER_MAX_MS:
        raise ValueError(
            f"jitter: must be between 0 and {JITTER_MAX_MS // 60_000} minutes, "
            f"got {policies.jitter_ms} ms"
        )
    start_ms, end_ms = policies.start_ms, policies.end_ms
    if start_ms is not None and end_ms is not None and end_ms < start_ms:
        raise ValueError("end: lies before start")
    return policies


def jittered_ms(cron_id: UUID, tick_ms: int, jitter_ms: int) -> int:
    """When a tick is fired: up to ``jitter_ms`` later, always the same for a cron and tick."""
    if not jitter_ms:
        return tick_ms
    seed = cron_id.bytes + tick_ms.to_bytes(8, "big", signed=True)
    number = int.from_bytes(blake2b(seed, digest_size=8).digest(), "big")
    return tick_ms + number % (jitter_ms + 1)
