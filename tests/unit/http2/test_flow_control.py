"""Windows in both directions."""

from __future__ import annotations

import pytest

from hatchet_engine.transports.http2 import frames as f
from hatchet_engine.transports.http2.errors import ErrorCode
from hatchet_engine.transports.http2.sending import STREAM_QUEUE_BYTES
from hatchet_engine.transports.http2.status import HEAD, OK_TRAILERS
from tests.unit.http2.peer import Frame, Heard, Peer, goodbye, resets


def opened(**limits: int) -> tuple[Peer, Heard]:
    peer = Peer(**limits)
    peer.send(peer.head(), peer.data(b"", end=True))
    return peer, peer.heard[0]


def window(peer: Peer, size: int) -> None:
    """Set what each stream may get."""
    peer.send(f.settings(((f.INITIAL_WINDOW_SIZE, size),)))


def body(answer: list[Frame], stream_id: int = 1) -> bytes:
    return b"".join(
        one.payload for one in answer if one.name == "DATA" and one.stream_id == stream_id
    )


# ------------------------------------------------------------ sending


def test_messages_wait_for_the_streams_window() -> None:
    peer, heard = opened()
    window(peer, 10)
    heard.stream.send_whole(HEAD, b"0123456789abcdefghij", OK_TRAILERS)
    answer = peer.read()
    assert [one.name for one in answer] == ["HEADERS", "DATA"]
    assert body(answer) == b"0123456789"
    assert body(peer.send(f.window_update(1, 3))) == b"abc"
    last = peer.send(f.window_update(1, 1_000))
    assert [one.name for one in last] == ["DATA", "HEADERS"]
    assert body(last) == b"defghij"
    assert last[-1].ended
    assert not peer.connection.streams


def test_messages_wait_for_the_connections_window() -> None:
    peer, heard = opened()
    window(peer, 1_000_000)
    heard.stream.send_whole(HEAD, b"x" * 100_000, OK_TRAILERS)
    answer = peer.read()
    assert len(body(answer)) == 65_535
    assert max(len(one.payload) for one in answer) == 16_384
    assert len(body(peer.send(f.window_update(0, 34_464)))) == 34_464
    last = peer.send(f.window_update(0, 1))
    assert [one.name for one in last] == ["DATA", "HEADERS"]
    assert body(last) == b"x"


def test_exactly_the_window_needs_no_update() -> None:
    peer, heard = opened()
    window(peer, 10)
    heard.stream.send_whole(HEAD, b"0123456789", OK_TRAILERS)
    assert [one.name for one in peer.read()] == ["HEADERS", "DATA", "HEADERS"]


def test_a_shrunk_window_may_be_negative() -> None:
    peer, heard = opened()
    window(peer, 100)
    heard.stream.send_headers(HEAD)
    heard.stream.send_data(b"x" * 80)
    peer.read()
    window(peer, 50)  # 30 too many are on their way
    heard.stream.send_data(b"y" * 40)
    assert peer.read() == []
    assert peer.send(f.window_update(1, 30)) == []
    assert body(peer.send(f.window_update(1, 1))) == b"y"
    answer = peer.send(f.settings(((f.INITIAL_WINDOW_SIZE, 60),)))
    assert body(answer) == b"y" * 10


def test_larger_frames_when_the_client_takes_them() -> None:
    peer, heard = opened()
    peer.send(f.settings(((f.MAX_FRAME_SIZE, 50_000),)))
    heard.stream.send_whole(HEAD, b"x" * 50_000, OK_TRAILERS)
    assert [len(one.payload) for one in peer.read() if one.name == "DATA"] == [50_000]


def test_streams_share_the_connections_window_in_turn() -> None:
    peer = Peer()
    window(peer, 1_000_000)
    for _ in range(3):
        peer.send(peer.head(), peer.data(b"", end=True))
    for heard in peer.heard:
        heard.stream.send_headers(HEAD)
        heard.stream.send_data(b"x" * 200_000)
    sent = {1: 0, 3: 0, 5: 0}
    answer = peer.read()
    for _ in range(30):
        for stream_id in sent:
            sent[stream_id] += len(body(answer, stream_id))
        answer = peer.send(f.window_update(0, 16_384))
    assert sum(sent.values()) == 65_535 + 29 * 16_384
    assert min(sent.values()) > 100_000


def test_producers_wait_while_their_stream_is_clogged() -> None:
    peer, heard = opened()
    window(peer, 10)
    heard.stream.send_headers(HEAD)
    heard.stream.send_data(b"x" * 100)
    assert not heard.stream.clogged
    heard.stream.send_data(b"x" * STREAM_QUEUE_BYTES)
    assert heard.stream.clogged
    peer.send(f.window_update(1, 50))
    assert heard.room == 0
    peer.send(f.window_update(1, 100))
    assert heard.room == 1
    assert not heard.stream.clogged


def test_producers_wait_while_the_socket_takes_nothing() -> None:
    peer, heard = opened()
    peer.connection.paused = True
    assert heard.stream.clogged
    peer.connection.resume()
    assert heard.room == 1
    assert not heard.stream.clogged


def test_resets_drop_what_is_queued() -> None:
    peer, heard = opened()
    window(peer, 10)
    heard.stream.send_whole(HEAD, b"x" * 100, OK_TRAILERS)
    peer.read()
    peer.send(f.rst_stream(1, ErrorCode.CANCEL))
    assert heard.gone_with == ErrorCode.CANCEL
    assert peer.send(f.window_update(0, 1_000)) == []
    heard.stream.send_data(b"too late")
    heard.stream.send_trailers(OK_TRAILERS)
    assert peer.read() == []


# ------------------------------------------------------------ receiving


def test_the_connections_window_is_replenished() -> None:
    peer = Peer(connection_window_bytes=100_000)
    peer.send(peer.head())
    assert peer.send(peer.data(b"x" * 49_999)) == []
    (update,) = peer.send(peer.data(b"x"))
    assert (update.name, update.stream_id, update.number) == ("WINDOW_UPDATE", 0, 50_000)
    for _ in range(100):
        assert goodbye_free(peer.send(peer.data(b"x" * 30_000)))


def goodbye_free(answer: list[Frame]) -> bool:
    return all(one.name != "GOAWAY" for one in answer)


def test_the_streams_window_follows_what_is_consumed() -> None:
    peer = Peer(stream_window_bytes=1_000)
    peer.send(peer.head(), peer.data(b"x" * 600))
    stream = peer.heard[0].stream
    stream.consumed(499)
    assert peer.read() == []
    stream.consumed(101)
    (update,) = peer.read()
    assert (update.stream_id, update.number) == (1, 600)
    assert peer.send(peer.data(b"x" * 1_000)) == []
    assert resets(peer.send(peer.data(b"x"))) == [(1, ErrorCode.FLOW_CONTROL_ERROR)]


def test_padding_counts_and_is_given_back() -> None:
    peer = Peer(stream_window_bytes=1_000)
    padded = f.frame(f.DATA, f.PADDED, 1, b"\xc8" + b"x" * 99 + bytes(200))
    peer.send(peer.head(), padded, padded)
    (update,) = peer.send(padded)  # 201 of each were padding
    assert (update.stream_id, update.number) == (1, 603)


def test_more_than_the_connections_window_is_the_end() -> None:
    # Nothing keeps it from being replenished but a bug or a peer that sends at once.
    peer = Peer(connection_window_bytes=65_535, frame_bytes=100_000)
    answer = peer.send(peer.head(), peer.data(b"x" * 70_000))
    assert goodbye(answer) == ErrorCode.FLOW_CONTROL_ERROR


@pytest.mark.parametrize("ended", [True, False])
def test_a_stream_that_has_ended_gets_no_more_window(ended: bool) -> None:
    peer = Peer(stream_window_bytes=1_000)
    peer.send(peer.head(), peer.data(b"x" * 900, end=ended))
    peer.heard[0].stream.consumed(900)
    assert bool(peer.read()) is not ended


def test_what_is_held_is_bounded_over_all_streams() -> None:
    peer = Peer(held_bytes=1_000)
    peer.send(peer.head(), peer.head())
    one, other = (heard.stream for heard in peer.heard)
    assert one.hold(600)
    assert not other.hold(600)
    other.reset(ErrorCode.CANCEL)
    assert one.hold(400)
    one.release(1_000)
    assert one.hold(1_000)
