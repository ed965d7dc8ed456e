"""Running finished work again (RP-*)."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.domain.states import EventKind, Status
from hatchet_engine.turn.commands import ReplayTasks, ReportKind, RunFilter
from hatchet_engine.turn.state import Limits
from tests.support.engine import START_MS, TENANT, Harness, Results, running_engine
from tests.support.rules import OTHER_TENANT, add_tenant, cancel, events, refused, replay, status


async def test_rp_1_ids_and_filter_together_are_refused(h: Harness) -> None:
    with refused(Code.INVALID_ARGUMENT, "not both"):
        await h.engine.submit(ReplayTasks(TENANT, [uuid4()], RunFilter(START_MS)))


async def test_rp_1_neither_does_nothing_and_the_unknown_is_refused(h: Harness) -> None:
    assert await replay(h) == []
    with refused(Code.NOT_FOUND, "no run or task"):
        await replay(h, uuid4())


async def test_rp_1_too_many_ids_are_refused(clean_database: str) -> None:
    async with running_engine(clean_database, limits=Limits(replay_ids_max=2)) as h:
        with refused(Code.INVALID_ARGUMENT, "limit is 2"):
            await replay(h, uuid4(), uuid4(), uuid4())


@pytest.mark.parametrize("end", [ReportKind.COMPLETED, ReportKind.FAILED, ReportKind.CANCELLED])
async def test_rp_3_same_ids_same_input_next_attempt(h: Harness, end: ReportKind) -> None:
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger(input='{"x":12345678901234567890}', metadata='{"k":"v"}')
    (first,) = await worker.next()
    await worker.report(first, end, "{}")
    assert await replay(h, run) == [run]
    (again,) = await worker.next()
    assert (again.task_id, again.run_id, again.attempt) == (run, run, 1)
    assert again.input == '{"x":12345678901234567890}'
    assert again.metadata == '{"k": "v"}'
    assert again.created_ms == first.created_ms
    assert (await events(h, run))[-2:] == [EventKind.ENDED, EventKind.RETRIED_BY_USER]
    assert await h.count("task") == 1


async def test_rp_3_never_assigned_task_gets_its_input(h: Harness) -> None:
    await h.put()
    (run,) = await h.trigger(input='{"x":1}')
    await cancel(h, run)
    await replay(h, run)
    worker = await h.worker()
    (task,) = await worker.next()
    assert (task.input, task.attempt) == ('{"x":1}', 1)


async def test_rp_3_retry_budget_is_fresh(h: Harness) -> None:
    await h.put(retries=1)
    worker = await h.worker()
    (run,) = await h.trigger()
    for _ in range(2):
        await worker.fail((await worker.next())[0])
    await replay(h, run)
    for attempt in (2, 3):
        (task,) = await worker.next()
        assert task.attempt == attempt
        await worker.fail(task)
    assert await status(h, run) is Status.FAILED
    assert len(worker.started) == 4


async def test_rp_4_replayed_task_is_queued_at_once_with_a_fresh_clock(h: Harness) -> None:
    await h.put(schedule_timeout_ms=5_000)
    (run,) = await h.trigger()
    await h.advance(5_000)
    await replay(h, run)
    await h.advance(4_999)
    assert await status(h, run) is Status.QUEUED
    await h.advance(1)
    assert await status(h, run) is Status.CANCELLED


async def test_rp_5_what_still_lives_is_refused(h: Harness) -> None:
    await h.put(retries=1, backoff_factor=60.0)
    worker = await h.worker(slots=1)
    delayed, running, queued = await h.trigger(count=3)
    await worker.fail((await worker.next())[0])
    await worker.next()
    for run in (delayed, running, queued):
        with refused(Code.FAILED_PRECONDITION, "has not ended"):
            await replay(h, run)
    everything = ReplayTasks(TENANT, filter=RunFilter(0))
    assert await h.engine.submit(everything) == []
    assert [task.attempt for task in worker.started] == [0, 0]


async def test_rp_5_two_replays_in_one_turn_replay_once(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.complete((await worker.next())[0])
    answers = await asyncio.gather(replay(h, run), replay(h, run), return_exceptions=True)
    assert answers[0] == [run]
    assert isinstance(answers[1], Refused)
    (task,) = await worker.next()
    assert task.attempt == 1


async def test_rp_10_replay_by_filter_runs_all_failed_ones_again(h: Harness) -> None:
    ids = [(await h.put(name)).workflow_id for name in ("a", "b", "c")]
    worker = await h.worker("a", "b", "c", slots=1_000)
    runs = []
    for name in ("a", "b", "c"):
        runs += await h.trigger(name, count=66, metadata='{"batch":"7"}')
    (other,) = await h.trigger("a", metadata='{"batch":"8"}')
    for task in await worker.next(199):
        await worker.fail(task)
    chosen = RunFilter(START_MS, workflow_ids=ids, metadata=[("batch", "7")])
    replayed = await h.engine.submit(ReplayTasks(TENANT, filter=chosen))
    assert sorted(replayed) == sorted(runs)
    for task in await worker.next(198):
        assert task.attempt == 1
        await worker.complete(task)
    rows = await h.fetch("select id from outcome where status = 2 and attempt = 1")
    assert {row["id"] for row in rows} == set(runs)
    assert await status(h, other) is Status.FAILED


async def test_rp_12_waiters_after_a_replay_get_the_new_result(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.complete((await worker.next())[0], '{"n":1}')
    await h.result(run)
    await replay(h, run)
    late = Results()
    h.subscriptions.subscribe(TENANT, late, [run])
    await worker.complete((await worker.next())[0], '{"n":2}')
    assert (await late.of(run)).tasks[0].output == '{"n":2}'
    later = Results()
    h.subscriptions.subscribe(TENANT, later, [run])
    assert (await later.of(run)).tasks[0].output == '{"n":2}'


async def test_te_1_another_tenants_tasks_are_not_replayed(h: Harness) -> None:
    await add_tenant(h)
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.complete((await worker.next())[0])
    with refused(Code.NOT_FOUND, "no run or task"):
        await replay(h, run, tenant_id=OTHER_TENANT)
    everything = ReplayTasks(OTHER_TENANT, filter=RunFilter(0))
    assert await h.engine.submit(everything) == []
    assert await status(h, run) is Status.COMPLETED
