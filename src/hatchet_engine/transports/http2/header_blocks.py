"""Header blocks in both directions: decoding with a memory, encoding without any.

Clients send the same block again and again. Decoding takes 20 times as long as looking the block up
among those seen before; that is right as long as neither the block nor anything since has changed
the decoder's dynamic table, so a change forgets everything.
"""

from __future__ import annotations

from collections.abc import Iterable

from hpack import HPACKError, OversizedHeaderListError
from hpack.table import HeaderTable

from hatchet_engine.transports.http2.errors import ConnectionFailed, ErrorCode
from hatchet_engine.transports.http2.field_decoder import Table, decode_fields
from hatchet_engine.transports.http2.limits import Limits
from hatchet_engine.transports.http2.requests import Request, parse_request, trailers_problem

MEMORY_BLOCKS = 64
MEMORY_BLOCK_BYTES = 4_096  # longer blocks are not remembered

# What the decoder itself bears before it gives up, and with it the connection. Between this and the
# limit for a request, only the request is refused. A byte may stand for a long field.
DECODED_TIMES_LIMIT = 2


class HeaderBlocks:
    """The receiving half of a connection's header compression."""

    def __init__(self, limits: Limits) -> None:
        self._list_bytes = limits.header_list_bytes
        self._table = Table()
        self._memory: dict[bytes, Request] = {}

    def request(self, block: bytes) -> Request:
        known = self._memory.get(block)
        if known is not None:
            return known
        before = self._table.changes
        request = parse_request(self._decode(block), self._list_bytes)
        if self._table.changes != before:
            self._memory.clear()
        elif len(block) <= MEMORY_BLOCK_BYTES:
            if len(self._memory) >= MEMORY_BLOCKS:
                self._memory.clear()
            self._memory[block] = request
        return request

    def trailers(self, block: bytes) -> str | None:
        """What is wrong with them; servers of gRPC need nothing else of trailers."""
        before = self._table.changes
        problem = trailers_problem(self._decode(block))
        if self._table.changes != before:
            self._memory.clear()
        return problem

    def _decode(self, block: bytes) -> list[tuple[bytes, bytes]]:
        try:
            return decode_fields(block, self._table, self._list_bytes * DECODED_TIMES_LIMIT)
        except OversizedHeaderListError:
            raise ConnectionFailed(
                ErrorCode.ENHANCE_YOUR_CALM, "the header list is far too large"
            ) from None
        except (HPACKError, IndexError, ValueError) as error:
            raise ConnectionFailed(ErrorCode.COMPRESSION_ERROR, str(error)) from None


def encode_fields(fields: Iterable[tuple[str, str]]) -> bytes:
    """A block that neither reads nor changes any dynamic table: it fits every connection."""
    parts: list[bytes] = []
    for name, value in fields:
        index = _STATIC.get((name, value))
        if index is not None:
            parts.append(_integer(index, 7, 0x80))
            continue
        parts.append(b"\x00" + _text(name) + _text(value))
    return b"".join(parts)


def _text(text: str) -> bytes:
    data = text.encode("latin-1")
    return _integer(len(data), 7, 0) + data


def _integer(value: int, prefix_bits: int, flags: int) -> bytes:
    limit = (1 << prefix_bits) - 1
    if value < limit:
        return bytes((flags | value,))
    encoded = bytearray((flags | limit,))
    value -= limit
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


_STATIC = {
    (name.decode(), value.decode()): index
    for index, (name, value) in enumerate(HeaderTable.STATIC_TABLE, 1)
    if value
}
