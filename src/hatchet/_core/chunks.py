"""Cutting a bulk into requests: by count and by bytes."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

ITEMS_PER_TRIGGER = 1000
FRAME_OVERHEAD_BYTES = 1024

T = TypeVar("T")


def chunked(
    sized: Iterable[tuple[T, int]], max_bytes: int, max_items: int = ITEMS_PER_TRIGGER
) -> Iterator[list[T]]:
    """Consecutive lists of at most `max_items` items and `max_bytes` bytes.

    An item larger than `max_bytes` stands alone; whoever sends it decides.

    >>> list(chunked([("a", 4), ("b", 4), ("c", 4)], max_bytes=8))
    [['a', 'b'], ['c']]
    """
    chunk: list[T] = []
    total = 0
    for item, size in sized:
        if chunk and (total + size > max_bytes or len(chunk) >= max_items):
            yield chunk
            chunk, total = [], 0
        chunk.append(item)
        total += size
    if chunk:
        yield chunk
