"""Puts the stream chunks of one attempt into order (B10.1, S-6). No clock, no I/O.

Chunks are numbered from 0 per attempt. The next one is passed on at once; later ones are held for
the gap, for at most ``HOLD_MS``, and then passed on in order of their numbers. Whatever comes next
after such a gap starts the count anew.
"""

from __future__ import annotations

from collections.abc import Iterator

from hatchet_engine.store.streams import Chunk

HOLD_MS = 5_000
HELD_MAX = 1_000  # chunks held for one task; more of them means that the gap won't be filled


class ChunkOrder:
    """The chunks of one attempt of a task. ``expected`` is the index of the first one.

    >>> from uuid import UUID
    >>> nil = UUID(int=0)
    >>> chunk = lambda index: Chunk(nil, nil, nil, 0, index, b"")
    >>> order = ChunkOrder()
    >>> [one.index for one in order.push(chunk(1), 0)]
    []
    >>> [one.index for one in order.push(chunk(0), 0)]
    [0, 1]
    """

    __slots__ = ("_anew", "_held", "_next", "due_ms")

    def __init__(self, expected: int = 0) -> None:
        self._next = expected
        self._anew = False  # the next one to come starts the count
        self._held: dict[int, Chunk] = {}
        self.due_ms: int | None = None  # when what is held must be passed on

    def push(self, chunk: Chunk, now_ms: int) -> list[Chunk]:
        """What can be passed on now."""
        index = chunk.index
        if index is None:
            return [chunk]
        if self._anew:
            self._anew = False
            self._next = index
        if index < self._next or index in self._held:
            return [chunk]  # late, or a repetition: better than nothing
        self._held[index] = chunk
        passed = list(self._take())
        if len(self._held) > HELD_MAX:
            passed += self.flush()
        if not self._held:
            self.due_ms = None
        elif passed or self.due_ms is None:
            self.due_ms = now_ms + HOLD_MS
        return passed

    def flush(self) -> list[Chunk]:
        """Everything that is held, in order; gaps are given up."""
        held = [self._held[index] for index in sorted(self._held)]
        if held:
            self._anew = True
            self._held.clear()
        self.due_ms = None
        return held

    def _take(self) -> Iterator[Chunk]:
        while self._next in self._held:
            yield self._held.pop(self._next)
            self._next += 1
