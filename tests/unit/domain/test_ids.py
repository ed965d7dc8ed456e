"""Ids: UUIDv7, strictly growing."""

from __future__ import annotations

import itertools
import random
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from hatchet_engine.domain.ids import IdSource, lowest, step_id, time_ms

TIMES = st.integers(min_value=1, max_value=(1 << 48) - 1_000)


def source(seed: int = 1) -> IdSource:
    return IdSource(random.Random(seed).randbytes)


@given(TIMES, st.integers())
def test_layout_is_that_of_version_seven(at_ms: int, seed: int) -> None:
    id = source(seed).new(at_ms)
    assert (id.version, id.variant) == (7, "specified in RFC 4122")
    assert time_ms(id) == at_ms


@given(st.lists(TIMES, min_size=2, max_size=200), st.integers())
def test_each_id_is_larger_than_all_before_whatever_the_clock_does(
    times: list[int], seed: int
) -> None:
    ids = source(seed)
    made = [ids.new(at_ms) for at_ms in times]
    assert made == sorted(set(made))
    # As bytes and as text, too: Postgres and JSON sort by these.
    assert [id.bytes for id in made] == sorted(id.bytes for id in made)
    assert [str(id) for id in made] == sorted(map(str, made))


@given(TIMES, st.integers(min_value=1, max_value=10_000))
def test_clock_that_steps_back_costs_no_order(at_ms: int, back_ms: int) -> None:
    ids = source()
    first = ids.new(at_ms)
    second = ids.new(max(0, at_ms - back_ms))
    assert second > first
    assert time_ms(second) == at_ms


def test_more_ids_in_one_millisecond_than_the_counter_holds() -> None:
    ids = source()
    made = [ids.new(1_000) for _ in range(300_000)]
    assert all(earlier < later for earlier, later in itertools.pairwise(made))
    assert time_ms(made[0]) == 1_000
    assert time_ms(made[-1]) == 1_001  # borrowed from the future
    assert ids.new(1_002) > made[-1]


def test_two_sources_make_different_ids_at_one_time() -> None:
    first, second = source(1), source(2)
    assert not {first.new(5) for _ in range(1_000)} & {second.new(5) for _ in range(1_000)}


def test_one_seed_makes_the_same_ids() -> None:
    first, second = source(3), source(3)
    assert [first.new(at) for at in range(600)] == [second.new(at) for at in range(600)]


@given(TIMES, st.integers())
def test_lowest_bounds_every_id_of_its_millisecond(at_ms: int, seed: int) -> None:
    id = source(seed).new(at_ms)
    assert lowest(at_ms) <= id < lowest(at_ms + 1)


def test_step_id_is_fixed_by_version_and_position() -> None:
    version = UUID("019b76da-a800-7000-8000-000000000000")
    assert step_id(version, 0) == step_id(UUID(str(version)), 0)
    assert len({step_id(version, position) for position in range(100)}) == 100
    assert step_id(UUID(int=7), 0) != step_id(version, 0)
