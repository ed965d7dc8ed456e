"""Decodes header blocks (RFC 7541) with the tables, integers and Huffman code of ``hpack``.

Only the loop over the fields is our own: it makes no objects beside names and values, which is
several times as fast. Clients that send another timeout with each call need it each time.
"""

from __future__ import annotations

from hpack import HPACKError, OversizedHeaderListError
from hpack.hpack import decode_integer
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

TABLE_BYTES = 4_096  # the size of the dynamic table by default; we announce no other
FIELD_BYTES = 32  # that each field counts beside its name and value

TEXTS_MAX = 512  # Huffman codes that are remembered, for all connections
TEXT_BYTES_MAX = 64  # of each
_texts: dict[bytes, bytes] = {}


class Table(HeaderTable):
    """Tells when it may have changed."""

    def __init__(self) -> None:
        super().__init__()
        self.changes = 0

    def add(self, name: bytes, value: bytes) -> None:
        self.changes += 1
        super().add(name, value)

    def resize(self, size: int) -> None:
        self.changes += 1
        self.maxsize = size


def decode_fields(block: bytes, table: Table, list_bytes_max: int) -> list[tuple[bytes, bytes]]:
    """Raises ``HPACKError`` or ``IndexError`` for what is no header block; the table can't be used
    any more then."""
    fields: list[tuple[bytes, bytes]] = []
    position, size, list_bytes = 0, len(block), 0
    while position < size:
        byte = block[position]
        if byte & 0x80:  # a field of the table
            index, position = _integer(block, position, 7)
            field = table.get_by_index(index)
        elif byte & 0xE0 == 0x20:  # another size of the table
            if fields:
                raise HPACKError("a table size after fields")
            new_size, position = _integer(block, position, 5)
            if new_size > TABLE_BYTES:
                raise HPACKError("the table is larger than announced")
            table.resize(new_size)
            continue
        else:  # a field of its own, that may enter the table
            enters = byte & 0x40
            index, position = _integer(block, position, 6 if enters else 4)
            if index:
                name = table.get_by_index(index)[0]
            else:
                name, position = _text(block, position)
            value, position = _text(block, position)
            field = (name, value)
            if enters:
                table.add(name, value)
        fields.append(field)
        list_bytes += len(field[0]) + len(field[1]) + FIELD_BYTES
        if list_bytes > list_bytes_max:
            raise OversizedHeaderListError("the header list is too large")
    return fields


def _integer(block: bytes, position: int, prefix_bits: int) -> tuple[int, int]:
    """A number, and where it ends."""
    mask = (1 << prefix_bits) - 1
    value = block[position] & mask
    if value != mask:
        return value, position + 1
    value, length = decode_integer(block[position : position + 8], prefix_bits)
    return value, position + length


def _text(block: bytes, position: int) -> tuple[bytes, int]:
    """A string, and where it ends."""
    coded = block[position] & 0x80
    length, start = _integer(block, position, 7)
    stop = start + length
    text = block[start:stop]
    if len(text) != length:
        raise HPACKError("the header block is truncated")
    return (_huffman(text) if coded else text), stop


def _huffman(code: bytes) -> bytes:
    text = _texts.get(code)
    if text is None:
        text = decode_huffman(code)
        if len(code) <= TEXT_BYTES_MAX:
            if len(_texts) >= TEXTS_MAX:
                _texts.clear()
            _texts[code] = text
    return text
