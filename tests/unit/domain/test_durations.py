"""Duration text."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchet_engine.domain.durations import MAX_MS, format_ms, parse_ms


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("0s", 0),
        ("1ms", 1),
        ("500ms", 500),
        ("1s", 1_000),
        ("60s", 60_000),
        ("1.5s", 1_500),
        (".5s", 500),
        ("0.001s", 1),
        ("1m", 60_000),
        ("1h30m", 5_400_000),
        ("1.5h", 5_400_000),
        ("30m1h", 5_400_000),
        ("1h1h", 7_200_000),
        ("1h2m3s4ms", 3_723_004),
        ("0.1s0.2s", 300),
        ("1d", 86_400_000),
        ("2w", 1_209_600_000),
        ("1y", 12 * 30 * 86_400_000),
    ],
)
def test_duration_is_the_sum_of_its_parts(text: str, ms: int) -> None:
    assert parse_ms(text) == ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "5",
        "-5s",
        "+5s",
        "5 s",
        " 5s",
        "5s ",
        "5s\n",
        "1d\n",
        "s",
        "1.s",
        "1..5s",
        "1,5s",
        "5S",
        "5x",
        "5s5",
        "1d1h",
        "1.5d",
        "1e3s",
        "inf",
        "NaNs",
        "１s",
        "1us",
    ],
)
def test_anything_else_is_refused_and_named(text: str) -> None:
    with pytest.raises(ValueError, match="duration") as caught:
        parse_ms(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ["99999999d", "999999999999h", "9" * 5_000 + "s", "10000000000s"])
def test_more_than_292_years_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="292 years"):
        parse_ms(text)


def test_limit_itself_is_taken() -> None:
    assert parse_ms(f"{MAX_MS}ms") == MAX_MS
    with pytest.raises(ValueError, match="292 years"):
        parse_ms(f"{MAX_MS + 1}ms")


@given(st.integers(min_value=0, max_value=MAX_MS))
def test_formatted_duration_reads_back(ms: int) -> None:
    assert parse_ms(format_ms(ms)) == ms


@given(
    st.lists(st.tuples(st.integers(0, 9_999), st.sampled_from(["ms", "s", "m", "h"])), min_size=1)
)
def test_parts_add_up_in_any_order(parts: list[tuple[int, str]]) -> None:
    text = "".join(f"{number}{unit}" for number, unit in parts)
    backwards = "".join(f"{number}{unit}" for number, unit in reversed(parts))
    assert parse_ms(text) == parse_ms(backwards)
    assert parse_ms(text) == sum(parse_ms(f"{number}{unit}") for number, unit in parts)


@given(st.text(alphabet="0123456789.msdhwy -", max_size=12))
def test_no_text_brings_it_down(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert 0 <= parse_ms(text) <= MAX_MS


@pytest.mark.parametrize(
    ("ms", "text"),
    [(0, "0s"), (-5, "0s"), (1, "1ms"), (1_500, "1s500ms"), (60_000, "1m"), (86_400_000, "24h")],
)
def test_shortest_text(ms: int, text: str) -> None:
    assert format_ms(ms) == text
