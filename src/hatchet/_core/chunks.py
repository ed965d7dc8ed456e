"""Cutting what is large: a bulk into requests, a chunk of a stream into pieces."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

ITEMS_PER_TRIGGER = 1000
FRAME_OVERHEAD_BYTES = 1024

PIECE_BYTES = 256 * 1024  # of a stream: far below the size of a frame

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


def pieces(data: str | bytes, max_bytes: int = PIECE_BYTES) -> Iterator[bytes]:
    """Bytes of a chunk in pieces of at most `max_bytes` (4 or more); no character is cut.

    >>> list(pieces("aé", max_bytes=4)), list(pieces("aaé", max_bytes=4))
    ([b'a\xc3\xa9'], [b'aa\xc3\xa9'])
    >>> list(pieces("aaaé", max_bytes=4))
    [b'aaa', b'\xc3\xa9']
    """
    content = data.encode(errors="replace") if isinstance(data, str) else bytes(data)
    start = 0
    while len(content) - start > max_bytes:
        end = start + max_bytes
        for back in range(min(4, max_bytes)):  # a character has at most 4 bytes
            if content[end - back] & 0xC0 != 0x80:  # not inside of one
                end -= back
                break
        yield content[start:end]
        start = end
    yield content[start:]
