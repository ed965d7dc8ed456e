"""Crons and scheduled runs (CR-*, SC-*, REG-16, Q-5)."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from hatchet_engine.domain.calendar import CatchUp, Overlap, Policies, to_make_good
from hatchet_engine.domain.calendar.policies import LATE_MAX_MS
from hatchet_engine.domain.definition import IdempotencyConfig
from hatchet_engine.domain.errors import Code
from hatchet_engine.domain.states import Status
from hatchet_engine.turn import firing, scheduled
from hatchet_engine.turn.commands import CancelTasks, DeleteWorkflow, Pause, PauseKind, Resume
from hatchet_engine.turn.schedule_commands import (
    CreateCron,
    DeleteCron,
    DeleteScheduled,
    EnableCron,
    RescheduleRuns,
    ScheduledFilter,
    ScheduleRuns,
    TriggerCron,
    TriggerScheduled,
)
from tests.support.dags import step, work
from tests.support.engine import START_MS, TENANT, Harness, running_engine
from tests.support.invariants import check_all
from tests.support.rules import pass_time, refused

SECOND = 1_000
MINUTE = 60_000
HOUR = 3_600_000


async def cron(h: Harness, expression: str = "* * * * *", **more: object) -> UUID:
    options = {"workflow": "hello", "name": "c", **more}
    return await h.engine.submit(CreateCron(TENANT, expression=expression, **options))  # type: ignore[arg-type]


async def schedule(h: Harness, *due_ms: int, **more: object) -> list[UUID]:
    made = await h.engine.submit(ScheduleRuns(TENANT, "hello", due_ms, **more))  # type: ignore[arg-type]
    return list(made.ids)


async def planned(h: Harness) -> list[str]:
    """The ticks that made runs, in order, without the date of the first day."""
    rows = await h.fetch(
        "select metadata ->> 'hatchet__cron_scheduled_at' as at from task "
        "where kind <> 2 order by id"
    )
    return [row["at"].removeprefix("2026-01-01T").removesuffix("Z") for row in rows]


async def row_of(h: Harness, table: str = "cron"):  # type: ignore[no-untyped-def]
    return (await h.fetch(f"select * from {table}"))[0]


# ---------------------------------------------------------------- crons


async def test_cr_2_and_6_a_cron_makes_a_run_for_each_tick(h: Harness) -> None:
    await h.put()
    cron_id = await cron(h, input='{"n":1}', metadata='{"k":"v","hatchet__cron_name":"mine"}')
    await h.advance(MINUTE - 1)
    assert await h.count("task") == 0
    await h.advance(1)
    await h.advance(MINUTE)
    assert await planned(h) == ["00:01:00", "00:02:00"]
    row = (await h.fetch("select * from task"))[0]
    assert row["input"] == '{"n":1}'
    assert json.loads(row["metadata"]) == {
        "k": "v",
        "hatchet__cron_expression": "* * * * *",
        "hatchet__cron_name": "c",
        "hatchet__cron_scheduled_at": "2026-01-01T00:01:00Z",
    }
    assert json.loads(row["trigger"]) == {"cron_id": str(cron_id)}


async def test_cr_2_what_is_refused(h: Harness) -> None:
    await h.put()
    for options, words in (
        ({"workflow": "other"}, "workflow not found"),
        ({"name": ""}, "cron name is required"),
        ({"name": "n" * 256}, "cronName"),
        ({"name": "a\x00"}, "cronName"),
        ({"expression": "@daily"}, "error creating cron trigger: cronExpression: aliases"),
        ({"expression": "0 0 31 2 *"}, "never due"),
        ({"policies": Policies(zone="Mars")}, "no time zone"),
        ({"priority": 4}, "priority must be between 1 and 3"),
        ({"input": "[]"}, "input: must be a JSON object"),
        ({"metadata": '{"a":"\\u0000"}'}, "additionalMetadata"),
    ):
        with refused(Code.INVALID_ARGUMENT, words):
            await cron(h, **options)
    await cron(h, name="n" * 255)
    with refused(Code.INVALID_ARGUMENT, "name-expression pair already exists"):
        await cron(h, name="n" * 255)
    await cron(h, name="other")  # CR-3
    await cron(h, "0 * * * *", name="other")
    assert await h.count("cron") == 3


async def test_q_5_a_priority_that_is_not_given_is_the_workflows(h: Harness) -> None:
    await h.put_dag("hello", step("hello"), default_priority=3)
    await cron(h)
    await cron(h, name="low", priority=1)
    await schedule(h, START_MS + MINUTE)
    await h.advance(MINUTE)
    rows = await h.fetch("select priority from task where kind <> 2 order by priority")
    assert [row["priority"] for row in rows] == [1, 3, 3]


async def test_cr_1_and_reg_16_declared_crons_follow_the_definition(h: Harness) -> None:
    async def put(*crons: str, **more: object) -> None:
        await h.put_dag("hello", step("hello"), cron_triggers=list(crons), **more)

    await put("* * * * *", "0 * * * *", "* * * * *", cron_input='{"n":1}')
    api = await cron(h, "0 0 * * *")
    first = {row["expression"]: row for row in await h.fetch("select * from cron")}
    assert len(first) == 3
    await h.engine.submit(EnableCron(TENANT, first["0 * * * *"]["id"], False))
    await put("0 * * * *", "30 * * * *", cron_input='{"n":2}')
    second = {row["expression"]: row for row in await h.fetch("select * from cron")}
    assert sorted(second) == ["0 * * * *", "0 0 * * *", "30 * * * *"]
    assert second["0 0 * * *"]["id"] == api
    assert second["0 * * * *"]["enabled"] is False
    await h.advance(HOUR // 2)
    await h.advance(HOUR // 2)
    assert await planned(h) == ["00:30:00"]
    assert (await row_of(h, "task"))["input"] == '{"n":2}'
    await put()
    assert await h.count("cron") == 1


async def test_registration_refuses_bad_crons_naming_them(h: Harness) -> None:
    for crons, more, words in (
        (["* * *"], {}, "cron_triggers: '* * *': needs 5 fields"),
        (["* * * * *"], {"cron_input": "[]"}, "cron_input: must be a JSON object"),
        (["* * * * *"] * 1_001, {}, "at most 1000"),
    ):
        with refused(Code.INVALID_ARGUMENT, words):
            await h.put_dag("hello", step("hello"), cron_triggers=crons, **more)
    await h.put_dag("hello", step("hello"), cron_triggers=["* * * * *"] * 1_000)


async def test_cr_4_enabling_makes_nothing_good(h: Harness) -> None:
    await h.put()
    cron_id = await cron(h)
    await h.engine.submit(EnableCron(TENANT, cron_id, False))
    await h.advance(10 * MINUTE)
    assert await h.count("task") == 0
    await h.engine.submit(EnableCron(TENANT, cron_id, True))
    await h.advance(MINUTE)
    assert await planned(h) == ["00:11:00"]
    with refused(Code.NOT_FOUND):
        await h.engine.submit(EnableCron(TENANT, UUID(int=1), True))


async def test_cr_5_a_disabled_cron_can_be_triggered(h: Harness) -> None:
    await h.put()
    cron_id = await cron(h, input='{"n":1}')
    await h.engine.submit(EnableCron(TENANT, cron_id, False))
    run_id = await h.engine.submit(TriggerCron(TENANT, cron_id))
    row = await row_of(h, "task")
    assert (row["id"], row["input"]) == (run_id, '{"n":1}')
    with refused(Code.NOT_FOUND):
        await h.engine.submit(TriggerCron(UUID(int=5), cron_id))


async def test_deleted_crons_and_workflows_stop(h: Harness) -> None:
    made = await h.put()
    cron_id = await cron(h)
    await h.engine.submit(DeleteCron(TENANT, cron_id))
    with refused(Code.NOT_FOUND):
        await h.engine.submit(DeleteCron(TENANT, cron_id))
    await cron(h)
    await schedule(h, START_MS + MINUTE)
    await h.engine.submit(DeleteWorkflow(TENANT, made.workflow_id))  # CR-11
    await h.advance(10 * MINUTE)
    assert await h.count("task") == 0
    assert await h.count("cron") == await h.count("scheduled_run") == 0


async def test_zone_bounds_and_end(h: Harness) -> None:
    await h.put()
    policies = Policies(
        zone="Asia/Kolkata", start_ms=START_MS + 2 * HOUR, end_ms=START_MS + 3 * HOUR + HOUR // 2
    )
    await cron(h, "0 * * * *", policies=policies)
    for _ in range(12):
        await h.advance(HOUR // 2)
    # Kolkata is at +05:30: full hours there are half hours here; the last is the bound itself.
    assert await planned(h) == ["02:30:00", "03:30:00"]
    assert (await row_of(h))["next_fire_ms"] is None


async def test_jitter_moves_the_run_not_the_tick(h: Harness) -> None:
    await h.put()
    await cron(h, policies=Policies(jitter_ms=30_000))
    row = await row_of(h)
    delay = row["next_fire_ms"] - row["tick_ms"]
    assert 0 < delay <= 30_000
    await h.advance(MINUTE + delay - 1)
    assert await h.count("task") == 0
    await h.advance(1)
    assert await planned(h) == ["00:01:00"]


# ---------------------------------------------------------------- missed ticks


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        (Policies(), ["05:00:00"]),
        (Policies(catch_up=CatchUp.ONE), ["04:00:00", "05:00:00"]),
        (Policies(catch_up=CatchUp.ALL, catch_up_max=2), ["03:00:00", "04:00:00", "05:00:00"]),
        (
            Policies(catch_up=CatchUp.ALL),
            ["01:00:00", "02:00:00", "03:00:00", "04:00:00", "05:00:00"],
        ),
        (Policies(catch_up=CatchUp.ONE, end_ms=START_MS + 3 * HOUR), ["03:00:00"]),
        (Policies(end_ms=START_MS + 3 * HOUR), []),
    ],
)
async def test_cr_7_missed_ticks(h: Harness, policies: Policies, expected: list[str]) -> None:
    await h.put()
    await cron(h, "0 * * * *", policies=policies)
    await h.advance(4 * HOUR + LATE_MAX_MS + 1)
    await h.advance(HOUR - LATE_MAX_MS - 1)
    assert await planned(h) == expected


async def test_a_late_tick_is_not_missed(h: Harness) -> None:
    await h.put()
    await cron(h, "0 * * * *")
    await h.advance(HOUR + LATE_MAX_MS)
    assert await planned(h) == ["01:00:00"]


async def test_more_missed_ticks_than_one_turn_takes(h: Harness) -> None:
    await h.put()
    await cron(h, "* * * * * *", policies=Policies(catch_up=CatchUp.ALL, catch_up_max=1_000))
    await h.advance(3_000_000)
    # A thousand that were missed, and those of the last minute, which are only late.
    assert await h.count("task") == 1_000 + LATE_MAX_MS // 1_000 + 1
    assert (await planned(h))[-1] == "00:50:00"


# ---------------------------------------------------------------- overlap


async def overlapping(h: Harness, overlap: Overlap) -> None:
    await h.put()
    await cron(h, "* * * * * *", policies=Policies(overlap=overlap))


async def test_cr_8_runs_may_overlap(h: Harness) -> None:
    await overlapping(h, Overlap.ALLOW)
    await h.worker()
    for _ in range(3):
        await h.advance(SECOND)
    assert len(await planned(h)) == 3


async def test_overlap_skip(h: Harness) -> None:
    await overlapping(h, Overlap.SKIP)
    worker = await h.worker()
    for _ in range(3):
        await h.advance(SECOND)
    (task,) = await worker.next()
    await worker.complete(task)
    await h.advance(SECOND)
    assert await planned(h) == ["00:00:01", "00:00:04"]


async def test_overlap_queue_lets_one_tick_wait(h: Harness) -> None:
    await overlapping(h, Overlap.QUEUE)
    worker = await h.worker()
    for _ in range(4):
        await h.advance(SECOND)
    (task,) = await worker.next()
    assert (await row_of(h))["waiting"]
    await worker.complete(task)
    await h.settle()
    assert await planned(h) == ["00:00:01", "00:00:02"]
    (task,) = await worker.next()
    await worker.complete(task)
    await h.advance(SECOND)
    assert await planned(h) == ["00:00:01", "00:00:02", "00:00:05"]


async def test_overlap_queue_over_a_restart(clean_database: str) -> None:
    async with running_engine(clean_database) as h:
        await overlapping(h, Overlap.QUEUE)
        await h.worker()
        await h.advance(SECOND)
        await h.advance(SECOND)
        clock = h.clock
    async with running_engine(clean_database, clock=clock, seed=2) as h:
        assert len(h.engine.hot.cron_waits) == 1
        (run_id,) = h.engine.hot.cron_waits
        await h.engine.submit(CancelTasks(TENANT, [run_id]))
        await h.settle()
        assert await planned(h) == ["00:00:01", "00:00:02"]


async def test_overlap_queue_of_a_graph(h: Harness) -> None:
    await h.put_dag("hello", step("a"), step("b", "a"))
    await cron(h, "* * * * * *", policies=Policies(overlap=Overlap.QUEUE))
    worker = await h.worker("a", "b")
    await h.advance(SECOND)
    await h.advance(SECOND)
    assert len(await planned(h)) == 1
    assert await work(h, worker) == ["a", "b", "a", "b"]
    assert len(await planned(h)) == 2


async def test_a_tick_that_waits_ends_with_its_cron(h: Harness) -> None:
    await overlapping(h, Overlap.QUEUE)
    worker = await h.worker()
    await h.advance(SECOND)
    await h.advance(SECOND)
    cron_id = (await row_of(h))["id"]
    await h.engine.submit(EnableCron(TENANT, cron_id, False))
    (task,) = await worker.next()
    await worker.complete(task)
    await h.settle()
    assert len(await planned(h)) == 1


async def test_overlap_cancel_old(h: Harness) -> None:
    await overlapping(h, Overlap.CANCEL_OLD)
    worker = await h.worker()
    await h.advance(SECOND)
    (task,) = await worker.next()
    await h.advance(SECOND)
    notice = await worker.next_cancel()
    assert (notice.task_id, notice.reason) == (task.task_id, "The next tick of its cron came")
    (row,) = await h.fetch("select status from outcome where id = $1", task.run_id)
    assert row["status"] == Status.CANCELLED
    assert len(await worker.next()) == 1
    assert await planned(h) == ["00:00:01", "00:00:02"]


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
    monkeypatch.setattr(firing, "TASKS_MAX", 6)
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


# ---------------------------------------------------------------- with keys and pauses


async def test_cr_13_a_tick_whose_idempotency_key_is_taken_makes_no_run(h: Harness) -> None:
    await h.put_dag("hello", step("a"), idempotency=IdempotencyConfig("'one'", 90_000))
    await cron(h)
    await schedule(h, START_MS + MINUTE + 1)
    for _ in range(4):
        await h.advance(MINUTE)
    assert await planned(h) == ["00:01:00", "00:03:00"]  # each takes the key for 90 s
    assert "idempotency key collision" in (await row_of(h, "scheduled_run"))["error"]
    with refused(Code.ALREADY_EXISTS, "collision"):
        await h.engine.submit(TriggerCron(TENANT, (await row_of(h))["id"]))


@pytest.mark.parametrize("drop", [False, True])
async def test_reg_27_a_paused_workflow_queues_or_drops_what_is_due(h: Harness, drop: bool) -> None:
    workflow = str((await h.put()).workflow_id)
    worker = await h.worker()
    await cron(h)
    await schedule(h, START_MS + MINUTE)
    pause = Pause(TENANT, PauseKind.WORKFLOW, workflow, drop_crons=drop, drop_scheduled=drop)
    await h.engine.submit(pause)
    for _ in range(2):
        await pass_time(h, MINUTE, worker)
    assert worker.started == []
    assert await h.count("task") == (0 if drop else 3)
    await h.engine.submit(Resume(TENANT, PauseKind.WORKFLOW, workflow))
    await h.settle()
    # The scheduled run is still there and past its time; the ticks are gone.
    assert len(worker.started) == (1 if drop else 3)
    await pass_time(h, MINUTE, worker)
    assert len(worker.started) == (2 if drop else 4)


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

    monkeypatch.setattr(firing, "to_make_good", counted)
    monkeypatch.setattr(firing, "TASKS_MAX", 10)
    await h.put()
    for name in ("a", "b", "c"):
        await cron(h, name=name, policies=Policies(catch_up=CatchUp.ALL, catch_up_max=10))
    await h.advance(HOUR)
    assert [looked.count(turn) for turn in sorted(set(looked))] == [1, 1, 1, 3]
    assert await h.count("task") == 3 * 12


async def test_late_ticks_of_large_runs_are_cut_into_turns(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firing, "TASKS_MAX", 10)
    await h.put_dag("hello", *(step(f"s{number}") for number in range(4)))
    await cron(h, "*/10 * * * * *")
    turns = h.engine.turns
    await h.advance(MINUTE)
    assert await h.count("task") == 6 * 5
    assert h.engine.turns - turns == 3


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
