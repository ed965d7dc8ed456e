"""gRPC's own framing: messages, compression, timeouts, statuses."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchet_engine.transports.http2.deadlines import parse_timeout
from hatchet_engine.transports.http2.messages import MessageReader, framed, gunzip
from hatchet_engine.transports.http2.status import (
    MESSAGE_BYTES_MAX,
    GrpcError,
    Status,
    percent_encoded,
)


def compressed(message: bytes) -> bytes:
    data = gzip.compress(message)
    return b"\x01" + len(data).to_bytes(4, "big") + data


@given(
    st.lists(st.tuples(st.binary(max_size=200), st.booleans()), max_size=8),
    st.lists(st.integers(1, 50), min_size=1),
)
def test_messages_in_any_pieces(messages: list[tuple[bytes, bool]], sizes: list[int]) -> None:
    data = b"".join(
        compressed(message) if packed else framed(message) for message, packed in messages
    )
    reader = MessageReader(1_000, gzip=True)
    position, turn = 0, 0
    while position < len(data):
        size = sizes[turn % len(sizes)]
        reader.feed(data[position : position + size])
        position, turn = position + size, turn + 1
    assert not reader.incomplete
    assert [reader.take() for _ in range(len(reader.ready))] == [one for one, _ in messages]
    assert reader.kept_bytes == 0


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (framed(b"x" * 101), Status.RESOURCE_EXHAUSTED),
        (b"\x00\xff\xff\xff\xff", Status.RESOURCE_EXHAUSTED),
        (compressed(b"x" * 101), Status.RESOURCE_EXHAUSTED),
        (compressed(b"0" * 10_000), Status.RESOURCE_EXHAUSTED),
        (b"\x02\0\0\0\x01x", Status.INTERNAL),
        (b"\x01\0\0\0\x04nope", Status.INTERNAL),
        (b"\x01\0\0\0\x00", Status.INTERNAL),
    ],
)
def test_refused_messages(data: bytes, status: Status) -> None:
    with pytest.raises(GrpcError) as caught:
        MessageReader(100, gzip=True).feed(data)
    assert caught.value.status == status


def test_compressed_without_saying_so() -> None:
    with pytest.raises(GrpcError) as caught:
        MessageReader(100, gzip=False).feed(compressed(b"x"))
    assert caught.value.status == Status.INTERNAL


@given(st.binary(max_size=300))
def test_gunzip_within_the_limit(message: bytes) -> None:
    assert gunzip(gzip.compress(message), 300) == message


def test_gunzip_of_a_bomb_stays_small() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    assert len(bomb) < 60_000
    with pytest.raises(GrpcError, match="larger than max"):
        gunzip(bomb, 1_000)


@pytest.mark.parametrize("cut", [1, 8, 12])
def test_gunzip_of_a_part(cut: int) -> None:
    with pytest.raises(GrpcError):
        gunzip(gzip.compress(b"hello")[:-cut], 100)


@pytest.mark.parametrize(
    ("text", "timeout_s"),
    [
        ("1S", 1.0),
        ("100m", 0.1),
        ("2M", 120.0),
        ("1H", 3_600.0),
        ("5u", 5e-6),
        ("7n", 7e-9),
        ("0S", 0.0),
        ("99999999S", 99_999_999.0),
        ("99999999H", 315_360_000.0),
        ("999999999S", None),
        ("S", None),
        ("", None),
        ("1", None),
        ("1s", None),
        ("-1S", None),
        ("1.5S", None),
        ("²S", None),
    ],
)
def test_timeouts(text: str, timeout_s: float | None) -> None:
    assert parse_timeout(text) == pytest.approx(timeout_s)


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("plain text, {x}~", "plain text, {x}~"),
        ("100%", "100%25"),
        ("two\nlines", "two%0Alines"),
        ("né", "n%C3%A9"),
        ("\udc80", "?"),
    ],
)
def test_percent_encoding(text: str, encoded: str) -> None:
    assert percent_encoded(text) == encoded


def test_long_texts_are_cut_between_characters() -> None:
    encoded = percent_encoded("x" + "é" * MESSAGE_BYTES_MAX)
    assert encoded.count("%C3") == encoded.count("%A9") == (MESSAGE_BYTES_MAX - 1) // 2
