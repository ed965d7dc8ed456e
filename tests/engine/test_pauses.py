"""Pauses of workflows, tenants and keys (REG-24 to REG-26)."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from hatchet_engine.domain.errors import Code
from hatchet_engine.domain.states import Status
from hatchet_engine.turn import pauses
from hatchet_engine.turn.commands import Pause, PausedThing, PauseKind, Resume
from tests.support.concurrency import key, rule, run_all
from tests.support.engine import START_MS, TENANT, Harness
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
    monkeypatch.setattr(pauses, "RELEASED_MAX", 2)
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
    monkeypatch.setattr(pauses, "RELEASED_MAX", 1)
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
