"""The system's clock may be set, and stands still for a machine that sleeps."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from hatchet_engine.turn import clock as clocks
from hatchet_engine.turn.clock import SystemClock

HOUR_MS = 3_600_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SystemClock:
    monkeypatch.setattr(clocks, "LOOK_AGAIN_S", 0.01)
    return SystemClock()


async def test_a_clock_that_is_set_forward_is_noticed(clock: SystemClock) -> None:
    waiting = asyncio.create_task(clock.wait(asyncio.Event(), clock.now_ms() + HOUR_MS))
    await asyncio.sleep(0.03)
    assert not waiting.done()
    clock.offset_ms += HOUR_MS
    await asyncio.wait_for(waiting, 1)


async def test_a_clock_that_is_set_back_is_waited_for(clock: SystemClock) -> None:
    waiting = asyncio.create_task(clock.wait(asyncio.Event(), clock.now_ms() + 30))
    clock.offset_ms -= HOUR_MS
    await asyncio.sleep(0.08)
    assert not waiting.done()
    clock.offset_ms += HOUR_MS
    await asyncio.wait_for(waiting, 1)


async def test_what_is_due_sooner_counts(clock: SystemClock) -> None:
    wake = asyncio.Event()
    first = asyncio.create_task(clock.wait(wake, clock.now_ms() + HOUR_MS))
    await asyncio.sleep(0)
    wake.set()
    await first
    wake.clear()
    await asyncio.wait_for(clock.wait(wake, clock.now_ms() + 20), 1)


AT = datetime(2026, 3, 1, tzinfo=UTC)
S = AT.timestamp()


def test_the_offset_is_that_of_the_closest_look() -> None:
    clock = SystemClock()
    clock.compare(AT, S - 10, S - 9.98)  # 9.99 s ahead, give or take 10 ms
    assert clock.offset_ms == 9_990
    clock.compare(AT, S - 10.1, S - 9.9)
    assert clock.offset_ms == 9_990
    clock.compare(AT, S - 9.982, S - 9.980)
    assert clock.offset_ms == 9_981
    clock.compare(AT, S - 9.985, S - 9.985)
    assert clock.offset_ms == 9_985


@pytest.mark.parametrize(
    ("late_s", "spread_s", "follows"),
    [
        (0.05, 0.002, False),
        (0.052, 0, True),
        (-0.052, 0, True),
        (0.1, 0.2, False),
        (3_600, 0.2, True),
    ],
)
def test_a_clock_that_was_set_is_followed(late_s: float, spread_s: float, follows: bool) -> None:
    clock = SystemClock()
    clock.compare(AT, S, S)
    with capture_logs() as logs:
        clock.compare(AT, S - late_s - spread_s / 2, S - late_s + spread_s / 2)
    assert clock.offset_ms == (round(late_s * 1_000) if follows else 0)
    assert [one["by_ms"] for one in logs] == ([clock.offset_ms] if follows else [])


def test_a_look_during_which_the_clock_was_set_back_counts_for_nothing() -> None:
    clock = SystemClock()
    clock.compare(AT, S + 100, S - 100)
    clock.compare(AT, S + 100, S + 99)
    assert clock.offset_ms == 0
