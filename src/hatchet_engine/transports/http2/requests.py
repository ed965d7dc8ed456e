"""A request's head: what HTTP/2 demands of its fields (RFC 9113, 8.2 and 8.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_BAD_VALUE = re.compile(rb"[\x00\r\n]|^[ \t]|[ \t]$")
_PSEUDO = frozenset((b":method", b":scheme", b":path", b":authority"))
_OF_CONNECTIONS = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)


class Request:
    """Shared by all requests whose header block was the same, so it must not be changed.

    ``problem`` says why it is malformed. ``oversized``: the fields were not kept. ``note`` is for
    the layer above, which looks at a request once.
    """

    __slots__ = ("content_length", "fields", "method", "note", "oversized", "path", "problem")

    def __init__(self) -> None:
        self.method = ""
        self.path = ""
        # Repeated names are joined by commas, as HTTP says.
        self.fields: dict[str, str] = {}
        self.content_length: int | None = None
        self.problem: str | None = None
        self.oversized = False
        self.note: object = None


def parse_request(pairs: Iterable[tuple[bytes, bytes]], list_bytes_max: int) -> Request:
    request = Request()
    pseudo: dict[bytes, bytes] = {}
    fields = request.fields
    size = 0
    for name, value in pairs:
        size += len(name) + len(value) + 32
        if size > list_bytes_max:
            request.oversized = True
            continue
        if name[:1] == b":":
            if fields or name not in _PSEUDO or name in pseudo or _BAD_VALUE.search(value):
                request.problem = f"misplaced or unknown field {name!r}"
                return request
            pseudo[name] = value
            continue
        request.problem = field_problem(name, value)
        if request.problem is not None:
            return request
        key, text = name.decode("ascii"), value.decode("latin-1")
        fields[key] = f"{fields[key]},{text}" if key in fields else text
    _finish(request, pseudo)
    return request


def _finish(request: Request, pseudo: dict[bytes, bytes]) -> None:
    if not (pseudo.get(b":method") and pseudo.get(b":scheme") and pseudo.get(b":path")):
        request.problem = ":method, :scheme and :path are required"
        return
    request.method = pseudo[b":method"].decode("latin-1")
    request.path = pseudo[b":path"].decode("latin-1")
    length = request.fields.get("content-length")
    if length is not None:
        if not (length.isascii() and length.isdigit() and len(length) < 20):
            request.problem = "content-length is no number"
            return
        request.content_length = int(length)


def trailers_problem(pairs: Iterable[tuple[bytes, bytes]]) -> str | None:
    for name, value in pairs:
        if name[:1] == b":":
            return f"misplaced field {name!r}"
        problem = field_problem(name, value)
        if problem is not None:
            return problem
    return None


def field_problem(name: bytes, value: bytes) -> str | None:
    if _NAME.fullmatch(name) is None:
        return f"invalid field name {name!r}"
    if _BAD_VALUE.search(value):
        return f"invalid value of field {name!r}"
    if name in _OF_CONNECTIONS or (name == b"te" and value != b"trailers"):
        return f"field {name!r} does not belong into HTTP/2"
    return None
