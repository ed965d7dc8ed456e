"""Peers that make work for nothing are sent away; busy clients are not."""

from __future__ import annotations

import pytest

from hatchet_engine.transports.http2 import frames as f
from hatchet_engine.transports.http2.errors import ErrorCode
from tests.unit.http2.peer import Peer, goodbye

PING = f.frame(f.PING, 0, 0, bytes(8))


def rapid_reset(peer: Peer) -> bytes:
    return peer.head() + f.rst_stream(peer.last_id, ErrorCode.CANCEL)


def malformed(peer: Peer) -> bytes:
    return peer.head([(":method", "POST")])


def empty_data(peer: Peer) -> bytes:
    if peer.last_id < 0:
        return peer.head()
    return peer.data(b"")


FLOODS = {
    "pings": lambda p: PING,
    "ping acks": lambda p: f.frame(f.PING, f.ACK, 0, bytes(8)),
    "settings": lambda p: f.settings(()),
    "settings acks": lambda p: f.SETTINGS_ACK,
    "rapid reset": rapid_reset,
    "malformed requests": malformed,
    "empty data": empty_data,
    "priority": lambda p: f.frame(f.PRIORITY, 0, 1, bytes(5)),
    "unknown frames": lambda p: f.frame(0x99, 0, 0, b"x"),
}


@pytest.mark.parametrize("name", FLOODS)
def test_flood(name: str) -> None:
    peer = Peer()
    for _ in range(400):
        answer = peer.send(*(FLOODS[name](peer) for _ in range(100)))
        if peer.connection.closed:
            assert goodbye(answer) == ErrorCode.ENHANCE_YOUR_CALM
            return
    raise AssertionError("nobody minded")


@pytest.mark.parametrize("interval_s", [10.0, 0.01])
def test_keepalive_pings_never_are_too_many(interval_s: float) -> None:
    peer = Peer()
    for _ in range(50_000):
        peer.now_s += interval_s
        assert len(peer.send(PING)) == 1
    assert not peer.connection.closed


def test_a_client_that_cancels_often_is_no_attacker() -> None:
    peer = Peer()
    for _ in range(300):
        peer.now_s += 1
        peer.send(*(rapid_reset(peer) for _ in range(100)))
    assert not peer.connection.closed
