"""A backlog that is far larger than the window in memory drains in exact order."""

from __future__ import annotations

import random
from uuid import UUID

import pytest

from hatchet_engine.turn import load, queues
from tests.support.engine import FakeWorker, Harness
from tests.support.invariants import check_all
from tests.support.rules import cancel

BACKLOG = 5_000


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads of 20 rows, 40 rows kept, 100 when nothing fits."""
    monkeypatch.setattr(queues, "WINDOW_READ", 20)
    monkeypatch.setattr(load, "WINDOW_READ", 20)
    monkeypatch.setattr(queues, "WINDOW_MAX", 40)
    monkeypatch.setattr(queues, "STARVED_WINDOW_MAX", 100)


async def take(h: Harness, worker: FakeWorker) -> list[UUID]:
    """What the worker has been given and not yet ended, completed at once."""
    tasks = worker.started[worker._seen :]
    worker._seen = len(worker.started)
    from hatchet_engine.turn.commands import Report, ReportKind, ReportTasks
    from tests.support.engine import TENANT

    reports = [Report(task.task_id, task.attempt, ReportKind.COMPLETED) for task in tasks]
    await h.engine.submit(ReportTasks(TENANT, reports))
    await h.settle()
    return [task.task_id for task in tasks]


async def fill(h: Harness, count: int) -> list[UUID]:
    """A backlog of mixed priorities, made in several calls; returned in queue order."""
    draw = random.Random(7)
    keys = []
    left = count
    while left:
        some = min(left, draw.randint(1, 300))
        priority = draw.choice((1, 2, 3))
        keys += [(-priority, run) for run in await h.trigger(count=some, priority=priority)]
        left -= some
    return [run for _, run in sorted(keys)]


async def drain(h: Harness, worker: FakeWorker) -> list[UUID]:
    order = []
    while some := await take(h, worker):
        order += some
    return order


async def test_backlog_drains_in_exact_order(h: Harness) -> None:
    await h.put()
    expected = await fill(h, BACKLOG)
    worker = await h.worker(slots=50)
    await h.settle()
    largest = max(len(queue.items) for queue in h.engine.hot.queues.values())
    assert largest <= 40
    assert await drain(h, worker) == expected
    assert await h.count("queue_item") == 0


async def test_backlog_drains_in_exact_order_after_a_recovery(h: Harness) -> None:
    await h.put()
    expected = await fill(h, 1_000)
    worker = await h.worker(slots=30)
    order = []
    while some := await take(h, worker):
        order += some
        assert h.engine._connection is not None
        await h.engine.take_over(h.engine._connection)
        await h.settle()
        await check_all(h.engine, h.pool)
    assert order == expected


async def test_new_runs_join_a_backlog_in_their_place(h: Harness) -> None:
    """Half of them before the window's edge, half behind it."""
    await h.put()
    keys = dict.fromkeys(await h.trigger(count=500, priority=2), -2)
    worker = await h.worker(slots=10)
    await h.settle()
    order = await take(h, worker)
    late = random.Random(3)
    while some := await take(h, worker):
        order += some
        if len(keys) < 900:
            priority = late.choice((1, 2, 3))
            for run in await h.trigger(count=20, priority=priority):
                keys[run] = -priority
        await check_all(h.engine, h.pool)
    assert sorted(order) == sorted(keys)
    # Within one priority the order is exact, whenever a run came.
    for rank in (-3, -2, -1):
        mine = [run for run in order if keys[run] == rank]
        assert mine == sorted(mine)


async def test_cancels_and_retries_in_between_keep_the_order(h: Harness) -> None:
    await h.put(retries=1)
    expected = await fill(h, 1_000)
    draw = random.Random(11)
    cancelled = set(draw.sample(expected[100:], 300))
    worker = await h.worker(slots=1)
    order: list[UUID] = []
    failed: set[UUID] = set()
    left = list(cancelled)
    while True:
        await h.settle()
        if worker._seen == len(worker.started):
            break
        (task,) = await worker.next()
        if task.attempt == 0 and draw.random() < 0.1:
            failed.add(task.task_id)
            await worker.fail(task)
            assert worker.started[-1].task_id == task.task_id  # ahead of everything
            continue
        order.append(task.task_id)
        if left and len(order) % 3 == 0:
            await cancel(h, *[left.pop() for _ in range(min(5, len(left)))])
        await worker.complete(task)
    gone = {run for run in cancelled if run not in order}
    assert len(gone) > 200
    assert len(failed) > 30
    assert order == [run for run in expected if run not in gone]


async def test_what_fits_is_found_far_behind_what_does_not(h: Harness) -> None:
    """Q-9: the search reads on behind a window in which nothing fits."""
    await h.put(slots={"gpu": 1})
    big = await h.trigger(count=70, priority=3)
    await h.put(slots={"default": 1})
    small = await h.trigger(count=70, priority=1)
    full = await h.worker(slots={"gpu": 1})
    worker = await h.worker(slots=2)
    await h.settle()
    assert await drain(h, worker) == small
    assert [task.task_id for task in full.started] == big[:1]
    (queue,) = h.engine.hot.queues.values()
    assert queue.depth == len(big) - 1


async def test_what_fits_is_found_behind_any_number_that_nobody_could_take(h: Harness) -> None:
    """Q-9, SL-4: they leave the window, so that it may be read on without end."""
    await h.put(slots={"default": 5})
    big = await h.trigger(count=700, priority=3)
    await h.put(slots={"default": 1})
    small = await h.trigger(count=70, priority=1)
    worker = await h.worker(slots=2)
    await h.settle()
    assert await drain(h, worker) == small
    (queue,) = h.engine.hot.queues.values()
    assert queue.depth == 0
    assert await h.count("parked_item") == len(big)


async def test_full_workers_make_nobody_read_on(h: Harness) -> None:
    """Free slots of another type are no room: the window must not grow for them."""
    await h.put()
    await h.trigger(count=500)
    await h.worker(slots={"default": 3, "durable": 1_000})
    await h.settle()
    (queue,) = h.engine.hot.queues.values()
    assert len(queue.items) <= 40
    assert queue.depth == 497


async def test_timeouts_behind_the_window_fire(h: Harness) -> None:
    await h.put(schedule_timeout_ms=5_000)
    runs = await h.trigger(count=200)
    await h.worker(slots={"default": 1})
    await h.advance(5_000)
    (row,) = await h.fetch("select count(*) from outcome where status = 4")
    assert row["count"] == len(runs) - 1
    (queue,) = h.engine.hot.queues.values()
    assert queue.depth == 0
