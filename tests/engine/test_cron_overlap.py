"""Ticks that were missed, and ticks that come while the last run is on (CR-7, CR-8)."""

from __future__ import annotations

import pytest

from hatchet_engine.domain.calendar import CatchUp, Overlap, Policies
from hatchet_engine.domain.calendar.policies import LATE_MAX_MS
from hatchet_engine.domain.states import Status
from hatchet_engine.turn.commands import CancelTasks
from hatchet_engine.turn.schedule_commands import (
    EnableCron,
)
from tests.support.dags import step, work
from tests.support.engine import START_MS, TENANT, Harness, running_engine
from tests.support.schedules import HOUR, cron, planned, row_of

SECOND = 1_000


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
