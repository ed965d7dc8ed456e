"""Streams: states, stream errors, settings, pings, and the ends of a connection."""

from __future__ import annotations

import pytest

from hatchet_engine.transports.http2 import frames as f
from hatchet_engine.transports.http2.errors import ErrorCode
from hatchet_engine.transports.http2.header_blocks import encode_fields
from hatchet_engine.transports.http2.status import HEAD, OK_TRAILERS
from tests.unit.http2.peer import CALL, Peer, goodbye, resets

E = ErrorCode


def without(*names: str) -> list[tuple[str, str]]:
    return [field for field in CALL if field[0] not in names]


def test_greeting() -> None:
    peer = Peer()
    assert [one.name for one in peer.greeting] == ["SETTINGS", "WINDOW_UPDATE", "SETTINGS"]
    announced = dict(f.SETTING.iter_unpack(peer.greeting[0].payload))
    assert announced[f.MAX_CONCURRENT_STREAMS] == 10_000
    assert announced[f.MAX_FRAME_SIZE] == 65_536
    assert announced[f.MAX_HEADER_LIST_SIZE] == 65_536
    assert announced[f.INITIAL_WINDOW_SIZE] == 4 * 1024 * 1024
    assert peer.greeting[2].flags == f.ACK
    assert peer.send(f.SETTINGS_ACK) == []


def test_a_whole_call() -> None:
    peer = Peer()
    assert peer.send(peer.head(), peer.data(b"abc"), peer.data(b"de", end=True)) == []
    (heard,) = peer.heard
    assert (heard.body, heard.ended) == (b"abcde", True)
    assert heard.request.path == "/test.Service/Unary"
    assert heard.request.fields == {"te": "trailers", "content-type": "application/grpc"}
    heard.stream.send_whole(HEAD, b"answer", OK_TRAILERS)
    head, data, trailers = peer.read()
    assert peer.fields(head) == {":status": "200", "content-type": "application/grpc"}
    assert (data.name, data.payload) == ("DATA", b"answer")
    assert peer.fields(trailers) == {"grpc-status": "0"}
    assert [one.ended for one in (head, data, trailers)] == [False, False, True]
    assert not peer.connection.streams


def test_an_answer_before_the_end_of_the_request_resets_the_rest() -> None:
    peer = Peer()
    peer.send(peer.head())
    peer.heard[0].stream.send_only_headers(HEAD)
    answer = peer.read()
    assert [one.name for one in answer] == ["HEADERS", "RST_STREAM"]
    assert resets(answer) == [(1, E.NO_ERROR)]
    # What the client had sent before it knew is nobody's fault, and counts for the window.
    assert peer.send(peer.data(b"late"), peer.data(b"r", end=True)) == []
    assert peer.heard[0].body == b""
    # After its end it should have known.
    assert resets(peer.send(peer.data(b"later"))) == [(1, E.STREAM_CLOSED)]


def test_late_trailers_of_a_request_we_answered_keep_the_header_table_right() -> None:
    peer = Peer()
    peer.send(peer.head())
    peer.heard[0].stream.send_only_headers(HEAD)
    peer.read()
    trailers = f.frame(f.HEADERS, 5, 1, peer.block([("x-late", "yes")]))
    assert peer.send(trailers) == []
    peer.send(peer.head([*CALL, ("x-late", "yes")]))
    assert peer.heard[1].request.fields["x-late"] == "yes"


def test_padding_and_priority_are_taken_off() -> None:
    peer = Peer()
    block = peer.block()
    payload = b"\x03" + bytes(5) + block + bytes(3)
    flags = f.END_HEADERS | f.PADDED | f.WITH_PRIORITY
    peer.send(
        f.frame(f.HEADERS, flags, 1, payload),
        f.frame(f.DATA, f.PADDED, 1, b"\x02ab\0\0"),
        f.frame(f.DATA, f.PADDED | f.END_STREAM, 1, b"\x00c"),
    )
    assert peer.heard[0].request.method == "POST"
    assert peer.heard[0].body == b"abc"
    assert peer.heard[0].ended


def test_a_head_in_many_frames() -> None:
    peer = Peer()
    block = peer.block()
    peer.send(f.frame(f.HEADERS, f.END_STREAM, 1, block[:1]))
    for index in range(1, len(block) - 1):
        peer.send(f.frame(f.CONTINUATION, 0, 1, block[index : index + 1]))
    peer.send(f.frame(f.CONTINUATION, f.END_HEADERS, 1, block[-1:]))
    assert peer.heard[0].ended


def test_trailers_of_a_request_end_it() -> None:
    peer = Peer()
    peer.send(peer.head(), peer.data(b"x"), f.frame(f.HEADERS, 5, 1, peer.block([("a", "b")])))
    assert peer.heard[0].ended


@pytest.mark.parametrize(
    "fields",
    [
        without(":method"),
        without(":path"),
        without(":scheme"),
        [*CALL, (":path", "/again")],
        [(":method", "POST"), *CALL],
        [(":unknown", "x"), *CALL],
        [(":status", "200"), *CALL],
        [*without(":path"), (":path", "")],
        [*without(":path"), (":path", "/late")],
        [*CALL, ("Upper", "x")],
        [*CALL, ("", "x")],
        [*CALL, ("with space", "x")],
        [*CALL, ("x", "line\r\nbreak")],
        [*CALL, ("x", "nul\0")],
        [*CALL, ("x", " padded")],
        [*CALL, ("connection", "close")],
        [*CALL, ("transfer-encoding", "chunked")],
        [*CALL, ("upgrade", "h2c")],
        [*CALL, ("keep-alive", "1")],
        [*CALL, ("proxy-connection", "1")],
        [*without("te"), ("te", "gzip")],
        [*CALL, ("content-length", "a")],
        [*CALL, ("content-length", "-1")],
    ],
)
def test_malformed_requests_are_reset(fields: list[tuple[str, str]]) -> None:
    peer = Peer()
    assert resets(peer.send(peer.head(fields))) == [(1, E.PROTOCOL_ERROR)]
    assert peer.heard == []
    # The connection and its header table go on.
    peer.send(peer.head(), peer.data(b"", end=True))
    assert peer.heard[0].ended


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda p: p.data(b"x", end=True) + p.data(b"y"), E.STREAM_CLOSED),
        (lambda p: p.data(b"", end=True) + f.frame(f.HEADERS, 5, 1, p.block()), E.STREAM_CLOSED),
        (lambda p: f.frame(f.HEADERS, 4, 1, p.block([("a", "b")])), E.PROTOCOL_ERROR),
        (lambda p: f.frame(f.HEADERS, 5, 1, p.block([(":path", "/")])), E.PROTOCOL_ERROR),
        (lambda p: f.window_update(1, 0), E.PROTOCOL_ERROR),
        (lambda p: f.window_update(1, 2**31 - 1), E.FLOW_CONTROL_ERROR),
        (lambda p: f.frame(f.PRIORITY, 0, 1, b"abc"), E.FRAME_SIZE_ERROR),
    ],
)
def test_stream_errors(make, code: ErrorCode) -> None:  # type: ignore[no-untyped-def]
    peer = Peer()
    peer.send(peer.head())
    assert resets(peer.send(make(peer))) == [(1, code)]
    assert peer.heard[0].gone_with == code
    assert not peer.connection.closed
    assert not peer.connection.streams


@pytest.mark.parametrize(
    ("length", "bodies", "good"),
    [
        ("3", [b"abc"], True),
        ("3", [b"a", b"bc"], True),
        ("0", [b""], True),
        ("3", [b"ab"], False),
        ("3", [b"abcd"], False),
        ("3", [b"abcd", b""], False),
    ],
)
def test_content_length_must_be_true(length: str, bodies: list[bytes], good: bool) -> None:
    peer = Peer()
    answer = peer.send(peer.head([*CALL, ("content-length", length)]))
    for index, body in enumerate(bodies):
        answer += peer.send(peer.data(body, end=index == len(bodies) - 1))
    assert peer.heard[0].ended is good
    assert bool(resets(answer)) is not good


def test_too_many_streams_are_refused() -> None:
    peer = Peer(concurrent_streams=2)
    assert peer.send(peer.head(), peer.head()) == []
    assert resets(peer.send(peer.head())) == [(5, E.REFUSED_STREAM)]
    peer.send(f.rst_stream(1, E.CANCEL))
    assert peer.heard[0].gone_with == E.CANCEL
    assert peer.send(peer.head()) == []


def test_unknown_frames_and_settings_are_ignored() -> None:
    peer = Peer()
    answer = peer.send(
        f.frame(0x77, 0xFF, 0, b"what"),
        f.settings(((0x99, 1),)),
        f.frame(f.PRIORITY, 0, 7, bytes(5)),
    )
    assert [(one.name, one.flags) for one in answer] == [("SETTINGS", f.ACK)]


def test_pings_are_answered_with_what_they_carry() -> None:
    peer = Peer()
    (answer,) = peer.send(f.frame(f.PING, 0, 0, b"12345678"))
    assert (answer.name, answer.flags, answer.payload) == ("PING", f.ACK, b"12345678")
    assert peer.send(f.frame(f.PING, f.ACK, 0, b"12345678")) == []


def test_late_frames_of_closed_streams_are_harmless() -> None:
    peer = Peer()
    peer.send(peer.head(), f.rst_stream(1, E.CANCEL))
    assert peer.send(f.window_update(1, 100), f.rst_stream(1, E.CANCEL)) == []


def test_drain_lets_calls_end_and_refuses_new_ones() -> None:
    peer = Peer()
    peer.send(peer.head(), peer.data(b"", end=True))
    peer.connection.drain()
    assert goodbye(peer.read()) == E.NO_ERROR
    assert not peer.connection.finished
    assert resets(peer.send(peer.head())) == [(3, E.REFUSED_STREAM)]
    peer.heard[0].stream.send_only_headers(HEAD)
    assert peer.connection.finished


def test_a_client_that_says_goodbye_gets_its_answers() -> None:
    peer = Peer()
    peer.send(peer.head(), peer.data(b"", end=True), f.goaway(0, E.NO_ERROR, "bye"))
    assert not peer.connection.finished
    peer.heard[0].stream.send_whole(HEAD, b"x", OK_TRAILERS)
    assert peer.connection.finished
    assert [one.name for one in peer.read()] == ["HEADERS", "DATA", "HEADERS"]


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /x HTTP/1.1\r\n", b"PRI / HTTP/1.1\r\n"]
)
def test_http1_gets_a_word(data: bytes) -> None:
    peer = Peer(greet=False)
    peer.connection.receive(data)
    answer = peer.connection.take()
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"gRPC" in answer
    assert peer.connection.finished


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x02\x00", b"\0", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rx"]
)
def test_other_strangers_get_nothing(data: bytes) -> None:
    peer = Peer(greet=False)
    peer.connection.receive(data)
    assert peer.connection.finished
    assert not peer.connection.take().startswith(b"HTTP/1.1 2")


def test_long_header_blocks_are_cut() -> None:
    peer = Peer()
    peer.send(peer.head(), peer.data(b"", end=True))
    peer.heard[0].stream.send_only_headers(encode_fields(((":status", "200"), ("x", "y" * 40_000))))
    answer = peer.read()
    assert [one.name for one in answer] == ["HEADERS", "CONTINUATION", "CONTINUATION"]
    assert [bool(one.flags & f.END_HEADERS) for one in answer] == [False, False, True]
    assert answer[0].ended
    block = b"".join(one.payload for one in answer)
    assert dict(peer.decoder.decode(block))["x"] == "y" * 40_000
