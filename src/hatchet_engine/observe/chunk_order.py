"""Puts the stream chunks of one attempt into order (B10.1, S-6). No clock, no I/O.

Chunks are numbered from 0 per attempt. The next one is passed on at once; later ones are held for
the gap, for at most ``HOLD_MS``, and then passed on in order of their numbers. Whatever comes next
after such a gap starts the count anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hatchet_engine.domain.index_ranges import IndexRanges
from hatchet_engine.store.streams import Chunk

HOLD_MS = 5_000
HELD_MAX = 1_000  # chunks held for one task; more of them means that the gap won't be filled


class ChunkOrder:
    """The chunks of one attempt of a task. ``passed``: ranges of indexes that are there already;
    the first one after them is expected next.

    >>> from uuid import UUID
    >>> nil = UUID(int=0)
    >>> chunk = lambda index: Chunk(nil, nil, nil, 0, index, b"")
    >>> order = ChunkOrder()
    >>> [one.index for one in order.push(chunk(1), 0)]
    []
    >>> [one.index for one in order.push(chunk(0), 0)]
    [0, 1]
    >>> order.repeats(1), order.repeats(2)
    (True, False)
    """

    __slots__ = ("_anew", "_held", "_next", "_passed", "due_ms")

    def __init__(self, passed: Iterable[tuple[int, int]] = ()) -> None:
        self._passed = IndexRanges(passed)
        self._next = self._passed.end
        self._anew = False  # the next one to come starts the count
        self._held: dict[int, Chunk] = {}
        self.due_ms: int | None = None  # when what is held must be passed on

    def repeats(self, index: int) -> bool:
        """Whether a chunk with this index has come before."""
        return index != self._next and (index in self._passed or index in self._held)

    def push(self, chunk: Chunk, now_ms: int) -> list[Chunk]:
        """What can be passed on now."""
        index = chunk.index
        if index is None:
            return [chunk]
        if self._anew:
            self._anew = False
            self._next = self._passed.after(index)
        if index == self._next and not self._held:
            self._pass_next()
            return [chunk]
        if index < self._next:
            self._passed.add(index)
            return [chunk]  # late, or a repetition: better than nothing
        if index in self._held:
            return [chunk]
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
        indexes = sorted(self._held)
        held = [self._held.pop(index) for index in indexes]
        for index in indexes:
            self._passed.add(index)
        self._anew = self._anew or bool(held)
        self.due_ms = None
        return held

    def _take(self) -> Iterator[Chunk]:
        while (chunk := self._held.pop(self._next, None)) is not None:
            self._pass_next()
            yield chunk

    def _pass_next(self) -> None:
        self._passed.add(self._next)
        self._next = self._passed.after(self._next)
