"""Puts the stream chunks of one task into order (B10.1). No clock, no I/O.

Chunks are numbered from 0 per attempt. The next one is passed on at once; later ones are held for
the gap, for at most ``HOLD_MS``, and then passed on in order of their numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

from hatchet_engine.turn.deliveries import RunEvent

HOLD_MS = 5_000
HELD_MAX = 1_000  # chunks held for one task; more of them means that the gap won't be filled


class ChunkOrder:
    """The chunks of one task.

    >>> order = ChunkOrder()
    >>> from uuid import uuid4
    >>> chunk = lambda index: RunEvent(uuid4(), uuid4(), "STREAM", str(index), 0, index, 0)
    >>> [event.payload for event in order.push(chunk(1), 0)]
    []
    >>> [event.payload for event in order.push(chunk(0), 0)]
    ['0', '1']
    """

    def __init__(self) -> None:
        self._next = 0
        self._held: dict[int, RunEvent] = {}
        self.due_ms: int | None = None  # when what is held must be passed on

    def push(self, event: RunEvent, now_ms: int) -> list[RunEvent]:
        """What can be passed on now."""
        index = event.index
        if index is None:
            return [event]
        if index < self._next:
            # A new attempt numbers from 0 again; anything else is late and better than nothing.
            if index == 0:
                held = self.flush()
                self._next = 1
                return [*held, event]
            return [event]
        self._held[index] = event
        passed = list(self._take())
        if len(self._held) > HELD_MAX:
            passed += self.flush()
        if not self._held:
            self.due_ms = None
        elif passed or self.due_ms is None:
            self.due_ms = now_ms + HOLD_MS
        return passed

    def flush(self) -> list[RunEvent]:
        """Everything that is held, in order; gaps are given up."""
        held = [self._held[index] for index in sorted(self._held)]
        if held:
            self._next = max(self._held) + 1
        self._held.clear()
        self.due_ms = None
        return held

    def restart(self) -> list[RunEvent]:
        """The attempt is over: flush, and count from 0 again."""
        held = self.flush()
        self._next = 0
        return held

    def _take(self) -> Iterator[RunEvent]:
        while self._next in self._held:
            yield self._held.pop(self._next)
            self._next += 1
