"""How gRPC says how a call ended."""

from __future__ import annotations

import base64
from enum import IntEnum
from functools import lru_cache

from hatchet_engine.transports.http2.header_blocks import encode_fields


class Status(IntEnum):
    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


INTERNAL_TEXT = "An internal error occurred."
# Clients bound what they take as trailers, 8 KiB by default; encoding may triple a text.
MESSAGE_BYTES_MAX = 2_048
DETAILS_BYTES_MAX = 4_096

CONTENT_TYPE = ("content-type", "application/grpc")
HEAD = encode_fields(((":status", "200"), CONTENT_TYPE))
OK_TRAILERS = encode_fields((("grpc-status", "0"),))

_PLAIN = frozenset(range(0x20, 0x7F)) - {0x25}


class GrpcError(Exception):
    """Ends a call with a status. ``details``: a serialised ``google.rpc.Status``."""

    def __init__(self, status: int, message: str, details: bytes | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details

    def fields(self) -> list[tuple[str, str]]:
        fields = [("grpc-status", str(int(self.status)))]
        if self.message:
            fields.append(("grpc-message", percent_encoded(self.message)))
        if self.details is not None and len(self.details) <= DETAILS_BYTES_MAX:
            encoded = base64.b64encode(self.details).decode("ascii").rstrip("=")
            fields.append(("grpc-status-details-bin", encoded))
        return fields

    def trailers(self) -> bytes:
        """For a response that has begun."""
        return encode_fields(self.fields())

    def only_headers(self) -> bytes:
        """For one that has not."""
        return HEAD + self.trailers()


def percent_encoded(text: str) -> str:
    """At most ``MESSAGE_BYTES_MAX`` bytes of a text, as ``grpc-message`` wants them."""
    data = text.encode("utf-8", "replace")
    if len(data) > MESSAGE_BYTES_MAX:
        data = data[:MESSAGE_BYTES_MAX].decode("utf-8", "ignore").encode("utf-8")
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in data)


@lru_cache(64)
def http_refusal(status: int) -> bytes:
    """For requests that are no gRPC calls."""
    return encode_fields(((":status", str(status)), ("content-length", "0")))
