"""Pauses of workflows, tenants and keys (REG-24 to REG-26)."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from hatchet_engine.domain.definition import RateLimitUse
from hatchet_engine.domain.errors import Code
from hatchet_engine.domain.states import Status
from hatchet_engine.turn import held
from hatchet_engine.turn.commands import (
    DeleteRateLimit,
    LeaveWorker,
    Pause,
    PausedThing,
    PauseKind,
    PauseRateLimit,
    PutRateLimit,
    Resume,
)
from hatchet_engine.turn.rate_commands import PAUSED_FOR_EVER_MS
from tests.support.concurrency import key, rule, run_all
from tests.support.engine import START_MS, TENANT, FakeWorker, Harness
from tests.support.rules import pass_time, refused, status


async def pause(
    h: Harness, target: object = "", kind: PauseKind = PauseKind.WORKFLOW, **options: object
) -> PausedThing:
    return await h.engine.submit(Pause(TENANT, kind, str(target), **options))  # type: ignore[arg-type]


async def resume(h: Harness, target: object = "", kind: PauseKind = PauseKind.WORKFLOW) -> bool:
    return await h.engine.submit(Resume(TENANT, kind, str(target)))


async def test_reg_24_new_runs_wait_and_running_ones_go_on(h: Harness) -> None:
    workflow = (await h.put()).workflow_id
    await h.put("other")
    worker = await h.worker("hello", "other")
    (running,) = await h.trigger()
    await pause(h, workflow, by="me", reason="deploy")
    await worker.complete(worker.started.pop())
    assert await status(h, running) is Status.COMPLETED
    runs = await h.trigger(count=3)
    (other,) = await h.trigger("other")
    assert [task.task_id for task in worker.started] == [other]
    await pass_time(h, 400_000, worker)  # longer than the schedule timeout
    assert await status(h, runs[0]) is Status.QUEUED
    worker.started.clear()
    assert await resume(h, workflow)
    await h.settle()
    assert [task.task_id for task in worker.started] == runs
    assert await h.count("pause") == 0
    assert not await resume(h, workflow)


async def test_reg_24_what_is_queued_already_is_held(h: Harness) -> None:
    workflow = (await h.put()).workflow_id
    runs = await h.trigger(count=3)
    await pause(h, workflow)
    worker = await h.worker()
    await pass_time(h, 1_000, worker)
    assert worker.started == []
    await resume(h, workflow)
    await h.settle()
    assert [task.task_id for task in worker.started] == runs


async def test_what_memory_does_not_hold_is_held_as_it_comes(h: Harness) -> None:
    workflow = (await h.put()).workflow_id
    runs = await h.trigger(count=3)
    await h.restart()
    await pause(h, workflow)
    worker = await h.worker()
    await h.settle()
    await pass_time(h, 400_000, worker)
    assert worker.started == []
    await resume(h, workflow)
    await h.settle()
    assert [task.task_id for task in worker.started] == runs


async def test_reg_25_what_waits_longer_than_the_time_to_live_is_cancelled(h: Harness) -> None:
    workflow = (await h.put()).workflow_id
    await h.worker()
    await pause(h, workflow, queue_ttl_ms=1_000)
    (run,) = await h.trigger()
    await h.advance(999)
    assert await status(h, run) is Status.QUEUED
    await h.advance(1)
    assert await status(h, run) is Status.CANCELLED


async def test_reg_26_a_fresh_schedule_timeout(h: Harness) -> None:
    workflow = (await h.put(schedule_timeout_ms=10_000)).workflow_id
    await pause(h, workflow)
    (run,) = await h.trigger()
    await h.advance(60_000)
    await resume(h, workflow)
    await h.settle()
    await h.advance(9_999)
    assert await status(h, run) is Status.QUEUED
    await h.advance(1)
    assert await status(h, run) is Status.CANCELLED


async def test_a_pause_ends_by_itself(h: Harness) -> None:
    workflow = (await h.put()).workflow_id
    worker = await h.worker()
    thing = await pause(h, workflow, until_ms=START_MS + 5_000)
    assert thing.since_ms == START_MS
    runs = await h.trigger(count=2)
    await h.advance(4_999)
    assert worker.started == []
    await h.advance(1)
    await h.settle()
    assert [task.task_id for task in worker.started] == runs


async def test_a_pause_and_what_it_holds_survive_a_restart(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "RELEASED_MAX", 2)
    workflow = (await h.put()).workflow_id
    await pause(h, workflow)
    runs = await h.trigger(count=9)
    await h.restart()
    worker = await h.worker()
    await h.settle()
    assert worker.started == []
    await resume(h, workflow)
    await h.restart()
    await worker.open(held=[(task.task_id, task.attempt) for task in worker.started])
    await h.settle()
    assert [task.task_id for task in worker.started] == runs


async def test_a_paused_tenant(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    await pause(h, kind=PauseKind.TENANT)
    runs = await h.trigger(count=2)
    assert worker.started == []
    await resume(h, kind=PauseKind.TENANT)
    await h.settle()
    assert [task.task_id for task in worker.started] == runs


@pytest.mark.parametrize("strategy", ["GROUP_ROUND_ROBIN", "CANCEL_NEWEST"])
async def test_a_paused_concurrency_key(h: Harness, strategy: str) -> None:
    await h.put(concurrency=[rule(most=3, strategy=strategy)])
    worker = await h.worker()
    (limit,) = await h.fetch("select id from concurrency_limit")
    line = f"c{limit['id']}:a"
    await pause(h, line, PauseKind.CONCURRENCY_KEY)
    a = await h.trigger(input=key("a"), count=3)
    (b,) = await h.trigger(input=key("b"))
    assert [task.task_id for task in worker.started] == [b]
    await h.restart()
    await worker.open(held=[(task.task_id, task.attempt) for task in worker.started])
    await resume(h, line, PauseKind.CONCURRENCY_KEY)
    await h.settle()
    assert [task.task_id for task in worker.started] == [b, *a]
    await run_all(h, worker)


async def test_bad_pauses_are_refused(h: Harness) -> None:
    workflow = (await h.put()).workflow_id
    with refused(Code.NOT_FOUND, "no workflow"):
        await pause(h, uuid4())
    with refused(Code.INVALID_ARGUMENT, "until"):
        await pause(h, workflow, until_ms=START_MS)
    with refused(Code.INVALID_ARGUMENT, "reason"):
        await pause(h, workflow, reason="x" * 1_001)
    with refused(Code.INVALID_ARGUMENT, "queue_ttl"):
        await pause(h, workflow, queue_ttl_ms=0)
    with refused(Code.INVALID_ARGUMENT, "target"):
        await pause(h, UUID(int=1), PauseKind.TENANT)
    assert await h.count("pause") == 0


async def test_a_pause_that_begins_again_before_all_are_let_go(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "RELEASED_MAX", 1)
    workflow = (await h.put()).workflow_id
    await pause(h, workflow)
    runs = await h.trigger(count=3)
    worker = await h.worker()
    first = h.engine.enter(Resume(TENANT, PauseKind.WORKFLOW, str(workflow)))
    again = h.engine.enter(Pause(TENANT, PauseKind.WORKFLOW, str(workflow)))
    await first
    await again
    await h.settle()
    assert worker.started == []
    await resume(h, workflow)
    await h.settle()
    assert [task.task_id for task in worker.started] == runs


# ---------------------------------------------------------------- rate limits


async def limited(h: Harness) -> None:
    await h.engine.submit(PutRateLimit(TENANT, "api", 10, "MINUTE"))
    await h.put(rate_limits=[RateLimitUse("api", units=1)])


async def test_a_rate_limit_is_paused_until_somebody_resumes_it(h: Harness) -> None:
    await limited(h)
    thing = await pause(h, "api", PauseKind.RATE_LIMIT, by="me", reason="429")
    assert (thing.by, thing.reason, thing.until_ms) == ("me", "429", None)
    runs = await h.trigger(count=3)
    worker = await h.worker()
    await pass_time(h, 200_000, worker)
    assert worker.started == []
    assert await resume(h, "api", PauseKind.RATE_LIMIT)
    await h.settle()
    assert [task.task_id for task in worker.started] == runs
    assert not await resume(h, "api", PauseKind.RATE_LIMIT)
    assert await h.count("pause") == 0


async def test_a_pause_of_a_rate_limit_may_be_made_shorter(h: Harness) -> None:
    await limited(h)
    await pause(h, "api", PauseKind.RATE_LIMIT, until_ms=START_MS + 90_000)
    await pause(h, "api", PauseKind.RATE_LIMIT, until_ms=START_MS + 5_000)
    (run,) = await h.trigger()
    worker = await h.worker()
    await pass_time(h, 4_999, worker)
    assert worker.started == []
    await h.advance(1)
    assert [task.task_id for task in worker.started] == [run]


async def test_b16_a_task_only_ever_makes_a_pause_longer(h: Harness) -> None:
    """And who began it and why stays known."""
    await limited(h)
    await pause(h, "api", PauseKind.RATE_LIMIT, until_ms=START_MS + 5_000, by="me", reason="x")
    submit, later = h.engine.submit, START_MS + 9_000
    assert await submit(PauseRateLimit(TENANT, "api", START_MS + 1_000)) == START_MS + 5_000
    assert await submit(PauseRateLimit(TENANT, "api", later)) == later
    [row] = await h.fetch("select until_ms, by, reason, since_ms from pause")
    assert tuple(row) == (later, "me", "x", START_MS)
    await pause(h, "api", PauseKind.RATE_LIMIT)
    assert await submit(PauseRateLimit(TENANT, "api", later + 1)) == PAUSED_FOR_EVER_MS
    assert (await h.fetch("select until_ms from pause"))[0]["until_ms"] is None


async def test_b16_a_time_that_has_passed_pauses_nothing(h: Harness) -> None:
    assert await h.engine.submit(PauseRateLimit(TENANT, "api", START_MS)) == START_MS
    assert (await h.count("pause"), await h.count("rate_limit")) == (0, 0)


async def test_an_unknown_limit_is_paused_before_it_is_put(h: Harness) -> None:
    await pause(h, "api", PauseKind.RATE_LIMIT)
    await limited(h)
    await h.trigger()
    worker = await h.worker()
    await h.settle()
    assert worker.started == []
    await resume(h, "api", PauseKind.RATE_LIMIT)
    await h.settle()
    assert len(worker.started) == 1


async def test_a_paused_limit_outlives_a_restart(h: Harness) -> None:
    await limited(h)
    await pause(h, "api", PauseKind.RATE_LIMIT, until_ms=START_MS + 5_000)
    await h.trigger()
    await h.restart()
    worker = await h.worker()
    await pass_time(h, 4_999, worker)
    assert worker.started == []
    await h.advance(1)
    assert len(worker.started) == 1


async def test_a_deleted_limit_is_not_paused_any_more(h: Harness) -> None:
    await limited(h)
    await pause(h, "api", PauseKind.RATE_LIMIT)
    await h.engine.submit(DeleteRateLimit(TENANT, "api"))
    assert await h.count("pause") == 0
    await limited(h)
    await h.trigger()
    assert len((await h.worker()).started) == 1


async def test_bad_keys_of_rate_limits_are_refused(h: Harness) -> None:
    for target in ("", "k" * 2_001, "a\x00b"):
        with refused(Code.INVALID_ARGUMENT, "key"):
            await pause(h, target, PauseKind.RATE_LIMIT)
    await pause(h, "k" * 2_000, PauseKind.RATE_LIMIT)


# ---------------------------------------------------------------- workers


async def test_wk_6_a_paused_worker_gets_nothing_and_ends_what_it_has(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    (first,) = await h.trigger()
    (task,) = await worker.next()
    thing = await pause(h, worker.id, PauseKind.WORKER, by="me", until_ms=START_MS + 5_000)
    assert (thing.by, thing.since_ms) == ("me", START_MS)
    (second,) = await h.trigger()
    await worker.complete(task)
    assert await status(h, first) is Status.COMPLETED
    await pass_time(h, 4_999, worker)
    assert await status(h, second) is Status.QUEUED
    await h.advance(1)
    assert (await worker.next())[0].task_id == second


async def test_wk_6_a_paused_worker_may_be_resumed(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    await pause(h, worker.id, PauseKind.WORKER)
    (run,) = await h.trigger()
    await h.settle()
    assert worker.started == []
    assert await resume(h, worker.id, PauseKind.WORKER)
    assert (await worker.next())[0].task_id == run


async def test_wk_6_a_pause_outlives_restart_reconnect_and_being_given_up(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    await pause(h, worker.id, PauseKind.WORKER)
    await h.restart()
    await reopen(h, worker)
    (run,) = await h.trigger()
    assert await status(h, run) is Status.QUEUED
    await h.advance(30_000)
    assert worker.id not in h.engine.hot.workers
    await reopen(h, worker)
    await h.settle()
    assert await status(h, run) is Status.QUEUED
    assert await resume(h, worker.id, PauseKind.WORKER)
    await h.settle()
    assert await status(h, run) is Status.RUNNING


async def reopen(h: Harness, worker: FakeWorker) -> None:
    stream = FakeWorker(h.engine, worker.tenant_id)
    stream.id = worker.id
    await stream.open()


async def test_a_worker_that_was_given_up_may_be_paused(h: Harness) -> None:
    """It is not revived by that, and is given up again."""
    await h.put()
    worker = await h.worker()
    await h.advance(30_000)
    await pause(h, worker.id, PauseKind.WORKER)
    await h.advance(30_000)
    assert worker.id not in h.engine.hot.workers
    await h.trigger()
    await reopen(h, worker)
    await h.settle()
    assert worker.started == []


async def test_wk_10_the_pause_ends_when_the_worker_leaves(h: Harness) -> None:
    worker = await h.worker()
    await pause(h, worker.id, PauseKind.WORKER)
    await h.engine.submit(LeaveWorker(TENANT, worker.id))
    assert await h.count("pause") == 0


async def test_unknown_workers_are_refused(h: Harness) -> None:
    worker = await h.worker()
    for target in ("", "w", uuid4()):
        with refused(Code.NOT_FOUND, "target"):
            await pause(h, target, PauseKind.WORKER)
    with refused(Code.NOT_FOUND, "target"):
        await h.engine.submit(Pause(uuid4(), PauseKind.WORKER, str(worker.id)))
