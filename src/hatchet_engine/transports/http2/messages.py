"""Messages of gRPC, cut out of the stream of bytes they come in."""

from __future__ import annotations

import zlib
from collections import deque

from hatchet_engine.transports.http2.status import GrpcError, Status

PREFIX_BYTES = 5
QUEUED_MESSAGE_BYTES = 128  # of memory, beside the message
_GZIP = 31  # tells zlib to expect gzip's header and checksum


def framed(message: bytes) -> bytes:
    """A message with its prefix, not compressed."""
    return b"\x00" + len(message).to_bytes(4, "big") + message


class MessageReader:
    """Takes bytes in pieces, gives whole messages. Raises ``GrpcError``."""

    __slots__ = ("_body", "_bytes_max", "_gzip", "_missing", "_prefix", "kept_bytes", "ready")

    def __init__(self, bytes_max: int, gzip: bool) -> None:
        self._bytes_max = bytes_max
        self._gzip = gzip
        self._prefix = b""
        self._body = bytearray()  # of the message under way, when it comes in several pieces
        self._missing = -1  # bytes of the message under way; -1: its prefix is not complete
        self.ready: deque[bytes] = deque()
        self.kept_bytes = 0  # of memory: for what is ready, and for what is not

    @property
    def incomplete(self) -> bool:
        return bool(self._prefix)

    def take(self) -> bytes:
        """The first that is ready."""
        message = self.ready.popleft()
        self.kept_bytes -= len(message) + QUEUED_MESSAGE_BYTES
        return message

    def feed(self, data: bytes) -> None:
        position, size = 0, len(data)
        while position < size or not self._missing:
            if self._missing < 0:
                taken = PREFIX_BYTES - len(self._prefix)
                self._prefix += data[position : position + taken]
                position += taken
                if len(self._prefix) < PREFIX_BYTES:
                    return
                self._begin()
                continue
            part = data[position : position + self._missing]
            position += len(part)
            self._missing -= len(part)
            if self._missing:
                self._body += part
                self.kept_bytes += len(part)
                continue
            if self._body:
                self.kept_bytes -= len(self._body)
                self._body += part
                part = bytes(self._body)
                self._body = bytearray()
            self._finish(part)

    def _begin(self) -> None:
        flag = self._prefix[0]
        if flag > 1:
            raise GrpcError(Status.INTERNAL, f"unknown compression flag {flag} of a message")
        if flag and not self._gzip:
            raise GrpcError(Status.INTERNAL, "a compressed message, but grpc-encoding names none")
        length = int.from_bytes(self._prefix[1:], "big")
        if length > self._bytes_max:
            raise too_large(length, self._bytes_max)
        self._missing = length

    def _finish(self, message: bytes) -> None:
        if self._prefix[0]:
            message = gunzip(message, self._bytes_max)
        self._prefix = b""
        self._missing = -1
        self.ready.append(message)
        self.kept_bytes += len(message) + QUEUED_MESSAGE_BYTES


def too_large(size: int, bytes_max: int) -> GrpcError:
    return GrpcError(
        Status.RESOURCE_EXHAUSTED, f"Received message larger than max ({size} vs. {bytes_max})"
    )


def gunzip(data: bytes, bytes_max: int) -> bytes:
    """Never makes more than ``bytes_max`` bytes, whatever the data would expand to."""
    inflater = zlib.decompressobj(_GZIP)
    try:
        message = inflater.decompress(data, bytes_max + 1)
        if len(message) <= bytes_max and not inflater.eof:
            # The end of the stream may need another look although no more bytes come of it.
            message += inflater.decompress(inflater.unconsumed_tail, 1)
    except zlib.error:
        raise GrpcError(Status.INTERNAL, "the message can't be decompressed") from None
    if len(message) > bytes_max:
        raise too_large(len(message), bytes_max)
    if not inflater.eof or inflater.unused_data:
        raise GrpcError(Status.INTERNAL, "the message can't be decompressed")
    return message
