"""The bound on chunks of streams that the engine has not yet acknowledged."""

import asyncio
import contextlib
import threading
import time

from hatchet._run.logs import DropWarning
from hatchet._run.reply import Reply, Wakeups

CHUNK_BACKLOG_BYTES = 8 << 20
CHUNK_OVERHEAD_BYTES = 128  # what a chunk costs beside its data
CHUNK_PATIENCE_S = 60.0


class ChunkBacklog:
    """Counts chunks from the task that puts them until the engine has acknowledged them.

    At most `CHUNK_BACKLOG_BYTES` of them are kept; whoever puts more waits. Only when the engine
    has acknowledged nothing for `CHUNK_PATIENCE_S` (it is away), and for those who can not wait
    because they block an event loop, the chunk is dropped and counted.
    """

    def __init__(self, limit: int = CHUNK_BACKLOG_BYTES) -> None:
        self.dropped = 0
        self._limit = limit
        self._lock = threading.Lock()
        self._bytes = 0
        self._room: Reply[None] | None = None
        self._moved_at = time.monotonic()  # when a chunk was last acknowledged, or the first put
        self._warning = DropWarning(
            "chunks of streams", f"nothing was acknowledged for {CHUNK_PATIENCE_S:g} s"
        )

    def enter(self, size: int) -> bool:
        """Take room for a chunk of `size` bytes of data; False: it must be dropped.

        Waits for room, but not on an event loop.
        """
        while (room := self.take(size)) is not None:
            rest_s = 0.0 if _in_event_loop() else self._patience_s()
            if rest_s <= 0:
                return self._drop()
            with contextlib.suppress(TimeoutError):
                room.wait(rest_s)
        return True

    async def aio_enter(self, size: int) -> bool:
        """Like `enter`, from async code: always waits."""
        while (room := self.take(size)) is not None:
            rest_s = self._patience_s()
            if rest_s <= 0:
                return self._drop()
            with contextlib.suppress(TimeoutError):
                await room.aio(rest_s)
        return True

    def take(self, size: int) -> Reply[None] | None:
        """Any thread: room for a chunk is taken (None), or what tells when to ask again.

        A chunk that alone exceeds the limit finds room when nothing else waits.
        """
        size += CHUNK_OVERHEAD_BYTES
        with self._lock:
            if self._bytes == 0:
                self._moved_at = time.monotonic()
            elif self._bytes + size > self._limit:
                if self._room is None:
                    self._room = Reply()
                return self._room
            self._bytes += size
            return None

    def leave(self, sizes: list[int], wakeups: Wakeups) -> None:
        """I/O thread: chunks of so many bytes of data were acknowledged, or given up."""
        with self._lock:
            self._bytes -= sum(sizes) + len(sizes) * CHUNK_OVERHEAD_BYTES
            self._moved_at = time.monotonic()
            if self._room is None or self._bytes * 2 > self._limit:
                return
            room, self._room = self._room, None
        room.settle(wakeups)

    def _patience_s(self) -> float:
        return self._moved_at + CHUNK_PATIENCE_S - time.monotonic()

    def _drop(self) -> bool:
        with self._lock:
            self.dropped += 1
        self._warning.count()
        return False


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
