"""What RFC 9113 calls a connection error ends the connection, with the right code."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hatchet_engine.transports.http2 import frames as f
from hatchet_engine.transports.http2.errors import ErrorCode
from tests.unit.http2.peer import CALL, Peer, goodbye

E = ErrorCode


def setting(key: int, value: int) -> bytes:
    return f.settings(((key, value),))


CASES: dict[str, tuple[Callable[[Peer], bytes], ErrorCode]] = {
    "frame larger than announced": (
        lambda p: b"\xff\xff\xff" + f.frame(f.DATA, 0, 1)[3:],
        E.FRAME_SIZE_ERROR,
    ),
    "data on stream 0": (lambda p: f.frame(f.DATA, 0, 0, b"x"), E.PROTOCOL_ERROR),
    "data on an idle stream": (lambda p: f.frame(f.DATA, 0, 5, b"x"), E.PROTOCOL_ERROR),
    "headers on stream 0": (lambda p: f.frame(f.HEADERS, 4, 0, b"\x82"), E.PROTOCOL_ERROR),
    "headers on an even stream": (lambda p: f.frame(f.HEADERS, 4, 2, b"\x82"), E.PROTOCOL_ERROR),
    "a stream below the last that was never used": (
        lambda p: f.frame(f.HEADERS, 5, 9, p.block()) + f.frame(f.HEADERS, 5, 3, p.block()),
        E.PROTOCOL_ERROR,
    ),
    "headers after the stream ended": (
        lambda p: p.head() + p.data(b"", end=True) + f.rst_stream(1, 8) + _again(p),
        E.STREAM_CLOSED,
    ),
    "reset of an idle stream": (lambda p: f.rst_stream(1, 0), E.PROTOCOL_ERROR),
    "reset of stream 0": (lambda p: f.rst_stream(0, 0), E.PROTOCOL_ERROR),
    "reset of the wrong size": (
        lambda p: p.head() + f.frame(f.RST_STREAM, 0, 1, b"abc"),
        E.FRAME_SIZE_ERROR,
    ),
    "settings of a stream": (lambda p: f.frame(f.SETTINGS, 0, 1), E.PROTOCOL_ERROR),
    "settings of the wrong size": (
        lambda p: f.frame(f.SETTINGS, 0, 0, b"12345"),
        E.FRAME_SIZE_ERROR,
    ),
    "settings ack with a payload": (
        lambda p: f.frame(f.SETTINGS, f.ACK, 0, b"123456"),
        E.FRAME_SIZE_ERROR,
    ),
    "push neither on nor off": (lambda p: setting(f.ENABLE_PUSH, 2), E.PROTOCOL_ERROR),
    "initial window too large": (
        lambda p: setting(f.INITIAL_WINDOW_SIZE, 2**31),
        E.FLOW_CONTROL_ERROR,
    ),
    "frame size too small": (lambda p: setting(f.MAX_FRAME_SIZE, 16_383), E.PROTOCOL_ERROR),
    "frame size too large": (lambda p: setting(f.MAX_FRAME_SIZE, 2**24), E.PROTOCOL_ERROR),
    "initial window that overflows an open stream": (
        lambda p: p.head() + f.window_update(1, 2**31 - 65_536) + setting(4, 65_536),
        E.FLOW_CONTROL_ERROR,
    ),
    "push promise": (lambda p: f.frame(f.PUSH_PROMISE, 4, 1, b"\0\0\0\2"), E.PROTOCOL_ERROR),
    "ping of a stream": (lambda p: f.frame(f.PING, 0, 1, bytes(8)), E.PROTOCOL_ERROR),
    "ping of the wrong size": (lambda p: f.frame(f.PING, 0, 0, bytes(7)), E.FRAME_SIZE_ERROR),
    "goaway of a stream": (lambda p: f.frame(f.GOAWAY, 0, 1, bytes(8)), E.PROTOCOL_ERROR),
    "goaway of the wrong size": (lambda p: f.frame(f.GOAWAY, 0, 0, bytes(7)), E.FRAME_SIZE_ERROR),
    "window update of nothing": (lambda p: f.window_update(0, 0), E.PROTOCOL_ERROR),
    "window update of the wrong size": (
        lambda p: f.frame(f.WINDOW_UPDATE, 0, 0, b"abc"),
        E.FRAME_SIZE_ERROR,
    ),
    "window update of an idle stream": (lambda p: f.window_update(1, 1), E.PROTOCOL_ERROR),
    "window that overflows": (lambda p: f.window_update(0, 2**31 - 1), E.FLOW_CONTROL_ERROR),
    "priority of stream 0": (lambda p: f.frame(f.PRIORITY, 0, 0, bytes(5)), E.PROTOCOL_ERROR),
    "continuation of nothing": (
        lambda p: f.frame(f.CONTINUATION, 4, 1, b"\x82"),
        E.PROTOCOL_ERROR,
    ),
    "continuation of another stream": (
        lambda p: p.head(flags=0) + f.frame(f.CONTINUATION, 4, 3, b"\x82"),
        E.PROTOCOL_ERROR,
    ),
    "another frame before continuation": (
        lambda p: p.head(flags=0) + f.frame(f.PING, 0, 0, bytes(8)),
        E.PROTOCOL_ERROR,
    ),
    "continuation after the end of the block": (
        lambda p: p.head() + f.frame(f.CONTINUATION, 4, 1, b"\x82"),
        E.PROTOCOL_ERROR,
    ),
    "more padding than data": (
        lambda p: p.head() + f.frame(f.DATA, f.PADDED, 1, b"\x05abc"),
        E.PROTOCOL_ERROR,
    ),
    "padded without a length": (
        lambda p: p.head() + f.frame(f.DATA, f.PADDED, 1, b""),
        E.PROTOCOL_ERROR,
    ),
    "more padding than headers": (
        lambda p: f.frame(f.HEADERS, 4 | f.PADDED, 1, b"\x05abc"),
        E.PROTOCOL_ERROR,
    ),
    "headers too short for their priority": (
        lambda p: f.frame(f.HEADERS, 4 | f.WITH_PRIORITY, 1, b"abc"),
        E.FRAME_SIZE_ERROR,
    ),
    "unknown index in a header block": (
        lambda p: f.frame(f.HEADERS, 4, 1, b"\xff\x80\x01"),
        E.COMPRESSION_ERROR,
    ),
    "truncated header block": (
        lambda p: f.frame(f.HEADERS, 4, 1, b"\x40\x0aabc"),
        E.COMPRESSION_ERROR,
    ),
    "invalid Huffman code": (
        lambda p: f.frame(f.HEADERS, 4, 1, b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff"),
        E.COMPRESSION_ERROR,
    ),
    "table larger than announced": (
        lambda p: f.frame(f.HEADERS, 4, 1, b"\x3f\xe1\x7f\x82"),
        E.COMPRESSION_ERROR,
    ),
    "broken trailers": (
        lambda p: p.head() + f.frame(f.HEADERS, 5, 1, b"\xff\x80\x01"),
        E.COMPRESSION_ERROR,
    ),
}


def _again(peer: Peer) -> bytes:
    return f.frame(f.HEADERS, 5, 1, peer.block())


@pytest.mark.parametrize("name", CASES)
def test_connection_error(name: str) -> None:
    make, code = CASES[name]
    peer = Peer()
    assert goodbye(peer.send(make(peer))) == code
    assert peer.connection.finished
    for heard in peer.heard:
        assert heard.gone_with is not None or heard.stream.id == 1
    # Whatever comes then is not heard.
    assert peer.send(peer.head()) == []


@pytest.mark.parametrize(
    "first",
    [f.frame(f.PING, 0, 0, bytes(8)), f.SETTINGS_ACK, f.frame(f.HEADERS, 5, 1, b"\x82")],
)
def test_settings_must_come_first(first: bytes) -> None:
    peer = Peer(greet=False)
    assert goodbye(peer.send(f.PREFACE, first)) == E.PROTOCOL_ERROR


def test_goaway_names_the_last_stream_and_the_reason() -> None:
    peer = Peer()
    answer = peer.send(peer.head(), peer.head(), f.window_update(0, 0))
    assert answer[-1].payload[:4] == (3).to_bytes(4, "big")
    assert answer[-1].payload[8:] == b"the window grows by nothing"
    assert [heard.gone_with for heard in peer.heard] == [E.CANCEL, E.CANCEL]


def test_calls_learn_of_a_lost_connection() -> None:
    peer = Peer()
    peer.send(peer.head(), peer.data(b"abc"))
    peer.connection.lost()
    assert peer.heard[0].gone_with is not None
    assert peer.connection.finished


def test_header_list_far_too_large_is_the_end() -> None:
    peer = Peer(header_list_bytes=1_000)
    huge = f.frame(f.HEADERS, f.END_HEADERS, 1, peer.block([*CALL, ("x", "y" * 60_000)]))
    assert goodbye(peer.send(huge)) == E.ENHANCE_YOUR_CALM


def test_header_list_too_large_is_refused_alone() -> None:
    peer = Peer(header_list_bytes=1_000)
    peer.send(peer.head([*CALL, ("x", "y" * 1_200)]))
    assert peer.heard[0].request.oversized
    peer.send(peer.head(CALL))
    assert not peer.heard[1].request.oversized


def test_endless_header_block() -> None:
    peer = Peer()
    answer = peer.send(
        f.frame(f.HEADERS, 0, 1, b""),
        *(f.frame(f.CONTINUATION, 0, 1, bytes(60_000)) for _ in range(5)),
    )
    assert goodbye(answer) == E.ENHANCE_YOUR_CALM
    peer = Peer()
    answer = peer.send(
        f.frame(f.HEADERS, 0, 1, b""), *(f.frame(f.CONTINUATION, 0, 1) for _ in range(100))
    )
    assert goodbye(answer) == E.ENHANCE_YOUR_CALM
