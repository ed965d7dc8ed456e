"""Windows and meters of rate limits (RL-*)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hatchet_engine.domain.rates import WINDOWS, Meter, window_end_ms


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)


@pytest.mark.parametrize(
    ("window", "start", "end"),
    [
        ("SECOND", "2026-01-01T00:00:00.500", "2026-01-01T00:00:01.500"),
        ("MINUTE", "2026-01-01T00:00:59", "2026-01-01T00:01:59"),
        ("HOUR", "2026-12-31T23:30:00", "2027-01-01T00:30:00"),
        ("DAY", "2024-02-28T12:00:00", "2024-02-29T12:00:00"),
        ("WEEK", "2026-12-28T00:00:00", "2027-01-04T00:00:00"),
        ("MONTH", "2026-01-31T10:00:00", "2026-02-28T10:00:00"),
        ("MONTH", "2024-01-31T10:00:00", "2024-02-29T10:00:00"),
        ("MONTH", "2026-12-15T00:00:00.001", "2027-01-15T00:00:00.001"),
        ("YEAR", "2024-02-29T00:00:00", "2025-02-28T00:00:00"),
        ("YEAR", "2026-12-31T23:59:59.999", "2027-12-31T23:59:59.999"),
    ],
)
def test_rl_6_where_windows_end(window: str, start: str, end: str) -> None:
    assert window_end_ms(at(start), window) == at(end)


@pytest.mark.parametrize("window", WINDOWS)
def test_rl_6_a_window_ends_to_the_millisecond_and_carries_nothing_over(window: str) -> None:
    start = at("2026-01-31T00:00:00")
    end = window_end_ms(start, window)
    meter = Meter(3, window, 3, start)
    meter.take(2)
    assert meter.available(end - 1) == 1
    assert meter.next_ms() == end
    assert meter.available(end) == 3
    assert meter.began_ms == end


def test_rl_10_nobody_has_said_a_limit() -> None:
    meter = Meter(None, "SECOND", 0, 0)
    assert meter.available(10**12) == 0
    assert meter.next_ms() is None


def test_b16_a_paused_limit_gives_no_units_and_keeps_those_it_has() -> None:
    meter = Meter(2, "MINUTE", 1, 0, paused=True)
    assert meter.available(499) == 0
    assert meter.next_ms() is None
    assert meter.at(60_000).available(60_000) == 0
    meter.paused = False
    assert meter.available(499) == 1
    assert meter.next_ms() == 60_000


def test_rl_3_a_change_never_gives_units() -> None:
    meter = Meter(5, "MINUTE", 1, 0)
    assert meter.change(9, "MINUTE", 10)
    assert meter.available(10) == 1
    assert not meter.change(9, "MINUTE", 11)
    assert meter.change(0, "HOUR", 12)
    assert meter.available(60_000) == 0
    assert meter.next_ms() == 3_600_000


def test_rl_3_a_change_after_the_window_begins_a_new_one_first() -> None:
    meter = Meter(5, "SECOND", 0, 0)
    assert meter.change(9, "SECOND", 1_000)
    assert meter.available(1_000) == 5


def test_a_limit_put_for_the_first_time_starts_full() -> None:
    meter = Meter(None, "SECOND", 0, 0)
    assert meter.change(4, "DAY", 77)
    assert (meter.available(77), meter.began_ms) == (4, 77)
