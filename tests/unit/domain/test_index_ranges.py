"""Which chunks of a stream have been seen (B10.1: each is passed on once)."""

from __future__ import annotations

import random

import pytest

from hatchet_engine.domain import index_ranges
from hatchet_engine.domain.index_ranges import IndexRanges


def test_it_is_a_set() -> None:
    dice = random.Random(7)
    for _ in range(200):
        seen, expected = IndexRanges(), set[int]()
        for _ in range(dice.randrange(60)):
            index = dice.randrange(40)
            seen.add(index)
            expected.add(index)
        assert {index for index in range(-1, 42) if index in seen} == expected
        assert seen.end == max(expected, default=-1) + 1
        for index in range(42):
            assert seen.after(index) == min(set(range(index, 100)) - expected)


def test_it_goes_on_with_what_was_known() -> None:
    seen = IndexRanges([(0, 3), (5, 7)])
    seen.add(7)
    seen.add(4)
    assert [index for index in range(10) if index not in seen] == [3, 8, 9]


def test_the_number_of_ranges_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_ranges, "RANGES_MAX", 3)
    seen = IndexRanges()
    for index in (0, 10, 20):
        seen.add(index)
    assert 5 not in seen
    seen.add(30)
    assert 5 in seen  # the two lowest are one now
    assert [index in seen for index in (0, 10, 15, 20, 25, 30)] == [1, 1, 0, 1, 0, 1]
