"""Ageing of priorities, where it is switched on (Q-2)."""

from __future__ import annotations

import pytest

from hatchet_engine.turn import ageing
from hatchet_engine.turn.commands import CancelTasks
from hatchet_engine.turn.state import Limits
from tests.support.concurrency import run_all
from tests.support.engine import TENANT, Harness, running_engine
from tests.support.invariants import check_all
from tests.support.rules import pass_time

MINUTE_MS = 60_000
AGEING = Limits(priority_ageing_ms=MINUTE_MS)
LONG = {"schedule_timeout_ms": 3_600_000}


async def test_each_level_takes_as_long_again(clean_database: str) -> None:
    async with running_engine(clean_database, limits=AGEING) as h:
        await h.put(**LONG)
        (low,) = await h.trigger(priority=1)
        (medium,) = await h.trigger(priority=2)
        ranks = []
        for _ in range(4):
            found = await h.fetch("select rank from queue_item order by task_id")
            ranks.append(tuple(row["rank"] for row in found))
            await h.advance(MINUTE_MS)
        assert ranks == [(-1, -2), (-2, -2), (-3, -3), (-3, -3)]
        (high,) = await h.trigger(priority=3)
        await check_all(h.engine, h.pool)
        worker = await h.worker(slots=1)
        await h.settle()
        assert await run_all(h, worker) == [low, medium, high]


async def test_many_age_in_bounded_steps_after_a_restart(
    clean_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ageing, "AGED_MAX", 3)
    async with running_engine(clean_database, limits=AGEING) as h:
        await h.put(**LONG)
        await h.trigger(count=10)
        await h.restart()
        await h.advance(MINUTE_MS)
        await h.settle()
        ranks = await h.fetch("select distinct rank from queue_item")
        assert [row["rank"] for row in ranks] == [-2]
        await check_all(h.engine, h.pool)


async def test_without_it_priorities_are_strict(h: Harness) -> None:
    await h.put(**LONG)
    await h.trigger()
    worker = await h.worker("other")
    await pass_time(h, 10 * MINUTE_MS, worker)
    assert [row["rank"] for row in await h.fetch("select rank from queue_item")] == [-1]
    assert h.engine.hot.next_ageing_ms is None


async def test_what_leaves_its_queue_in_the_same_turn_does_not_age(clean_database: str) -> None:
    """CX-3: cancelled is final."""
    async with running_engine(clean_database, limits=AGEING) as h:
        await h.put(**LONG)
        cancelled, waits = await h.trigger(count=2)
        h.clock.advance(MINUTE_MS)
        await h.engine.submit(CancelTasks(TENANT, [cancelled]))
        await h.settle()
        found = await h.fetch("select task_id, rank from queue_item")
        assert [tuple(row) for row in found] == [(waits, -2)]
        await check_all(h.engine, h.pool)


async def test_one_turn_moves_a_bounded_number_of_all_queues(
    clean_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ageing, "AGED_MAX", 3)
    async with running_engine(clean_database, limits=AGEING) as h:
        for name in ("a", "b", "c"):
            await h.put(name, **LONG)
            await h.trigger(name, count=2)
        turns = h.engine.turns
        await h.advance(MINUTE_MS)
        assert h.engine.turns - turns == 3  # the last one finds nothing more
        ranks = await h.fetch("select rank, count(*) as n from queue_item group by rank")
        assert [(row["rank"], row["n"]) for row in ranks] == [(-2, 6)]
