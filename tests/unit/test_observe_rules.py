"""The parts of the read side that need no database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchet_engine.domain import ids
from hatchet_engine.observe import metrics
from hatchet_engine.observe.log_lines import pattern
from hatchet_engine.observe.times import LATEST_MS, from_ms, id_bounds, to_ms

NOW_MS = 1_750_000_000_000
MINUTE = 60
HOUR = 3_600
DAY = 86_400


@given(st.integers(0, LATEST_MS))
def test_times_survive_the_round_trip(at_ms: int) -> None:
    assert to_ms(from_ms(at_ms)) == at_ms


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_id_bounds_exist_for_all_times(since: datetime, until: datetime) -> None:
    lower, upper = id_bounds(since, until)
    assert isinstance(lower, UUID)
    assert isinstance(upper, UUID)


@given(st.integers(10_000, LATEST_MS - 10_000))
def test_ids_of_a_window_lie_between_its_bounds(at_ms: int) -> None:
    lower, upper = id_bounds(from_ms(at_ms), from_ms(at_ms))
    assert lower < ids.lowest(at_ms) < upper


@pytest.mark.parametrize(
    ("span_s", "width_s"),
    [
        (60 * MINUTE, MINUTE),
        (61 * MINUTE, 5 * MINUTE),
        (12 * HOUR - 1, 5 * MINUTE),
        (12 * HOUR, 30 * MINUTE),
        (48 * HOUR, 8 * HOUR),
        (8 * DAY, DAY),
    ],
)
def test_bucket_width_grows_with_the_span(span_s: int, width_s: int) -> None:
    upper = from_ms(NOW_MS)
    axis = metrics.buckets(upper - timedelta(seconds=span_s), upper, NOW_MS)
    assert axis.width_s == width_s
    times = axis.times()
    assert times[0] <= upper - timedelta(seconds=span_s)
    assert times[-1] <= upper < times[-1] + timedelta(seconds=width_s)
    assert times[0].timestamp() % width_s == 0


def test_the_default_chart_is_a_day() -> None:
    axis = metrics.buckets(None, None, NOW_MS)
    assert (axis.count, axis.width_s) == (49, 30 * MINUTE)


def test_a_chart_has_a_bound() -> None:
    with pytest.raises(ValueError, match="the limit is"):
        metrics.buckets(from_ms(0), from_ms(LATEST_MS), NOW_MS)


def test_patterns_match_literally() -> None:
    assert pattern("100%_\\") == "%100\\%\\_\\\\%"
