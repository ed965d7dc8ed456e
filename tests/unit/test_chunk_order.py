"""The order of stream chunks within an attempt (B10.1, S-6, S-7)."""

from __future__ import annotations

from uuid import UUID

import pytest

from hatchet_engine.observe.chunk_order import HELD_MAX, HOLD_MS, ChunkOrder
from hatchet_engine.store.streams import Chunk

NIL = UUID(int=0)


def chunk(index: int | None) -> Chunk:
    return Chunk(NIL, NIL, NIL, 0, index, str(index).encode())


def pushed(order: ChunkOrder, *indexes: int | None, now_ms: int = 0) -> list[int | None]:
    return [one.index for index in indexes for one in order.push(chunk(index), now_ms)]


def flushed(order: ChunkOrder) -> list[int | None]:
    return [one.index for one in order.flush()]


@pytest.mark.parametrize(
    ("arrived", "passed"),
    [
        ([0, 1, 2], [0, 1, 2]),
        ([1, 2, 0], [0, 1, 2]),
        ([2, 1, 0], [0, 1, 2]),
        ([None, 0, None], [None, 0, None]),
        ([0, 2, 3], [0]),  # 1 is missing: the rest is held
        ([0, 1, 2, 1], [0, 1, 2, 1]),  # late: better than nothing
        ([0, 2, 2, 1], [0, 2, 1, 2]),  # a repetition is nobody's gap
    ],
)
def test_s_7_a_and_e(arrived: list[int | None], passed: list[int | None]) -> None:
    assert pushed(ChunkOrder(), *arrived) == passed


def test_s_7_b_a_gap_is_held_for_five_seconds() -> None:
    order = ChunkOrder()
    assert pushed(order, 1, now_ms=1_000) == []
    assert pushed(order, 2, now_ms=2_000) == []
    assert order.due_ms == 1_000 + HOLD_MS
    assert flushed(order) == [1, 2]
    assert order.due_ms is None
    assert pushed(order, 0) == [0]


def test_s_7_c_what_follows_a_gap_counts_anew() -> None:
    order = ChunkOrder()
    pushed(order, 1, 2)
    flushed(order)
    assert pushed(order, 5, 6) == [5, 6]
    assert pushed(order, 8) == []


def test_s_7_f_an_empty_buffer_has_nothing_to_give_up() -> None:
    order = ChunkOrder()
    assert pushed(order, 1, 0) == [0, 1]
    assert order.due_ms is None
    assert flushed(order) == []
    assert pushed(order, 3) == []


def test_the_wait_for_a_second_gap_begins_anew() -> None:
    order = ChunkOrder()
    pushed(order, 1, 3, now_ms=1_000)
    assert pushed(order, 0, now_ms=4_000) == [0, 1]
    assert order.due_ms == 4_000 + HOLD_MS


def test_a_stream_may_begin_in_the_middle() -> None:
    assert pushed(ChunkOrder([(0, 7)]), 8, 7, 9) == [7, 8, 9]


def test_s_2_it_is_known_what_has_come_before() -> None:
    order = ChunkOrder([(0, 3), (5, 6)])
    pushed(order, 6, 8)
    assert [index for index in range(10) if order.repeats(index)] == [0, 1, 2, 5, 6, 8]
    assert pushed(order, 4) == [4]  # late, but new
    assert order.repeats(4)
    assert flushed(order) == [8]
    assert order.repeats(8)


def test_after_a_gap_what_is_there_already_is_not_waited_for() -> None:
    order = ChunkOrder()
    pushed(order, 1, 2)
    flushed(order)
    assert pushed(order, 0, 3) == [0, 3]
    assert pushed(order, 1) == [1]  # nobody asked whether it is a repetition
    assert pushed(order, 4) == [4]


def test_held_chunks_are_bounded() -> None:
    order = ChunkOrder()
    assert pushed(order, *range(1, HELD_MAX + 1)) == []
    assert len(pushed(order, HELD_MAX + 1)) == HELD_MAX + 1
