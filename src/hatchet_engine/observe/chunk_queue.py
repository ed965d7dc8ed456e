"""Stream chunks that were taken and are not yet stored: bounded, and worked off in batches."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Sequence
from uuid import UUID

from hatchet_engine.observe.chunk_store import ChunkStore, Superseded
from hatchet_engine.observe.marks import Marks
from hatchet_engine.store.streams import Chunk

QUEUE_CHUNKS_MAX = 20_000
QUEUE_BYTES_MAX = 64 * 1024 * 1024
BATCH_CHUNKS_MAX = 5_000
BATCH_BYTES_MAX = 8 * 1024 * 1024

_log = logging.getLogger(__name__)


class ChunkQueue:
    """``take`` counts a chunk, ``add`` puts it into the queue once its place is fixed.

    ``deliver`` gets chunks after they are stored, in order; it must not raise. ``dropped`` counts
    chunks that were taken but not stored: Postgres refused them, another node has taken over, or
    the stop ran out of time.
    """

    def __init__(self, store: ChunkStore, deliver: Callable[[Sequence[Chunk]], None]) -> None:
        self.dropped = 0
        self.stored = 0
        self.waiting = 0  # taken and not yet stored
        self._store = store
        self._deliver = deliver
        self._bytes = 0  # of them
        self._by_run: dict[UUID, int] = {}
        self._queue: deque[Chunk] = deque()  # in the order of their ids
        self._marks = Marks()
        self._room = asyncio.Event()
        self._closed = False

    def __bool__(self) -> bool:
        return bool(self._queue)

    @property
    def is_full(self) -> bool:
        return self.waiting >= QUEUE_CHUNKS_MAX or self._bytes >= QUEUE_BYTES_MAX

    async def room(self) -> None:
        """Wait until there is some, or the queue is closed."""
        while self.is_full and not self._closed:
            self._room.clear()
            await self._room.wait()

    def has_run(self, run_id: UUID) -> bool:
        return run_id in self._by_run

    def take(self, chunk: Chunk) -> None:
        self._store.begin()
        self.waiting += 1
        self._bytes += len(chunk.data)
        self._by_run[chunk.run_id] = self._by_run.get(chunk.run_id, 0) + 1

    def add(self, chunks: Collection[Chunk]) -> None:
        self._queue.extend(chunks)
        self._marks.enter(len(chunks))

    def reach(self, future: asyncio.Future[None]) -> None:
        """Set the future once everything that is in the queue now is stored."""
        self._marks.reach(future)

    async def store_batch(self) -> bool:
        """Store the next chunks, and deliver them. False: another node has owned the shard since
        they were taken; nothing of the queue may be stored."""
        batch = self._batch()
        try:
            stored = await self._store.store(batch)
        except Superseded:
            self._queue.extendleft(reversed(batch))
            return False
        self.stored += len(stored)
        self.dropped += len(batch) - len(stored)
        self._forget(batch)
        try:
            self._deliver(stored)
        except Exception:
            _log.exception("stream lane: chunks were not delivered; readers find them in the table")
        self._marks.leave(len(batch))
        return True

    def give_up(self) -> None:
        """Drop everything that is in the queue; those who wait for it are cancelled."""
        if self._queue:
            _log.warning("stream lane: %d chunks are given up", len(self._queue))
        self._marks.cancel()
        self.dropped += len(self._queue)
        self._forget(self._queue)
        self._marks.leave(len(self._queue))
        self._queue.clear()

    def close(self) -> None:
        """Nobody waits for room any more."""
        self._closed = True
        self._room.set()

    def end(self) -> None:
        """Nothing more is stored: count what is left, and cancel those who wait."""
        self.dropped += self.waiting
        self._marks.cancel()

    def _batch(self) -> list[Chunk]:
        queue = self._queue
        batch: list[Chunk] = []
        size = 0
        while queue and len(batch) < BATCH_CHUNKS_MAX and size < BATCH_BYTES_MAX:
            chunk = queue.popleft()
            size += len(chunk.data)
            batch.append(chunk)
        return batch

    def _forget(self, chunks: Collection[Chunk]) -> None:
        for chunk in chunks:
            self._bytes -= len(chunk.data)
            left = self._by_run[chunk.run_id] - 1
            if left:
                self._by_run[chunk.run_id] = left
            else:
                del self._by_run[chunk.run_id]
        self.waiting -= len(chunks)
        self._room.set()
