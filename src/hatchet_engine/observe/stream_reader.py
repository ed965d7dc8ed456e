"""Reads the stream of one run from any position: what is stored first, then what comes live.

The reader is entered as a live one before it reads the table, so a chunk that is stored in between
comes by one way or the other, and ids tell what came by both. When live chunks pile up they are
let go, and the table is read again from where the reader stands: a slow reader loses nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from uuid import UUID

import asyncpg

from hatchet_engine.store import streams
from hatchet_engine.store.streams import Chunk

PAGE_CHUNKS_MAX = 500
PAGE_BYTES_MAX = 4 * 1024 * 1024
LIVE_CHUNKS_MAX = 1_000
LIVE_BYTES_MAX = 4 * 1024 * 1024


class ChunkReader:
    """``position``: how many chunks of the run have been passed on or skipped."""

    def __init__(self, pool: asyncpg.Pool, tenant_id: UUID, run_id: UUID, skip: int = 0) -> None:
        self.position = 0
        self._pool = pool
        self._tenant_id = tenant_id
        self._run_id = run_id
        self._skip = skip
        self._after = streams.before_run(run_id)
        self._placed = skip == 0
        self._behind = True  # the table has to be read
        self._live: deque[Chunk] = deque()
        self._live_bytes = 0

    def deliver(self, chunks: Sequence[Chunk]) -> None:
        """Chunks of this run that were just stored, in order."""
        if self._behind:
            return
        self._live.extend(chunks)
        self._live_bytes += sum(len(chunk.data) for chunk in chunks)
        if len(self._live) > LIVE_CHUNKS_MAX or self._live_bytes > LIVE_BYTES_MAX:
            self._fall_behind()

    async def take(self) -> list[Chunk]:
        """The next chunks; empty: there are no more now."""
        if not self._placed:
            await self._place()
        while True:
            found = await self._read() if self._behind else self._take_live()
            if not found:
                return found
            passed = self.position
            self.position += len(found)
            self._after = found[-1].id
            if passed >= self._skip:
                return found
            if found := found[self._skip - passed :]:
                return found

    def _fall_behind(self) -> None:
        self._behind = True
        self._live.clear()
        self._live_bytes = 0

    def _take_live(self) -> list[Chunk]:
        found = [chunk for chunk in self._live if chunk.id > self._after]
        self._live.clear()
        self._live_bytes = 0
        return found

    async def _read(self) -> list[Chunk]:
        self._behind = False  # before the look: what is stored from now on is delivered
        try:
            found = await streams.page(
                self._pool,
                self._tenant_id,
                self._run_id,
                self._after,
                PAGE_CHUNKS_MAX,
                PAGE_BYTES_MAX,
            )
        except BaseException:
            self._fall_behind()
            raise
        if found:
            self._fall_behind()  # there may be more
            return found
        return self._take_live()

    async def _place(self) -> None:
        """Go to the position at once, if the table has so many; else they are counted."""
        last_skipped = self._skip - 1
        found = await streams.chunk_at(self._pool, self._tenant_id, self._run_id, last_skipped)
        if found is not None:
            self._after = found
            self.position = self._skip
        self._placed = True
