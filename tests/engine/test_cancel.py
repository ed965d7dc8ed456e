"""Cancelling (CX-*)."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from hatchet_engine.domain.errors import Code
from hatchet_engine.domain.states import EventKind, Status
from hatchet_engine.turn.commands import (
    CancelTasks,
    Report,
    ReportKind,
    ReportTasks,
    RunFilter,
)
from hatchet_engine.turn.state import Limits
from tests.support.engine import START_MS, TENANT, Harness, running_engine
from tests.support.rules import (
    OTHER_TENANT,
    add_tenant,
    cancel,
    events,
    outcome,
    refused,
    replay,
    status,
)


async def by_filter(h: Harness, **fields: object) -> list[object]:
    chosen = RunFilter(**{"since_ms": START_MS, **fields})  # type: ignore[arg-type]
    return list(await h.engine.submit(CancelTasks(TENANT, filter=chosen)))


async def test_cx_1_ids_and_filter_together_are_refused(h: Harness) -> None:
    await h.put()
    (run,) = await h.trigger()
    with refused(Code.INVALID_ARGUMENT, "not both"):
        await h.engine.submit(CancelTasks(TENANT, [run], RunFilter(START_MS)))
    assert await status(h, run) is Status.QUEUED


async def test_cx_1_neither_does_nothing(h: Harness) -> None:
    await h.put()
    (run,) = await h.trigger()
    assert await h.engine.submit(CancelTasks(TENANT)) == []
    assert await status(h, run) is Status.QUEUED


async def test_cx_1_unknown_and_doubled_ids_are_harmless(h: Harness) -> None:
    await h.put()
    (run,) = await h.trigger()
    assert await cancel(h, uuid4(), run, run, uuid4()) == [run]
    assert await status(h, run) is Status.CANCELLED


async def test_cx_1_too_many_ids_are_refused(clean_database: str) -> None:
    async with running_engine(clean_database, limits=Limits(cancel_ids_max=3)) as h:
        await h.put()
        runs = await h.trigger(count=4)
        with refused(Code.INVALID_ARGUMENT, "limit is 3"):
            await cancel(h, *runs)
        assert await h.count("outcome") == 0
        assert await cancel(h, *runs[:3]) == runs[:3]


async def test_more_children_than_a_call_takes_are_refused(clean_database: str) -> None:
    async with running_engine(clean_database, limits=Limits(cancel_ids_max=3)) as h:
        await h.put()
        (parent,) = await h.trigger()
        children = [
            run
            for index in range(4)
            for run in await h.trigger(parent_task_id=parent, child_index=index)
        ]
        with refused(Code.INVALID_ARGUMENT, "more than 3 runs that these have spawned go on"):
            await h.engine.submit(CancelTasks(TENANT, [parent], children=True))
        assert await h.count("outcome") == 0
        await cancel(h, children[0])  # what has ended does not count
        found = await h.engine.submit(CancelTasks(TENANT, [parent], children=True))
        assert set(found) == {parent, *children[1:]}


async def test_cx_2_filter_by_status(h: Harness) -> None:
    await h.put()
    worker = await h.worker(slots=1)
    running, *queued = await h.trigger(count=3)
    await worker.next()
    assert await by_filter(h, statuses=[Status.RUNNING]) == [running]
    await worker.next()  # the slot went to the next
    assert await by_filter(h, statuses=[Status.QUEUED]) == [queued[1]]
    assert await by_filter(h, statuses=[Status.CANCELLED, Status.COMPLETED]) == []
    assert await status(h, queued[0]) is Status.RUNNING


async def test_cx_2_backoff_counts_as_queued(h: Harness) -> None:
    await h.put(retries=1, backoff_factor=9.0)
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.fail((await worker.next())[0])
    assert await by_filter(h, statuses=[Status.QUEUED]) == [run]
    assert await h.count("delayed_item") == 0


async def test_cx_2_filter_by_workflow(h: Harness) -> None:
    await h.put("a")
    b = await h.put("b")
    await h.trigger("a")
    (run,) = await h.trigger("b")
    assert await by_filter(h, workflow_ids=[b.workflow_id]) == [run]


async def test_cx_2_filter_by_metadata_takes_any_pair(h: Harness) -> None:
    await h.put()
    (red,) = await h.trigger(metadata='{"colour":"red"}')
    (big,) = await h.trigger(metadata='{"size":3,"colour":"blue"}')
    (neither,) = await h.trigger(metadata='{"colour":"green"}')
    (none,) = await h.trigger()
    assert await by_filter(h, metadata=[("colour", "red"), ("size", "3")]) == [red, big]
    assert await status(h, neither) is Status.QUEUED
    assert await status(h, none) is Status.QUEUED


async def test_cx_2_filter_by_time_includes_both_ends(h: Harness) -> None:
    await h.put(schedule_timeout_ms=3_600_000)
    runs = []
    for _ in range(4):
        runs += await h.trigger()
        await h.advance(1_000)
    assert await by_filter(h, since_ms=START_MS + 1_000, until_ms=START_MS + 2_000) == runs[1:3]
    assert await by_filter(h, since_ms=START_MS + 3_001) == []
    assert await by_filter(h) == [runs[0], runs[3]]


@pytest.mark.parametrize("since_ms", [-(10**15), -1, 0])
@pytest.mark.parametrize("until_ms", [None, 10**14, 10**18])
async def test_cx_2_any_time_is_taken(h: Harness, since_ms: int, until_ms: int | None) -> None:
    await h.put()
    (run,) = await h.trigger()
    assert await by_filter(h, since_ms=since_ms, until_ms=until_ms) == [run]


@pytest.mark.parametrize(
    ("since_ms", "until_ms"), [(10**18, None), (0, -1), (0, -(10**15)), (10**14, 10**14)]
)
async def test_cx_2_time_without_runs_selects_none(
    h: Harness, since_ms: int, until_ms: int | None
) -> None:
    await h.put()
    await h.trigger()
    assert await by_filter(h, since_ms=since_ms, until_ms=until_ms) == []


async def test_cx_3_running_task_ends_at_once_and_the_worker_is_told(h: Harness) -> None:
    await h.put()
    worker = await h.worker(slots=1)
    run, following = await h.trigger(count=2)
    (task,) = await worker.next()
    assert await cancel(h, run) == [run]
    notice = await worker.next_cancel()
    assert (notice.task_id, notice.attempt, notice.reason) == (run, 0, "Cancelled by user")
    assert (notice.action, notice.task_name, notice.step_id) == (
        task.action,
        task.task_name,
        task.step_id,
    )
    result = await h.result(run)
    assert result.status is Status.CANCELLED
    assert result.tasks[0].output is None
    assert (await worker.next())[0].task_id == following  # the slot was free at once


async def test_cx_3_cancel_of_a_worker_without_stream_is_final_too(h: Harness) -> None:
    from hatchet_engine.turn.commands import CloseStream

    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.next()
    await h.engine.submit(CloseStream(TENANT, worker.id, worker))
    assert await cancel(h, run) == [run]
    assert await status(h, run) is Status.CANCELLED
    assert worker.cancels == []


async def test_cx_5_late_completion_is_ignored(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    (task,) = await worker.next()
    await cancel(h, run)
    assert await worker.complete(task)
    row = await outcome(h, run)
    assert (row["status"], row["output"]) == (Status.CANCELLED, None)


async def test_cx_5_completion_before_the_cancel_in_one_turn_wins(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.next()
    report = ReportTasks(TENANT, [Report(run, 0, ReportKind.COMPLETED, "{}")])
    done = h.engine.enter(report)
    cancelled = h.engine.enter(CancelTasks(TENANT, [run]))
    assert (await done, await cancelled) == ([True], [])
    assert await status(h, run) is Status.COMPLETED


async def test_cx_6_worker_may_cancel_its_task(h: Harness) -> None:
    await h.put(retries=3)
    worker = await h.worker()
    (run,) = await h.trigger()
    (task,) = await worker.next()
    await worker.report(task, ReportKind.CANCELLED)
    assert await status(h, run) is Status.CANCELLED


async def test_cx_8_queued_task_is_removed(h: Harness) -> None:
    await h.put()
    (run,) = await h.trigger()
    assert await cancel(h, run) == [run]
    row = await outcome(h, run)
    assert (row["status"], row["attempt"], row["assigned_at"]) == (Status.CANCELLED, 0, None)
    assert await events(h, run) == [EventKind.CANCELLED]
    worker = await h.worker()
    assert worker.started == []


async def test_cx_8_task_in_backoff_is_removed(h: Harness) -> None:
    await h.put(retries=1, backoff_factor=5.0)
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.fail((await worker.next())[0])
    assert await cancel(h, run) == [run]
    await h.advance(10_000)
    assert len(worker.started) == 1
    assert await status(h, run) is Status.CANCELLED


@pytest.mark.parametrize("backoff", [None, 5.0])
async def test_cx_8_task_that_fails_in_the_same_turn_is_cancelled(
    h: Harness, backoff: float | None
) -> None:
    """It is in no table yet: queued again or in backoff, it must be found all the same."""
    await h.put(retries=1, backoff_factor=backoff)
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.next()
    failed = h.engine.enter(ReportTasks(TENANT, [Report(run, 0, ReportKind.FAILED, "boom")]))
    cancelled = h.engine.enter(CancelTasks(TENANT, [run]))
    assert (await failed, await cancelled) == ([True], [run])
    row = await outcome(h, run)
    assert (row["status"], row["attempt"]) == (Status.CANCELLED, 1)
    await h.advance(10_000)
    assert len(worker.started) == 1


async def test_cx_8_two_cancels_in_one_turn_cancel_once(h: Harness) -> None:
    await h.put()
    (run,) = await h.trigger()
    answers = await asyncio.gather(cancel(h, run), cancel(h, run))
    assert sorted(map(len, answers)) == [0, 1]
    assert await events(h, run) == [EventKind.CANCELLED]


@pytest.mark.parametrize("end", [ReportKind.COMPLETED, ReportKind.FAILED, ReportKind.CANCELLED])
async def test_cx_10_cancel_of_a_finished_task_changes_nothing(h: Harness, end: ReportKind) -> None:
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.report((await worker.next())[0], end, "{}")
    before = await outcome(h, run), await events(h, run)
    assert await cancel(h, run) == []
    assert await by_filter(h) == []
    assert (await outcome(h, run), await events(h, run)) == before


async def test_cx_11_cancel_is_not_retried(h: Harness) -> None:
    await h.put(retries=5, backoff_factor=1.0)
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.next()
    await cancel(h, run)
    await h.advance(20_000)
    assert len(worker.started) == 1
    assert await events(h, run) == [EventKind.CANCELLED]


async def test_cx_12_cancel_of_a_parent_leaves_its_children(h: Harness) -> None:
    await h.put()
    await h.worker()
    (parent,) = await h.trigger()
    (child,) = await h.trigger(parent_task_id=parent, child_index=0)
    await cancel(h, parent)
    assert await status(h, child) is Status.RUNNING


async def test_te_1_another_tenants_tasks_are_not_cancelled(h: Harness) -> None:
    await add_tenant(h)
    await h.put(retries=1, backoff_factor=60.0)
    worker = await h.worker(slots=1)
    delayed, running, queued = await h.trigger(count=3)
    await worker.fail((await worker.next())[0])
    await worker.next()
    assert await cancel(h, delayed, running, queued, tenant_id=OTHER_TENANT) == []
    everything = CancelTasks(OTHER_TENANT, filter=RunFilter(0))
    assert await h.engine.submit(everything) == []
    assert await h.count("outcome") == 0


async def test_cancel_replay_cancel_in_one_turn_ends_as_cancelled(h: Harness) -> None:
    await h.put()
    (run,) = await h.trigger()
    await cancel(h, run)
    again, once_more = replay(h, run), cancel(h, run)
    assert await asyncio.gather(again, once_more) == [[run], [run]]
    row = await outcome(h, run)
    assert (row["status"], row["attempt"]) == (Status.CANCELLED, 1)
