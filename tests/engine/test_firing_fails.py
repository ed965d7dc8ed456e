"""A schedule that takes the engine by surprise is set aside; it holds up nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from structlog.testing import capture_logs

from hatchet_engine.store import schedules as store
from hatchet_engine.turn import decide, fire_crons, firing
from hatchet_engine.turn.commands import RunFilter, StartBulk, TriggerItem, TriggerRuns
from hatchet_engine.turn.due import Due
from hatchet_engine.turn.firing_apart import FiringApart
from tests.support.engine import START_MS, TENANT, Harness
from tests.support.schedules import HOUR, MINUTE, cron, planned, row_of, schedule

BAD = '{"bad":1}'
Broken = Callable[..., Any]


def breaking(original: Broken) -> Broken:
    """The function that makes a run; it fails for the input ``BAD``."""

    def start(turn: Any, tenant_id: UUID, row: Any, *more: Any) -> UUID:
        made: UUID = original(turn, tenant_id, row, *more)  # the turn is full of it by then
        if row["input"] == BAD:
            raise RuntimeError("boom\x00")
        return made

    return start


def unwritable(original: Broken, bad: set[UUID]) -> Broken:
    """The function that stores what has fired; Postgres refuses it for these."""

    def store_many(batch: Any, rows: Any, *more: Any) -> None:
        if any(row[0] in bad for row in rows):
            batch.add("update scheduled_run set priority = 1 / $1::int", 0)
        original(batch, rows, *more)

    return store_many


async def states(h: Harness) -> dict[UUID, str | None]:
    """What became of those that have fired: the error, or None."""
    rows = await h.fetch("select id, run_id, error from scheduled_run where fired_ms is not null")
    assert all((row["run_id"] is None) != (row["error"] is None) for row in rows)
    return {row["id"]: row["error"] for row in rows}


async def test_a_scheduled_run_that_fails_is_set_aside(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firing, "start_scheduled", breaking(firing.start_scheduled))
    await h.put()
    good = await schedule(h, *[START_MS + MINUTE] * 50)
    (bad,) = await schedule(h, START_MS + MINUTE, input=BAD)
    good += await schedule(h, *[START_MS + MINUTE] * 50)
    with capture_logs() as logs:
        await h.advance(MINUTE)
    found = await states(h)
    assert found.pop(bad) == "the engine failed to start the run: RuntimeError: boom"
    assert found == dict.fromkeys(good)
    assert await h.count("task") == 100
    assert [entry["id"] for entry in logs if entry["event"] == "firing_failed"] == [str(bad)]


async def test_a_cron_that_fails_goes_on_at_its_next_tick(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fire_crons, "start_cron", breaking(fire_crons.start_cron))
    await h.put()
    bad = await cron(h, name="bad", input=BAD)
    await cron(h, name="good")
    await h.advance(MINUTE)
    [row] = await h.fetch("select * from cron where id = $1", bad)
    assert "RuntimeError: boom" in row["error"]
    assert row["error_ms"] == START_MS + MINUTE
    assert row["tick_ms"] == row["next_fire_ms"] == START_MS + 2 * MINUTE
    assert await planned(h) == ["00:01:00"]
    await h.pool.execute("update cron set input = '{}'")
    await h.advance(MINUTE)
    assert await planned(h) == ["00:01:00", "00:02:00", "00:02:00"]
    [row] = await h.fetch("select * from cron where id = $1", bad)
    assert row["error"] is None


async def test_a_cron_without_a_next_tick_stops(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise TypeError("no time at all")

    await h.put()
    await cron(h)
    monkeypatch.setattr(fire_crons, "policies_of", broken)
    monkeypatch.setattr("hatchet_engine.turn.firing_apart.policies_of", broken)
    await h.advance(MINUTE)
    row = await row_of(h)
    assert row["next_fire_ms"] is None
    assert "TypeError: no time at all" in row["error"]


async def test_what_can_not_be_stored_is_found_by_halves(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await h.put()
    ids = await schedule(h, *[START_MS + MINUTE] * 60)
    crons = [await cron(h, name=f"c{number}") for number in range(8)]
    bad = {ids[7], ids[8], ids[59]}
    for name, some in (("scheduled_fired_many", bad), ("cron_move_many", {crons[5]})):
        monkeypatch.setattr(store, name, unwritable(getattr(store, name), some))
    await h.advance(MINUTE)
    found = await states(h)
    assert {id_ for id_, error in found.items() if error} == bad
    assert all("DivisionByZeroError" in (found[id_] or "") for id_ in bad)
    failed = await h.fetch("select id from cron where error like '%DivisionByZeroError%'")
    assert [row["id"] for row in failed] == [crons[5]]
    assert await h.count("task") == 57 + 7
    await h.advance(MINUTE)
    assert await h.count("task") == 57 + 2 * 7


async def test_commands_of_the_same_turn_are_done(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firing, "start_scheduled", breaking(firing.start_scheduled))
    await h.put()
    await schedule(h, *[START_MS + MINUTE] * 5, input=BAD)
    h.clock.advance(MINUTE)
    assert len(await h.trigger(count=3)) == 3
    await h.settle()
    assert await h.count("task") == 3
    assert len(await states(h)) == 5


async def test_a_command_that_fails_takes_no_schedule_along(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = decide.DECIDE[TriggerRuns]

    def trigger(turn: Any, command: Any) -> Any:
        if command.items[0].input == BAD:
            raise RuntimeError("boom")
        return original(turn, command)

    monkeypatch.setitem(decide.DECIDE, TriggerRuns, trigger)
    await h.put()
    ids = await schedule(h, *[START_MS + MINUTE] * 5)
    h.clock.advance(MINUTE)
    good = h.engine.enter(TriggerRuns(TENANT, [TriggerItem("hello", "{}")]))
    bad = h.engine.enter(TriggerRuns(TENANT, [TriggerItem("hello", BAD)]))
    answers = await asyncio.gather(good, bad, return_exceptions=True)
    await h.settle()
    assert len(answers[0]) == 1
    assert isinstance(answers[1], RuntimeError)
    assert await states(h) == dict.fromkeys(ids)


async def test_an_operation_on_many_runs_goes_on(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await h.put()
    await h.trigger(count=500)
    ids = await schedule(h, *[START_MS + MINUTE] * 4)
    monkeypatch.setattr(
        store, "scheduled_fired_many", unwritable(store.scheduled_fired_many, {ids[1]})
    )
    h.clock.advance(MINUTE)
    await h.engine.submit(StartBulk(TENANT, "CANCEL", RunFilter(START_MS), reason="test"))
    await h.settle()
    row = await row_of(h, "bulk_operation")
    assert (row["changed"], row["error"]) == (500, None)
    assert [error is None for _, error in sorted((await states(h)).items())] == [
        True,
        False,
        True,
        True,
    ]


async def test_a_database_that_is_ill_is_no_fault_of_a_row() -> None:
    apart = FiringApart()
    due = Due({"id": UUID(int=7)}, is_cron=False)
    full = asyncpg.DiskFullError("no space left")
    apart.fired = [due]
    connection: Any = None  # nothing is written
    await apart.failed(connection, START_MS, full)
    assert apart.parts == [frozenset([due.id])]
    with pytest.raises(asyncpg.DiskFullError):
        await apart.failed(connection, START_MS, full)
    assert apart.parts == [frozenset([due.id])]


async def test_many_that_fail_are_all_set_aside(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firing, "start_scheduled", breaking(firing.start_scheduled))
    await h.put()
    for number in range(20):
        await schedule(h, START_MS + MINUTE, START_MS + HOUR, input=BAD if number % 2 else "{}")
    await h.advance(MINUTE)
    assert await h.count("task") == 10
    await h.advance(HOUR)
    assert await h.count("task") == 20
    assert sum(error is not None for error in (await states(h)).values()) == 20
