"""Ids: UUIDv7, made by the engine, ordered by creation even within one millisecond.

Layout: 48 bits of milliseconds, version, then a counter that starts at random and grows by one per
id, then random bits. Order matters: the queue is FIFO by task id (Q-1), and history tables are
partitioned by it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from uuid import UUID, uuid5

RANDOM_BYTES_PER_ID = 7

_VERSION = 0x7 << 76
_VARIANT = 0x2 << 62
_COUNTER_BITS = 18  # 12 bits beside the version, 6 more below the variant
_COUNTER_MAX = (1 << _COUNTER_BITS) - 1


class IdSource:
    """Makes ids. ``random_bytes(n)`` is the only source of randomness (``os.urandom`` in the
    product, seeded in tests); ``make`` is how 16 bytes become a UUID object (asyncpg's own UUID
    class is twice as fast as the standard one and equal to it).

    >>> import random
    >>> ids = IdSource(random.Random(1).randbytes)
    >>> ids.new(5) < ids.new(5) < ids.new(4)
    True
    """

    __slots__ = ("_counter", "_last_ms", "_make", "_pool", "_position", "_random_bytes")

    _POOL = 512

    def __init__(
        self,
        random_bytes: Callable[[int], bytes],
        make: Callable[[bytes], UUID] = lambda raw: UUID(bytes=raw),
    ) -> None:
        self._random_bytes = random_bytes
        self._make = make
        self._last_ms = 0
        self._counter = 0
        self._pool = b""
        self._position = 0

    def new(self, now_ms: int) -> UUID:
        """The next id; larger than all before, also when the clock stands still or steps back."""
        random = self._random()
        if now_ms > self._last_ms:
            self._last_ms = now_ms
            self._counter = (random >> 38) & (_COUNTER_MAX >> 1)
        else:
            self._counter += 1
            if self._counter > _COUNTER_MAX:
                self._last_ms += 1
                self._counter = 0
        counter = self._counter
        value = (
            self._last_ms << 80
            | _VERSION
            | (counter >> 6) << 64
            | _VARIANT
            | (counter & 0x3F) << 56
            | (random & 0xFFFFFFFFFFFFFF)
        )
        return self._make(value.to_bytes(16, "big"))

    def _random(self) -> int:
        start = self._position
        end = start + RANDOM_BYTES_PER_ID
        if end > len(self._pool):
            self._pool = self._random_bytes(RANDOM_BYTES_PER_ID * self._POOL)
            start, end = 0, RANDOM_BYTES_PER_ID
        self._position = end
        return int.from_bytes(self._pool[start:end], "big")


def time_ms(id: UUID) -> int:
    """The creation time inside a UUIDv7, epoch milliseconds."""
    return int.from_bytes(id.bytes[:6], "big")


def lowest(at_ms: int) -> UUID:
    """The smallest id of a millisecond: bounds of partitions and of time windows."""
    return UUID(bytes=at_ms.to_bytes(6, "big") + bytes(10))


@lru_cache(maxsize=10_000)
def step_id(version_id: UUID, step: int) -> UUID:
    """The public id of a task definition: fixed by its version and position."""
    return uuid5(UUID(bytes=version_id.bytes), str(step))
