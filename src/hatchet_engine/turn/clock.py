"""Time comes into the engine here and nowhere else."""

from __future__ import annotations

import asyncio
import math
import time
from datetime import datetime
from typing import Protocol

import structlog

log = structlog.get_logger("hatchet.turn")

LOOK_AGAIN_S = 5.0  # so late what is due may come when the clock was set forward
STEP_MS = 50  # clocks that differ by less are not worth setting


class Clock(Protocol):
    def now_ms(self) -> int:
        """Epoch milliseconds."""
        ...

    async def wait(self, wake: asyncio.Event, until_ms: int | None) -> None:
        """Return when ``wake`` is set or the time has come, whichever is first."""
        ...

    def host_s(self) -> float:
        """The machine's own time, for :meth:`compare`."""
        ...

    def compare(self, database_time: datetime, sent_s: float, received_s: float) -> None:
        """Follow the database's clock, which was read between these two times of the machine."""
        ...


class SystemClock:
    """The machine's clock plus the offset of the database's clock, so that all nodes of an
    installation stamp with one time."""

    def __init__(self) -> None:
        self.offset_ms = 0
        self._error_ms = math.inf  # of the offset, at most
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms = 0

    def now_ms(self) -> int:
        return int(time.time() * 1_000) + self.offset_ms

    def host_s(self) -> float:
        return time.time()

    def compare(self, database_time: datetime, sent_s: float, received_s: float) -> None:
        """The closest look counts, until a look shows that one of the clocks was set."""
        error_ms = (received_s - sent_s) * 500
        if error_ms < 0:
            return  # the machine's was set just now: the next look tells
        offset_ms = (database_time.timestamp() - (sent_s + received_s) / 2) * 1_000
        set_by_ms = offset_ms - self.offset_ms
        was_set = abs(set_by_ms) > error_ms + STEP_MS
        if error_ms <= self._error_ms or was_set:
            if was_set and self._error_ms < math.inf:
                log.warning("clock_was_set", by_ms=round(set_by_ms))
            self.offset_ms, self._error_ms = round(offset_ms), error_ms

    async def wait(self, wake: asyncio.Event, until_ms: int | None) -> None:
        if until_ms is not None:
            delay_s = (until_ms - self.now_ms()) / 1_000
            if delay_s <= 0:
                # Give other coroutines their turn even when timers are always due.
                await asyncio.sleep(0)
                return
            self._set_timer(wake, until_ms, delay_s)
        await wake.wait()

    def _set_timer(self, wake: asyncio.Event, until_ms: int, delay_s: float) -> None:
        """One timer at a time. It stays over many waits, as the next due time seldom changes; one
        that has become too early wakes for nothing, which is harmless.

        Timers of the event loop count seconds, whatever the clock does, and stand still while the
        machine sleeps; so a long wait looks at the clock in between."""
        if self._timer is not None:
            if self._timer_ms == until_ms and not self._timer.cancelled():
                return
            self._timer.cancel()
        self._timer_ms = until_ms
        delay_s = min(delay_s + 0.0005, LOOK_AGAIN_S)
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._ring, wake)

    def _ring(self, wake: asyncio.Event) -> None:
        self._timer = None
        left_ms = self._timer_ms - self.now_ms()
        if left_ms > 0:
            self._set_timer(wake, self._timer_ms, left_ms / 1_000)
        else:
            wake.set()


class ManualClock:
    """A clock that moves only when told to: a 30-day sleep passes in milliseconds."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._waiting: set[asyncio.Event] = set()

    def now_ms(self) -> int:
        return self._now_ms

    def host_s(self) -> float:
        return self._now_ms / 1_000

    def compare(self, database_time: datetime, sent_s: float, received_s: float) -> None:
        """It follows nobody."""

    def advance(self, ms: int) -> None:
        self._now_ms += ms
        for wake in self._waiting:
            wake.set()

    async def wait(self, wake: asyncio.Event, until_ms: int | None) -> None:
        if until_ms is not None and until_ms <= self._now_ms:
            await asyncio.sleep(0)
            return
        self._waiting.add(wake)
        try:
            await wake.wait()
        finally:
            self._waiting.discard(wake)
