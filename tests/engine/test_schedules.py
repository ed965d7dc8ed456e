"""Many that are due at once: what fails or takes long holds up nobody."""

from __future__ import annotations

from typing import Any

import pytest

from hatchet_engine.domain.calendar import CatchUp, Policies, to_make_good
from hatchet_engine.domain.errors import Code
from hatchet_engine.turn import due, fire_crons, firing
from hatchet_engine.turn.schedule_commands import (
    EnableCron,
)
from tests.support.dags import step
from tests.support.engine import START_MS, TENANT, Harness, running_engine
from tests.support.invariants import check_all
from tests.support.rules import refused
from tests.support.schedules import HOUR, MINUTE, cron, planned, row_of, schedule

# ---------------------------------------------------------------- together


async def test_one_that_fails_does_not_hold_up_others_and_is_seen(h: Harness) -> None:
    await h.put()
    await cron(h)
    await schedule(h, START_MS + MINUTE)
    await schedule(h, START_MS + 2 * MINUTE)
    # As if the limit had been lowered meanwhile.
    await h.pool.execute("update cron set input = '[]'")
    await h.pool.execute(
        "update scheduled_run set input = '[]' where due_ms = $1", START_MS + MINUTE
    )
    await h.advance(MINUTE)
    await h.advance(MINUTE)
    assert await h.count("task") == 1
    assert "must be a JSON object" in (await row_of(h))["error"]
    rows = await h.fetch("select run_id, error from scheduled_run order by due_ms")
    assert "must be a JSON object" in rows[0]["error"]
    assert rows[1]["run_id"] is not None


async def test_more_due_than_one_turn_takes(h: Harness) -> None:
    await h.put()
    most = firing.DUE_READ_MAX
    await schedule(h, *[START_MS + MINUTE] * (2 * most + 1))
    for number in range(most + 1):
        await cron(h, name=f"c{number}")
    turns = h.engine.turns
    await h.advance(MINUTE)
    assert await h.count("task") == 3 * most + 2
    assert h.engine.turns - turns >= 3


async def test_large_graphs_are_spread_over_turns(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due, "TASKS_MAX", 6)
    await h.put_dag("hello", step("a"), step("b", "a"), step("c", "b"))
    await schedule(h, *[START_MS + MINUTE] * 5)
    turns = h.engine.turns
    await h.advance(MINUTE)
    assert len(await planned_runs(h)) == 5
    assert h.engine.turns - turns >= 3


async def planned_runs(h: Harness):  # type: ignore[no-untyped-def]
    return await h.fetch("select id from task where kind = 1")


async def test_idle_crons_cost_no_turns(h: Harness) -> None:
    await h.put()
    for number in range(50):
        await cron(h, "0 0 1 1 *", name=f"c{number}")
    await h.settle()
    turns = h.engine.turns
    await h.advance(HOUR)
    assert h.engine.turns == turns


async def test_two_engines_make_each_run_once(clean_database: str) -> None:
    """CR-9: whoever takes over goes on where the tables stand."""
    async with running_engine(clean_database) as h:
        await h.put()
        await cron(h, "* * * * * *")
        for _ in range(5):
            await h.advance(1_000)
        clock = h.clock
        clock.advance(1_000)
    async with running_engine(clean_database, clock=clock, seed=2) as h:
        for _ in range(5):
            await h.advance(1_000)
        ticks = await planned(h)
        assert ticks == [f"00:00:{second:02}" for second in range(1, 12)]
        await check_all(h.engine, h.pool)


# ---------------------------------------------------------------- what holds up nobody


async def test_cr_10_a_zone_that_is_gone_stops_its_cron_only(h: Harness) -> None:
    await h.put()
    lost = await cron(h, name="lost")
    await cron(h, name="good")
    await h.pool.execute("update cron set zone = 'Mars/Base' where id = $1", lost)
    await h.advance(MINUTE)
    await h.advance(MINUTE)
    assert await h.count("task") == 2
    [row] = await h.fetch("select next_fire_ms, error from cron where id = $1", lost)
    assert row["next_fire_ms"] is None
    assert "'Mars/Base' is no time zone" in row["error"]
    await h.engine.submit(EnableCron(TENANT, lost, False))
    with refused(Code.INVALID_ARGUMENT, "delete it and make it anew"):
        await h.engine.submit(EnableCron(TENANT, lost, True))


async def test_crons_are_looked_at_when_it_is_their_turn(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To count missed ticks takes time: a turn does it for those that it fires."""
    looked: list[int] = []

    def counted(*arguments: Any) -> int | None:
        looked.append(h.engine.turns)
        return to_make_good(*arguments)

    monkeypatch.setattr(fire_crons, "to_make_good", counted)
    monkeypatch.setattr(due, "TASKS_MAX", 10)
    await h.put()
    for name in ("a", "b", "c"):
        await cron(h, name=name, policies=Policies(catch_up=CatchUp.ALL, catch_up_max=10))
    await h.advance(HOUR)
    assert [looked.count(turn) for turn in sorted(set(looked))] == [1, 1, 1, 3]
    assert await h.count("task") == 3 * 12


async def test_late_ticks_of_large_runs_are_cut_into_turns(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due, "TASKS_MAX", 10)
    await h.put_dag("hello", *(step(f"s{number}") for number in range(4)))
    await cron(h, "*/10 * * * * *")
    turns = h.engine.turns
    await h.advance(MINUTE)
    assert await h.count("task") == 6 * 5
    assert h.engine.turns - turns == 3
