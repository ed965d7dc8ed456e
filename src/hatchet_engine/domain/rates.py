"""Rate limits (RL-*): units per window, taken when a task gets its worker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hatchet_engine.domain.errors import invalid

FIXED_MS = {
    "SECOND": 1_000,
    "MINUTE": 60_000,
    "HOUR": 3_600_000,
    "DAY": 86_400_000,
    "WEEK": 7 * 86_400_000,
}
KEY_BYTES_MAX = 2_000
WINDOWS = (*FIXED_MS, "MONTH", "YEAR")  # shortest first
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def check_key(key: str, bytes_max: int) -> None:
    """``Refused`` unless this can be the key of a limit."""
    if not key:
        raise invalid("key: is required", field="key")
    if "\x00" in key:
        raise invalid("key: holds the null character, which can't be stored", field="key")
    if len(key.encode()) > bytes_max:
        raise invalid(f"key: is longer than {bytes_max} bytes; shorten it", field="key")


def window_end_ms(start_ms: int, window: str) -> int:
    """When a window that began at ``start_ms`` is over; months and years are those of the UTC
    calendar, and end on the last day of a month that is too short.

    >>> window_end_ms(0, "MINUTE")
    60000
    """
    fixed = FIXED_MS.get(window)
    if fixed is not None:
        return start_ms + fixed
    start = _EPOCH + timedelta(milliseconds=start_ms)
    months = start.year * 12 + start.month - 1 + (12 if window == "YEAR" else 1)
    year, month = divmod(months, 12)
    for day in range(start.day, 0, -1):
        try:
            end = start.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
        return int((end - _EPOCH) / timedelta(milliseconds=1))
    raise AssertionError("every month has a first day")


class Meter:
    """How many units of a limit are left. Windows are fixed: one begins when the first unit is
    asked for after the last one has passed, and unused units are not carried over (RL-6).

    ``limit`` None: nobody has said how many units there are; nothing passes (RL-10). ``paused``:
    nothing passes either, until somebody says otherwise.
    """

    __slots__ = ("began_ms", "limit", "paused", "remaining", "window")

    def __init__(
        self,
        limit: int | None,
        window: str,
        remaining: int,
        began_ms: int,
        paused: bool = False,
    ) -> None:
        self.limit = limit
        self.window = window
        self.remaining = remaining
        self.began_ms = began_ms
        self.paused = paused

    def refill(self, now_ms: int) -> None:
        """Begin a new window if the last one is over."""
        if self.limit is not None and now_ms >= window_end_ms(self.began_ms, self.window):
            self.began_ms = now_ms
            self.remaining = self.limit

    def available(self, now_ms: int) -> int:
        self.refill(now_ms)
        return 0 if self.limit is None or self.paused else self.remaining

    def at(self, now_ms: int) -> Meter:
        """What it will say at a time, without beginning a window of this one."""
        meter = Meter(self.limit, self.window, self.remaining, self.began_ms, self.paused)
        meter.refill(now_ms)
        return meter

    def take(self, units: int) -> None:
        self.remaining -= units

    def next_ms(self) -> int | None:
        """When more units may be there; None: not before somebody changes the limit or ends its
        pause."""
        if self.limit is None or self.paused:
            return None
        return window_end_ms(self.began_ms, self.window)

    def change(self, limit: int, window: str, now_ms: int) -> bool:
        """Set limit and window. Units that are left never become more by that (RL-3); a new meter
        starts full. Returns whether anything changed."""
        if self.limit is None:
            self.limit, self.window = limit, window
            self.remaining, self.began_ms = limit, now_ms
            return True
        if self.limit == limit and self.window == window:
            return False
        self.refill(now_ms)
        self.limit, self.window = limit, window
        self.remaining = min(self.remaining, limit)
        return True
