"""Crons: their ticks, zones and bounds (CR-*)."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from hatchet_engine.domain.calendar import Policies
from hatchet_engine.domain.definition import IdempotencyConfig
from hatchet_engine.domain.errors import Code
from hatchet_engine.turn.commands import DeleteWorkflow, Pause, PauseKind, Resume
from hatchet_engine.turn.schedule_commands import (
    DeleteCron,
    EnableCron,
    TriggerCron,
)
from tests.support.dags import step
from tests.support.engine import START_MS, TENANT, Harness
from tests.support.rules import pass_time, refused
from tests.support.schedules import HOUR, MINUTE, cron, planned, row_of, schedule

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
        ({"policies": Policies(end_ms=START_MS + MINUTE - 1)}, "is never due; move start or end"),
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
