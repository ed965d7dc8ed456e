"""Bytes may come in any pieces, and may be anything."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hatchet_engine.transports.http2 import frames as f
from tests.unit.http2.peer import CALL, Peer, parse_frames

CUTS = st.lists(st.integers(0, 3_000), max_size=30)
KINDS = st.integers(0, 11)
FRAMES = st.lists(
    st.tuples(
        KINDS, st.integers(0, 255), st.sampled_from([0, 1, 2, 3, 5, 7]), st.binary(max_size=40)
    ),
    max_size=40,
)


def conversation(peer: Peer) -> bytes:
    return b"".join(
        (
            f.PREFACE,
            f.settings(((f.INITIAL_WINDOW_SIZE, 100_000),)),
            peer.head(),
            peer.data(b"first", end=True),
            peer.head(flags=0),
            f.frame(f.CONTINUATION, f.END_HEADERS, 3, b""),
            f.frame(f.PING, 0, 0, b"12345678"),
            peer.data(b"x" * 1_000),
            peer.head([*CALL, ("x", "y" * 300)]),
            peer.data(b"third", end=True),
            peer.data(b"second", end=True, stream_id=3),
        )
    )


@given(CUTS)
@settings(deadline=None)
def test_pieces(cuts: list[int]) -> None:
    peer = Peer(greet=False)
    data = conversation(peer)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    answer = b""
    for start, stop in pairwise(places):
        peer.connection.receive(data[start:stop])
        answer += peer.connection.take()
    assert [(heard.body, heard.ended) for heard in peer.heard] == [
        (b"first", True),
        (b"x" * 1_000 + b"second", True),
        (b"third", True),
    ]
    assert [one.name for one in parse_frames(answer)] == [
        "SETTINGS",
        "WINDOW_UPDATE",
        "SETTINGS",
        "PING",
    ]


def test_byte_by_byte() -> None:
    peer = Peer(greet=False)
    for byte in conversation(peer):
        peer.connection.receive(bytes((byte,)))
    assert [heard.ended for heard in peer.heard] == [True, True, True]


@given(st.binary(max_size=300), st.booleans())
@example(b"", True)
@settings(deadline=None)
def test_noise(noise: bytes, greeted: bool) -> None:
    peer = Peer(greet=greeted)
    peer.connection.receive(noise)
    peer.connection.take()


@given(FRAMES)
@settings(max_examples=400, deadline=None)
def test_noise_in_frames(noise: list[tuple[int, int, int, bytes]]) -> None:
    """Whatever comes: nothing is raised, and what is answered are whole frames."""
    peer = Peer()
    peer.send(peer.head())
    for kind, flags, stream_id, payload in noise:
        peer.send(f.frame(kind, flags, stream_id, payload))
    assert "an internal error occurred" not in peer.connection.failure
    if peer.connection.closed:
        assert not peer.connection.streams
        assert all(heard.gone_with is not None or heard.ended for heard in peer.heard)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8))
@settings(max_examples=300, deadline=None)
def test_flipped_bytes(changes: list[tuple[int, int]]) -> None:
    peer = Peer(greet=False)
    data = bytearray(conversation(peer))
    for place, value in changes:
        data[place % len(data)] = value
    peer.connection.receive(bytes(data))
    assert "an internal error occurred" not in peer.connection.failure
