"""Slots of workers (SL-*)."""

from __future__ import annotations

from uuid import uuid4

import pytest

from hatchet_engine.domain.errors import Code
from hatchet_engine.domain.states import EventKind, Status
from hatchet_engine.turn.commands import RegisterWorker, ReleaseSlot, ReportKind
from tests.support.engine import TENANT, Harness
from tests.support.rules import add_tenant, cancel, events, pass_time, refused, status


async def test_sl_1_units_come_from_one_worker(h: Harness) -> None:
    await h.put(slots={"default": 3})
    first, second = await h.worker(slots=2), await h.worker(slots=2)
    (run,) = await h.trigger()
    assert await status(h, run) is Status.QUEUED
    third = await h.worker(slots=3)
    (task,) = await third.next()
    assert task.task_id == run
    assert first.started == second.started == []


async def test_sl_1_all_types_or_none(h: Harness) -> None:
    await h.put(slots={"default": 1, "gpu": 2})
    await h.worker(slots={"default": 5})
    await h.worker(slots={"gpu": 5})
    (run,) = await h.trigger()
    assert await status(h, run) is Status.QUEUED
    both = await h.worker(slots={"default": 1, "gpu": 2})
    assert (await both.next())[0].task_id == run


async def test_sl_3_second_run_of_cost_five_waits_on_nine_slots(h: Harness) -> None:
    await h.put(slots={"default": 5})
    worker = await h.worker(slots=9)
    runs = await h.trigger(count=2)
    (task,) = await worker.next()
    assert task.task_id == runs[0]
    assert await status(h, runs[1]) is Status.QUEUED
    await worker.complete(task)
    assert (await worker.next())[0].task_id == runs[1]


async def test_sl_4_request_larger_than_any_worker_waits_until_its_timeout(h: Harness) -> None:
    await h.put(slots={"default": 10}, schedule_timeout_ms=20_000)
    worker = await h.worker(slots=9)
    (run,) = await h.trigger()
    await pass_time(h, 19_999, worker)
    assert await status(h, run) is Status.QUEUED
    await h.advance(1)
    assert await status(h, run) is Status.CANCELLED


@pytest.mark.parametrize("end", ["complete", "fail", "retry", "cancel", "timeout", "released"])
async def test_sl_5_units_are_held_to_the_end_of_the_attempt(h: Harness, end: str) -> None:
    retries = 1 if end == "retry" else 0
    await h.put(retries=retries, backoff_factor=2.0, execution_timeout_ms=5_000)
    worker = await h.worker(slots=1)
    held, _ = await h.trigger(count=2)
    (task,) = await worker.next()
    assert h.engine.hot.workers[worker.id].free == {"default": 0}
    if end == "complete":
        await worker.complete(task)
    elif end in ("fail", "retry"):
        await worker.fail(task)
    elif end == "cancel":
        await cancel(h, held)
    elif end == "timeout":
        await h.advance(5_000)
    else:
        await h.engine.submit(ReleaseSlot(TENANT, held))
    (second,) = await worker.next()
    assert second.task_id != held


async def test_sl_7_equal_workers_share_the_load(h: Harness) -> None:
    await h.put()
    workers = [await h.worker(slots=10) for _ in range(3)]
    await h.trigger(count=9)
    assert [len(worker.started) for worker in workers] == [3, 3, 3]


async def test_sl_8_no_slots_means_a_hundred(h: Harness) -> None:
    await h.put()
    worker = await h.worker(slots={})
    await h.trigger(count=101)
    assert len(worker.started) == 100
    (row,) = await h.fetch("select slots::text as slots from worker")
    assert row["slots"] == '{"default": 100}'


@pytest.mark.parametrize("slots", [{"default": 0}, {"default": -1}, {"": 1}, {"default": 100_001}])
async def test_sl_8_slots_out_of_range_are_refused(h: Harness, slots: dict[str, int]) -> None:
    with refused(Code.INVALID_ARGUMENT, "slot_config"):
        await h.engine.submit(RegisterWorker(TENANT, "w", ["a:a"], slots))
    assert await h.count("worker") == 0


async def test_sl_9_released_task_goes_on_and_its_deadline_counts(h: Harness) -> None:
    await h.put(execution_timeout_ms=5_000)
    worker = await h.worker(slots=1)
    first, second = await h.trigger(count=2)
    (task,) = await worker.next()
    await h.engine.submit(ReleaseSlot(TENANT, first))
    assert (await worker.next())[0].task_id == second
    assert await status(h, first) is Status.RUNNING
    assert await events(h, first) == [EventKind.SLOT_RELEASED]
    assert h.engine.hot.workers[worker.id].free == {"default": 0}
    await h.advance(4_999)
    assert await worker.complete(task)
    assert await status(h, first) is Status.COMPLETED
    assert h.engine.hot.workers[worker.id].free == {"default": 0}  # given back once only
    await h.advance(1)
    assert await status(h, second) is Status.FAILED


async def test_sl_9_releasing_twice_gives_the_units_once(h: Harness) -> None:
    await h.put()
    worker = await h.worker(slots=1)
    (run, *_) = await h.trigger(count=3)
    await worker.next()
    await h.engine.submit(ReleaseSlot(TENANT, run))
    await h.engine.submit(ReleaseSlot(TENANT, run))
    assert len(worker.started) == 2
    assert await events(h, run) == [EventKind.SLOT_RELEASED]


async def test_sl_10_release_of_what_does_not_run_is_not_found(h: Harness) -> None:
    await h.put()
    (queued,) = await h.trigger()
    for unknown in (queued, uuid4()):
        with refused(Code.NOT_FOUND, str(unknown)):
            await h.engine.submit(ReleaseSlot(TENANT, unknown))


async def test_sl_10_release_of_another_tenants_task_is_not_found(h: Harness) -> None:
    other = await add_tenant(h)
    await h.put()
    await h.worker(slots=1)
    (run,) = await h.trigger()
    with refused(Code.NOT_FOUND):
        await h.engine.submit(ReleaseSlot(other, run))
    assert not h.engine.hot.running[run].released


async def test_sl_11_released_task_can_be_cancelled(h: Harness) -> None:
    await h.put()
    worker = await h.worker(slots=1)
    (run,) = await h.trigger()
    await worker.next()
    await h.engine.submit(ReleaseSlot(TENANT, run))
    await cancel(h, run)
    notice = await worker.next_cancel()
    assert (notice.task_id, notice.attempt) == (run, 0)


async def test_sl_11_released_task_of_a_dead_worker_is_reassigned(h: Harness) -> None:
    await h.put()
    dead, heir = await h.worker(slots=1), await h.worker(slots=1, open=False)
    (run,) = await h.trigger()
    (task,) = await dead.next()
    await dead.report(task, ReportKind.STARTED)
    await h.engine.submit(ReleaseSlot(TENANT, run))
    await heir.open()
    await pass_time(h, 30_000, heir)
    (again,) = await heir.next()
    assert (again.task_id, again.attempt) == (run, 1)


async def test_sl_11_release_survives_a_restart(h: Harness) -> None:
    await h.put()
    worker = await h.worker(slots=1)
    (run,) = await h.trigger()
    await worker.next()
    await h.engine.submit(ReleaseSlot(TENANT, run))
    assert h.engine._connection is not None
    await h.engine.take_over(h.engine._connection)
    (second,) = await h.trigger()
    assert (await worker.next())[0].task_id == second
