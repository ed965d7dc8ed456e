"""Schedule and execution timeouts (TO-*)."""

from __future__ import annotations

from uuid import uuid4

import pytest

from hatchet_engine.domain.durations import MAX_MS
from hatchet_engine.domain.errors import Code
from hatchet_engine.domain.states import EventKind, Status
from hatchet_engine.turn.commands import RefreshTimeout, ReportKind
from tests.support.engine import TENANT, Harness
from tests.support.rules import add_tenant, events, outcome, pass_time, refused, status


async def test_to_1_schedule_clock_starts_in_the_queue(h: Harness) -> None:
    await h.put(schedule_timeout_ms=5_000)
    await h.advance(60_000)
    (run,) = await h.trigger()
    await h.advance(4_999)
    assert await status(h, run) is Status.QUEUED
    await h.advance(1)
    assert await status(h, run) is Status.CANCELLED


async def test_to_1_retry_and_reassignment_start_a_new_clock(h: Harness) -> None:
    await h.put(schedule_timeout_ms=5_000, retries=1)
    worker = await h.worker(slots=1)
    (run,) = await h.trigger()
    (task,) = await worker.next()
    await pass_time(h, 20_000, worker)
    await h.trigger(count=1)  # takes the slot when it is freed? no: retries go first
    await worker.fail(task)
    (task,) = await worker.next()
    assert (task.task_id, task.attempt) == (run, 1)


async def test_to_1_end_of_backoff_starts_a_new_clock(h: Harness) -> None:
    await h.put(schedule_timeout_ms=5_000, retries=1, backoff_factor=10.0)
    worker = await h.worker(slots=1)
    (run,) = await h.trigger()
    (task,) = await worker.next()
    await worker.fail(task)
    (blocker,) = await h.trigger()
    await worker.next()
    await pass_time(h, 10_000, worker)  # backoff over: queued again
    await h.advance(4_999)
    assert await status(h, run) is Status.QUEUED
    await h.advance(1)
    assert await status(h, run) is Status.CANCELLED
    assert await status(h, blocker) is Status.RUNNING


async def test_to_2_schedule_timeout_cancels_without_retry(h: Harness) -> None:
    await h.put(schedule_timeout_ms=5_000, retries=3)
    (run,) = await h.trigger()
    await h.advance(5_000)
    row = await outcome(h, run)
    assert Status(row["status"]) is Status.CANCELLED
    assert row["error"] == "No worker took the task within 5s"
    assert (row["attempt"], row["assigned_at"], row["worker_id"]) == (0, None, None)
    assert await events(h, run) == [EventKind.SCHEDULING_TIMED_OUT]
    worker = await h.worker()
    assert worker.started == []


async def test_to_3_waiters_hear_of_a_schedule_timeout_as_cancelled(h: Harness) -> None:
    await h.put(schedule_timeout_ms=5_000)
    (run,) = await h.trigger()
    await h.advance(5_000)
    result = await h.result(run)
    assert result.status is Status.CANCELLED
    assert result.tasks[0].output is None


async def test_to_4_each_timeout_fires_at_its_own_time(h: Harness) -> None:
    await h.put(schedule_timeout_ms=5_000)
    runs = []
    for _ in range(5):
        runs += await h.trigger()
        await h.advance(1_000)
    # The first is due now, the others follow one a second.
    for position, run in enumerate(runs):
        assert await status(h, run) is Status.CANCELLED
        if position < 4:
            assert await status(h, runs[position + 1]) is Status.QUEUED
        await h.advance(1_000)


async def test_to_4_many_timeouts_at_one_time_all_fire(h: Harness) -> None:
    await h.put(schedule_timeout_ms=5_000)
    await h.trigger(count=2_500)
    await h.advance(5_000)
    (row,) = await h.fetch("select count(*) from outcome where status = 4")
    assert row["count"] == 2_500
    assert await h.count("queue_item") == 0


async def test_to_6_deadline_counts_from_assignment_not_from_started(h: Harness) -> None:
    await h.put(execution_timeout_ms=5_000)
    worker = await h.worker()
    (run,) = await h.trigger()
    (task,) = await worker.next()
    assert task.deadline_ms == task.assigned_ms + 5_000
    await h.advance(3_000)
    await worker.report(task, ReportKind.STARTED)
    await h.advance(1_999)
    assert await status(h, run) is Status.RUNNING
    await h.advance(1)
    assert await status(h, run) is Status.FAILED


async def test_to_7_timeout_fails_with_text_and_the_worker_gets_a_cancel(h: Harness) -> None:
    await h.put(execution_timeout_ms=5_000, retries=1, backoff_factor=2.0)
    worker = await h.worker()
    (run,) = await h.trigger()
    (task,) = await worker.next()
    await h.advance(5_000)
    notice = await worker.next_cancel()
    assert (notice.task_id, notice.attempt, notice.action) == (run, 0, "hello:hello")
    assert await events(h, run) == [EventKind.TIMED_OUT, EventKind.RETRYING]
    (row,) = await h.fetch("select message from task_event where kind = 3")
    assert row["message"] == "Task exceeded timeout of 5s"
    assert not await h.fetch("select 1 from assignment")
    await h.advance(2_000)  # the backoff of the first retry
    (again,) = await worker.next()
    assert again.attempt == 1
    assert await worker.complete(task)  # too late, and known all the same
    assert await status(h, run) is Status.RUNNING
    await worker.complete(again)
    assert await status(h, run) is Status.COMPLETED


async def test_to_8_last_timeout_fails_the_run(h: Harness) -> None:
    await h.put(execution_timeout_ms=1_500, retries=1)
    worker = await h.worker()
    (run,) = await h.trigger()
    await h.advance(1_500)
    await h.advance(1_500)
    result = await h.result(run)
    assert result.status is Status.FAILED
    assert result.tasks[0].error == "Task exceeded timeout of 1s500ms"
    assert [task.attempt for task in worker.started] == [0, 1]
    assert await events(h, run) == [
        EventKind.TIMED_OUT,
        EventKind.RETRYING,
        EventKind.TIMED_OUT,
    ]


async def test_to_9_deadline_survives_a_restart(h: Harness) -> None:
    await h.put(execution_timeout_ms=5_000)
    await h.worker()
    (run,) = await h.trigger()
    assert h.engine._connection is not None
    await h.advance(2_000)
    await h.engine.take_over(h.engine._connection)
    await h.advance(2_999)
    assert await status(h, run) is Status.RUNNING
    await h.advance(1)
    assert await status(h, run) is Status.FAILED


async def test_to_10_refresh_adds_to_the_deadline_and_adds_up(h: Harness) -> None:
    await h.put(execution_timeout_ms=30_000)
    worker = await h.worker()
    (run,) = await h.trigger()
    (task,) = await worker.next()
    first = await h.engine.submit(RefreshTimeout(TENANT, run, 15_000))
    assert first == task.assigned_ms + 45_000
    second = await h.engine.submit(RefreshTimeout(TENANT, run, 5_000))
    assert second == task.assigned_ms + 50_000
    await pass_time(h, 49_999, worker)
    assert await status(h, run) is Status.RUNNING
    await h.advance(1)
    assert (await outcome(h, run))["error"] == "Task exceeded timeout of 50s"
    assert await events(h, run) == [
        EventKind.TIMEOUT_REFRESHED,
        EventKind.TIMEOUT_REFRESHED,
        EventKind.TIMED_OUT,
    ]


async def test_to_10_refresh_of_what_does_not_run_is_not_found(h: Harness) -> None:
    await h.put()
    (queued,) = await h.trigger()
    for unknown in (queued, uuid4()):
        with refused(Code.NOT_FOUND, str(unknown)):
            await h.engine.submit(RefreshTimeout(TENANT, unknown, 1_000))


async def test_to_10_refresh_of_another_tenants_task_is_not_found(h: Harness) -> None:
    other = await add_tenant(h)
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    (task,) = await worker.next()
    with refused(Code.NOT_FOUND):
        await h.engine.submit(RefreshTimeout(other, run, 1_000))
    assert h.engine.hot.running[run].deadline_ms == task.deadline_ms


@pytest.mark.parametrize("increment_ms", [0, -1, MAX_MS + 1])
async def test_to_10_bad_increment_is_refused(h: Harness, increment_ms: int) -> None:
    await h.put()
    await h.worker()
    (run,) = await h.trigger()
    with refused(Code.INVALID_ARGUMENT, "increment_timeout_by"):
        await h.engine.submit(RefreshTimeout(TENANT, run, increment_ms))
    assert await events(h, run) == []
