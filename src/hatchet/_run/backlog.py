"""The bound on chunks of streams that wait to be written."""

import threading

from hatchet._run.reply import Reply, Wakeups

CHUNK_BACKLOG_BYTES = 8 << 20


class ChunkBacklog:
    """Counts bytes of chunks between the task that puts them and the writer."""

    def __init__(self, limit: int = CHUNK_BACKLOG_BYTES) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._bytes = 0
        self._room: Reply[None] | None = None

    def take(self, size: int) -> Reply[None] | None:
        """Any thread: room for `size` bytes is taken (None), or what tells when to ask again.

        A chunk that alone exceeds the limit finds room when nothing else waits.
        """
        with self._lock:
            if self._bytes == 0 or self._bytes + size <= self._limit:
                self._bytes += size
                return None
            if self._room is None:
                self._room = Reply()
            return self._room

    def written(self, size: int, wakeups: Wakeups) -> None:
        """I/O thread: a chunk has left."""
        with self._lock:
            self._bytes -= size
            if self._room is None or self._bytes * 2 > self._limit:
                return
            room, self._room = self._room, None
        room.settle(wakeups)
