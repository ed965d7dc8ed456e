"""Scheduled runs that a pause of their workflow holds (REG-27): they are looked at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from hatchet_engine.store import schedules as store
from hatchet_engine.store.sql import load
from hatchet_engine.turn import firing
from hatchet_engine.turn.commands import Pause, PauseKind, Resume
from hatchet_engine.turn.schedule_commands import RescheduleRuns
from tests.support.engine import START_MS, TENANT, Harness
from tests.support.plans import Prepared
from tests.support.schedules import HOUR, MINUTE, schedule

HELD = 25


@pytest.fixture
async def held(h: Harness, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """``HELD`` runs are due and held, those of the workflow "free" are not. Grows by the number of
    rows that are looked at."""
    monkeypatch.setattr(firing, "LOOKED_AT_MAX", 10)
    monkeypatch.setattr(store, "scheduled_due", counted(store.scheduled_due, looked := []))
    await h.put("hello")
    await h.put("free")
    await schedule(h, *[START_MS + MINUTE + number for number in range(HELD)])
    await h.engine.submit(await pause(h))
    await h.advance(2 * MINUTE)
    return looked


def counted(original: Callable[..., Any], looked: list[int]) -> Callable[..., Any]:
    async def scheduled_due(*arguments: Any) -> store.DueRuns:
        found: store.DueRuns = await original(*arguments)
        looked.append(found.looked)
        return found

    return scheduled_due


async def pause(h: Harness, **more: Any) -> Pause:
    [row] = await h.fetch("select id from workflow where name = 'hello'")
    fields = {"drop_scheduled": True, **more}
    return Pause(TENANT, PauseKind.WORKFLOW, str(row["id"]), **fields)


async def fired(h: Harness, workflow: str = "hello") -> int:
    rows = await h.fetch(
        "select 1 from scheduled_run s join workflow w on w.id = s.workflow_id "
        "where w.name = $1 and s.fired_ms is not null",
        workflow,
    )
    return len(rows)


async def test_each_is_looked_at_once(h: Harness, held: list[int]) -> None:
    assert sum(held) == HELD
    await schedule(h, START_MS + HOUR, workflow="free")
    await h.advance(HOUR)
    assert (await fired(h), await fired(h, "free")) == (0, 1)
    assert sum(held) == HELD + 1


async def test_more_held_than_one_turn_looks_at_hide_nothing(h: Harness, held: list[int]) -> None:
    await h.restart()
    await schedule(h, START_MS + MINUTE + HELD, workflow="free")  # behind all of them
    await h.settle()
    assert (await fired(h), await fired(h, "free")) == (0, 1)


async def test_one_of_the_past_is_seen_in_front_of_those_held(h: Harness, held: list[int]) -> None:
    await schedule(h, START_MS - HOUR, workflow="free")
    [later] = await schedule(h, START_MS + HOUR, workflow="free")
    await h.settle()
    assert await fired(h, "free") == 1
    await h.engine.submit(RescheduleRuns(TENANT, [(later, START_MS - HOUR)]))
    await h.settle()
    assert await fired(h, "free") == 2


@pytest.mark.parametrize("restart", [False, True])
async def test_the_end_of_the_pause_fires_all(h: Harness, held: list[int], restart: bool) -> None:
    if restart:
        await h.restart()
    begun = await pause(h)
    assert await h.engine.submit(Resume(TENANT, begun.kind, begun.target))
    await h.settle()
    assert await fired(h) == HELD


async def test_the_time_of_the_pause_is_over(h: Harness, held: list[int]) -> None:
    await h.engine.submit(await pause(h, until_ms=h.clock.now_ms() + HOUR))
    await h.advance(HOUR - 1)
    assert await fired(h) == 0
    await h.advance(1)
    assert await fired(h) == HELD


async def test_a_pause_that_holds_them_no_more_fires_all(h: Harness, held: list[int]) -> None:
    await h.engine.submit(await pause(h, drop_scheduled=False))
    await h.settle()
    assert await fired(h) == HELD
    assert await h.count("task") == HELD  # which wait for the workflow


async def test_plan_looks_at_no_more_than_it_may(h: Harness) -> None:
    """Whatever is held in front, and whatever has fired."""
    await h.put()
    [id_] = await schedule(h, START_MS + MINUTE)
    await h.pool.execute(
        "insert into scheduled_run "
        "select (jsonb_populate_record(s, jsonb_build_object("
        "'id', gen_random_uuid(), 'due_ms', s.due_ms + n, "
        "'fired_ms', case when n % 2 = 0 then 1 end))).* "
        "from scheduled_run s, generate_series(1, 20000) n where s.id = $1",
        id_,
    )
    await h.pool.execute("analyze scheduled_run")
    [row] = await h.fetch("select workflow_id from scheduled_run where id = $1", id_)
    async with h.pool.acquire() as connection:
        plan = await Prepared.make(connection, load("schedules")["scheduled_due"])
        found = await plan.explain(
            START_MS + HOUR, 70, 1_000_000, [row["workflow_id"]], START_MS + MINUTE + 9_000,
            UUID(int=0), 100, None,
        )  # fmt: skip
    assert found.rows < 500
    assert found.pages < 300
