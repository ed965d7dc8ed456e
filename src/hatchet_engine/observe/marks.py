"""Who waits until a queue is worked off up to where it ended when they asked."""

from __future__ import annotations

import asyncio
from collections import deque


class Marks:
    """Counts what enters and leaves a queue; first in, first out."""

    def __init__(self) -> None:
        self._entered = self._left = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()  # in order of the marks

    def enter(self, count: int) -> None:
        self._entered += count

    def leave(self, count: int) -> None:
        self._left += count
        while self._waiting and self._waiting[0][0] <= self._left:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)

    def reach(self, future: asyncio.Future[None]) -> None:
        """Set the future once everything that is in the queue now has left it."""
        if self._left >= self._entered:
            if not future.done():
                future.set_result(None)
        else:
            self._waiting.append((self._entered, future))

    def cancel(self) -> None:
        """Nothing leaves the queue any more: cancel those who wait."""
        while self._waiting:
            self._waiting.popleft()[1].cancel()
