"""Scheduled runs (SC-*)."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from hatchet_engine.domain.errors import Code
from hatchet_engine.turn import scheduled
from hatchet_engine.turn.schedule_commands import (
    DeleteScheduled,
    RescheduleRuns,
    ScheduledFilter,
    ScheduleRuns,
    TriggerScheduled,
)
from tests.support.engine import START_MS, TENANT, Harness, running_engine
from tests.support.rules import refused
from tests.support.schedules import HOUR, MINUTE, row_of, schedule

# ---------------------------------------------------------------- scheduled runs


async def test_sc_1_and_2_one_run_for_each_time(h: Harness) -> None:
    await h.put()
    ids = await schedule(
        h,
        START_MS - HOUR,
        START_MS + MINUTE,
        START_MS + HOUR,
        input='{"n":1}',
        metadata='{"k":"v"}',
    )
    await h.settle()
    assert await h.count("task") == 1
    await h.advance(MINUTE)
    assert await h.count("task") == 2
    rows = await h.fetch("select * from scheduled_run order by id")
    assert [row["id"] for row in rows] == ids
    assert [row["run_id"] is None for row in rows] == [False, False, True]
    task = (await h.fetch("select * from task where id = $1", rows[1]["run_id"]))[0]
    assert (task["input"], json.loads(task["metadata"])) == ('{"n":1}', {"k": "v"})


async def test_sc_1_what_is_refused(h: Harness) -> None:
    await h.put()
    with refused(Code.NOT_FOUND, "workflow not found"):
        await h.engine.submit(ScheduleRuns(TENANT, "other", [START_MS]))
    for more, words in (
        ({"input": "3"}, "input"),
        ({"metadata": "[]"}, "additionalMetadata"),
        ({"priority": 0}, "priority"),
        ({"child_key": "k" * 256}, "child_key"),
    ):
        with refused(Code.INVALID_ARGUMENT, words):
            await schedule(h, START_MS, **more)
    with refused(Code.INVALID_ARGUMENT, "limit is 10000"):
        await schedule(h, *[START_MS] * 10_001)
    assert await h.count("scheduled_run") == 0
    assert await schedule(h) == []


async def test_sc_4_and_5_missed_ones_fire_once_after_a_restart(clean_database: str) -> None:
    async with running_engine(clean_database) as h:
        await h.put()
        await schedule(h, *[START_MS + MINUTE] * 300)
        clock = h.clock
    clock.advance(24 * HOUR)
    async with running_engine(clean_database, clock=clock, seed=2) as h:
        await h.advance(1)
        assert await h.count("task") == 300
    async with running_engine(clean_database, clock=clock, seed=3) as h:
        await h.advance(HOUR)
        assert await h.count("task") == 300


async def test_sc_6_the_version_of_the_time_of_firing(h: Harness) -> None:
    await h.put()
    await schedule(h, START_MS + MINUTE)
    second = await h.put(retries=2)
    await h.advance(MINUTE)
    assert (await row_of(h, "task"))["version_id"] == second.version_id


async def test_sc_7_reschedule(h: Harness) -> None:
    await h.put()
    (one,) = await schedule(h, START_MS + HOUR)
    (past,) = await schedule(h, START_MS)
    (by_code,) = await schedule(h, START_MS + HOUR, declarative=True)
    await h.settle()
    unknown = UUID(int=7)
    moves = [(id_, START_MS + MINUTE) for id_ in (one, past, by_code, unknown)]
    changed = await h.engine.submit(RescheduleRuns(TENANT, moves))
    assert changed.ids == [one]
    assert dict(changed.errors) == {
        past: "Scheduled workflow run has already been triggered",
        by_code: "Cannot change a scheduled run that was created by code",
        unknown: "Scheduled workflow not found.",
    }
    await h.advance(MINUTE)
    assert await h.count("task") == 2


async def test_sc_8_delete_by_ids_and_by_filter(h: Harness) -> None:
    made = await h.put()
    one, two = await schedule(h, START_MS + HOUR, START_MS + HOUR)
    (three,) = await schedule(h, START_MS + HOUR, metadata='{"a":"b","c":"d"}')
    parent = UUID(int=9)
    (four,) = await schedule(h, START_MS + HOUR, parent_task_id=parent)
    assert (await h.engine.submit(DeleteScheduled(TENANT, [one]))).ids == [one]
    assert (await h.engine.submit(DeleteScheduled(UUID(int=3), [two]))).ids == []

    async def by(**more: object) -> list[UUID]:
        chosen = ScheduledFilter(**more)  # type: ignore[arg-type]
        return list((await h.engine.submit(DeleteScheduled(TENANT, filter=chosen))).ids)

    assert await by(metadata='{"a":"b","c":"x"}') == []
    assert await by(metadata='{"a":"b"}') == [three]
    assert await by(parent_task_id=parent) == [four]
    assert await by(workflow_id=UUID(int=1)) == []
    assert await by(workflow_id=made.workflow_id) == [two]


async def test_sc_9_trigger_now(h: Harness) -> None:
    await h.put()
    (one,) = await schedule(h, START_MS + HOUR)
    run_id = await h.engine.submit(TriggerScheduled(TENANT, one))
    assert (await row_of(h, "scheduled_run"))["run_id"] == run_id
    with refused(Code.FAILED_PRECONDITION, "already been triggered"):
        await h.engine.submit(TriggerScheduled(TENANT, one))
    with refused(Code.NOT_FOUND):
        await h.engine.submit(TriggerScheduled(TENANT, UUID(int=1)))
    await h.advance(2 * HOUR)
    assert await h.count("task") == 1


async def test_times_in_one_call_and_their_bytes_are_bounded(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await h.put()
    with refused(Code.INVALID_ARGUMENT, "10001 times in one call"):
        await schedule(h, *range(10_001))
    later = START_MS + HOUR
    monkeypatch.setattr(scheduled, "BYTES_MAX", 40)
    await schedule(h, later, later, input='{"n":12345678901234}')
    with refused(Code.INVALID_ARGUMENT, "3 times with 20 bytes of input and metadata each"):
        await schedule(h, later, later, later, input='{"n":12345678901234}')
    assert await h.count("scheduled_run") == 2
