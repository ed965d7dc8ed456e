"""A client in memory that says exactly what a test wants, and an application that writes down what
it hears."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from hpack import Decoder, Encoder

from hatchet_engine.transports.http2 import frames as f
from hatchet_engine.transports.http2.connection import Connection
from hatchet_engine.transports.http2.errors import ErrorCode
from hatchet_engine.transports.http2.limits import Limits
from hatchet_engine.transports.http2.requests import Request
from hatchet_engine.transports.http2.stream import Stream

NAMES = {
    f.DATA: "DATA",
    f.HEADERS: "HEADERS",
    f.RST_STREAM: "RST_STREAM",
    f.SETTINGS: "SETTINGS",
    f.PING: "PING",
    f.GOAWAY: "GOAWAY",
    f.WINDOW_UPDATE: "WINDOW_UPDATE",
    f.CONTINUATION: "CONTINUATION",
}
CALL = (
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/test.Service/Unary"),
    (":authority", "localhost"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
)


class Frame(NamedTuple):
    name: str
    flags: int
    stream_id: int
    payload: bytes

    @property
    def number(self) -> int:
        return f.number(self.payload)

    @property
    def ended(self) -> bool:
        return bool(self.flags & f.END_STREAM)


def parse_frames(data: bytes) -> list[Frame]:
    found, position = [], 0
    while position < len(data):
        high, low, kind, flags, stream_id = f.HEADER.unpack_from(data, position)
        start, length = position + f.HEADER_BYTES, high << 8 | low
        position = start + length
        assert position <= len(data)
        found.append(Frame(NAMES[kind], flags, stream_id, data[start:position]))
    return found


class Heard:
    """A stream's handler that only writes down."""

    def __init__(self, stream: Stream, request: Request) -> None:
        self.stream = stream
        self.request = request
        self.body = b""
        self.ended = False
        self.gone_with: int | None = None
        self.room = 0

    def data(self, payload: bytes, ended: bool) -> None:
        assert not self.ended
        assert self.gone_with is None
        self.body += payload
        self.ended = ended

    def gone(self, code: int) -> None:
        assert self.gone_with is None
        self.gone_with = code

    def writable(self) -> None:
        self.room += 1


class Application:
    def __init__(self) -> None:
        self.heard: list[Heard] = []

    def request(self, stream: Stream, request: Request) -> Heard:
        self.heard.append(Heard(stream, request))
        return self.heard[-1]


class Peer:
    def __init__(self, application: Any = None, *, greet: bool = True, **limits: int) -> None:
        self.application = application or Application()
        self.now_s = 1_000.0
        self.connection = Connection(
            self.application, Limits(**limits), lambda: self.now_s, lambda: None
        )
        self.encoder = Encoder()
        self.decoder = Decoder()
        self.last_id = -1
        self.greeting: list[Frame] = []
        if greet:
            self.greeting = self.send(f.PREFACE + f.settings(()))

    @property
    def heard(self) -> list[Heard]:
        found: list[Heard] = self.application.heard
        return found

    def send(self, *data: bytes) -> list[Frame]:
        """Say this at once; returns what comes back."""
        self.connection.receive(b"".join(data))
        return self.read()

    def read(self) -> list[Frame]:
        return parse_frames(self.connection.take())

    def block(self, fields: Iterable[tuple[str, str]] = CALL) -> bytes:
        return self.encoder.encode(list(fields))

    def head(
        self, fields: Iterable[tuple[str, str]] = CALL, *, flags: int = f.END_HEADERS
    ) -> bytes:
        """HEADERS on the next stream."""
        self.last_id += 2
        return f.frame(f.HEADERS, flags, self.last_id, self.block(fields))

    def data(self, payload: bytes, *, end: bool = False, stream_id: int = 0) -> bytes:
        flags = f.END_STREAM if end else 0
        return f.frame(f.DATA, flags, stream_id or self.last_id, payload)

    def fields(self, frame: Frame) -> dict[str, str]:
        return {str(name): str(value) for name, value in self.decoder.decode(frame.payload)}


def goodbye(answer: list[Frame]) -> ErrorCode:
    """The code of the GOAWAY that these frames end with."""
    assert answer, "no GOAWAY"
    assert answer[-1].name == "GOAWAY", answer
    return ErrorCode(int.from_bytes(answer[-1].payload[4:8], "big"))


def resets(answer: list[Frame]) -> list[tuple[int, ErrorCode]]:
    return [(one.stream_id, ErrorCode(one.number)) for one in answer if one.name == "RST_STREAM"]
