"""Time comes into the engine here and nowhere else."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    def now_ms(self) -> int:
        """Epoch milliseconds."""
        ...

    async def wait(self, wake: asyncio.Event, until_ms: int | None) -> None:
        """Return when ``wake`` is set or the time has come, whichever is first."""
        ...


class SystemClock:
    """The machine's clock plus the offset of the database's clock, measured at connect, so that
    all nodes of an installation stamp with one time."""

    def __init__(self, offset_ms: int = 0) -> None:
        self.offset_ms = offset_ms

    def now_ms(self) -> int:
        return int(time.time() * 1_000) + self.offset_ms

    async def wait(self, wake: asyncio.Event, until_ms: int | None) -> None:
        if until_ms is None:
            await wake.wait()
            return
        delay_s = (until_ms - self.now_ms()) / 1_000
        if delay_s <= 0:
            # Give other coroutines their turn even when timers are always due.
            await asyncio.sleep(0)
            return
        handle = asyncio.get_running_loop().call_later(delay_s + 0.0005, wake.set)
        try:
            await wake.wait()
        finally:
            handle.cancel()


class ManualClock:
    """A clock that moves only when told to: a 30-day sleep passes in milliseconds."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._waiting: set[asyncio.Event] = set()

    def now_ms(self) -> int:
        return self._now_ms

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
