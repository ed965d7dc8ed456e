"""A word to those who knock with HTTP/1: browsers, health checks, REST clients."""

from __future__ import annotations

import re

_START = re.compile(rb"[A-Z]{3,12} ")
_MAYBE = re.compile(rb"[A-Z]{0,12}")
_TEXT = b"This port speaks gRPC (HTTP/2) only. REST and the dashboard are on the HTTP port.\n"
_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\n"
    b"content-type: text/plain; charset=utf-8\r\n"
    b"content-length: " + str(len(_TEXT)).encode() + b"\r\n"
    b"connection: close\r\n\r\n" + _TEXT
)


def answer_to_http1(data: bytes) -> bytes | None:
    """What to answer to a first line; nothing if it is none, None if it is not clear yet."""
    if _START.match(data):
        return _ANSWER
    return None if _MAYBE.fullmatch(data) else b""
