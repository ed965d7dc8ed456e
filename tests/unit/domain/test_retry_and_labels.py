"""Retries with backoff (RT-1, RT-4, RT-8) and labels of workers (RO-2 to RO-4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchet_engine.domain.definition import DEFAULT_BACKOFF_MAX_S
from hatchet_engine.domain.labels import Comparator, DesiredLabel, score
from hatchet_engine.domain.retry import backoff_ms, may_retry


@pytest.mark.parametrize(
    ("factor", "longest_s", "delays_s"),
    [
        (2, 10, [2, 4, 8, 10, 10]),
        (1, 10, [1, 1, 1, 1, 1]),
        (1.5, 4, [1.5, 2.25, 3.375, 4, 4]),
        (10, 1, [1, 1, 1, 1, 1]),
        (3, None, [3, 9, 27, 81, 243]),
    ],
)
def test_rt_4_delay_is_the_factor_to_the_retry_up_to_the_longest(
    factor: float, longest_s: int | None, delays_s: list[float]
) -> None:
    delays = [backoff_ms(factor, longest_s, retry) for retry in range(1, 6)]
    assert delays == [delay_s * 1_000 for delay_s in delays_s]


@given(st.integers(1, 10_000))
def test_rt_3_without_a_factor_there_is_no_delay(retry: int) -> None:
    assert backoff_ms(None, 10, retry) == 0


@given(
    st.floats(1, 1_000) | st.integers(1, 1_000),
    st.none() | st.integers(1, DEFAULT_BACKOFF_MAX_S),
    st.integers(1, 10_000),
)
def test_rt_4_delay_never_shrinks_nor_exceeds_its_longest(
    factor: float, longest_s: int | None, retry: int
) -> None:
    delay = backoff_ms(factor, longest_s, retry)
    assert 1_000 <= delay <= (longest_s or DEFAULT_BACKOFF_MAX_S) * 1_000
    assert backoff_ms(factor, longest_s, retry + 1) >= delay


@given(st.integers(0, 20), st.integers(0, 20))
def test_rt_1_so_many_retries_and_no_more(retries: int, used: int) -> None:
    assert may_retry(retries, used, should_not_retry=False) is (used < retries)
    assert not may_retry(retries, used, should_not_retry=True)


OPERATORS = {
    Comparator.EQUAL: "__eq__",
    Comparator.NOT_EQUAL: "__ne__",
    Comparator.GREATER_THAN: "__gt__",
    Comparator.GREATER_THAN_OR_EQUAL: "__ge__",
    Comparator.LESS_THAN: "__lt__",
    Comparator.LESS_THAN_OR_EQUAL: "__le__",
}


@given(st.integers(-3, 3), st.integers(-3, 3), st.sampled_from(Comparator))
def test_ro_2_numbers_compare_with_the_workers_value_on_the_left(
    offered: int, wanted: int, comparator: Comparator
) -> None:
    met = DesiredLabel(wanted, comparator=comparator).met_by(offered)
    assert met is getattr(offered, OPERATORS[comparator])(wanted)


@given(st.sampled_from("ab"), st.sampled_from("ab"), st.sampled_from(Comparator))
def test_ro_2_texts_are_equal_or_not(offered: str, wanted: str, comparator: Comparator) -> None:
    met = DesiredLabel(wanted, comparator=comparator).met_by(offered)
    if comparator is Comparator.EQUAL:
        assert met is (offered == wanted)
    elif comparator is Comparator.NOT_EQUAL:
        assert met is (offered != wanted)
    else:
        assert not met


@pytest.mark.parametrize("comparator", list(Comparator))
def test_ro_2_other_type_and_ro_3_missing_label_never_match(comparator: Comparator) -> None:
    assert not DesiredLabel(5, comparator=comparator).met_by("5")
    assert not DesiredLabel("5", comparator=comparator).met_by(5)
    assert not DesiredLabel(5, comparator=comparator).met_by(None)


def test_ro_4_required_excludes_and_weights_add_up() -> None:
    desired = {
        "must": DesiredLabel("x", required=True, weight=10),
        "may": DesiredLabel(3, weight=7),
        "rather not": DesiredLabel("slow", weight=-50),
    }
    assert score(desired, {"must": "x"}) == 10
    assert score(desired, {"must": "x", "may": 3}) == 17
    assert score(desired, {"may": 3}) is None
    assert score(desired, {}) is None
    assert score(desired, {"must": "x", "may": 3, "rather not": "slow"}) is None  # below zero
    assert score({}, {"any": 1}) == 0
