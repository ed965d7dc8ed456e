"""The system's clock may be set, and stands still for a machine that sleeps."""

from __future__ import annotations

import asyncio

import pytest

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
