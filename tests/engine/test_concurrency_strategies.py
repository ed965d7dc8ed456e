"""Strategies that cancel (CON-5 to CON-7)."""

from __future__ import annotations

import asyncio

import pytest

from hatchet_engine.domain.concurrency import REASON
from hatchet_engine.domain.states import Status, TaskKind
from hatchet_engine.turn import admit, lines
from hatchet_engine.turn.commands import (
    Report,
    ReportKind,
    ReportTasks,
    TriggerItem,
    TriggerRuns,
)
from tests.support.concurrency import (
    dag_worker,
    key,
    rule,
    run_all,
    statuses,
    two_steps,
)
from tests.support.engine import TENANT, Harness
from tests.support.rules import outcome, status

# ---------------------------------------------------------------- strategies that cancel


async def test_con_5_cancel_in_progress_keeps_the_newest(h: Harness) -> None:
    await h.put(concurrency=[rule(strategy="CANCEL_IN_PROGRESS")])
    worker = await h.worker()
    runs = []
    for _ in range(10):
        runs += await h.trigger(input=key("a"))
    assert await statuses(h, runs) == ["CANCELLED"] * 9 + ["RUNNING"]
    assert {notice.task_id for notice in worker.cancels} == set(runs[:9])
    assert (await outcome(h, runs[0]))["error"] == REASON
    await worker.complete(worker.started[-1])
    assert await status(h, runs[-1]) is Status.COMPLETED


async def test_con_5_in_one_call_and_without_a_worker(h: Harness) -> None:
    await h.put(concurrency=[rule(most=2, strategy="CANCEL_IN_PROGRESS")])
    runs = await h.trigger(input=key("a"), count=5)
    assert await statuses(h, runs) == ["CANCELLED"] * 3 + ["QUEUED"] * 2
    more = await h.trigger(input=key("a"), count=1)
    assert await statuses(h, runs + more) == ["CANCELLED"] * 4 + ["QUEUED"] * 2


async def test_con_5_a_newcomer_of_lower_priority_is_cancelled_itself(h: Harness) -> None:
    await h.put(concurrency=[rule(strategy="CANCEL_IN_PROGRESS")])
    await h.worker()
    (high,) = await h.trigger(input=key("a"), priority=3)
    (low,) = await h.trigger(input=key("a"), priority=1)
    assert await statuses(h, [high, low]) == ["RUNNING", "CANCELLED"]


async def test_con_6_cancel_newest_never_touches_what_runs(h: Harness) -> None:
    await h.put(concurrency=[rule(strategy="CANCEL_NEWEST")])
    worker = await h.worker()
    (first,) = await h.trigger(input=key("a"))
    later = await h.trigger(input=key("a"), count=10)
    assert await statuses(h, later) == ["CANCELLED"] * 10
    await worker.complete(worker.started[0])
    assert await status(h, first) is Status.COMPLETED


@pytest.mark.parametrize(("strategy", "kept"), [("NEWEST", 3), ("OLDEST", 1)])
async def test_cancel_queued_except_one(h: Harness, strategy: str, kept: int) -> None:
    await h.put(concurrency=[rule(strategy=f"CANCEL_QUEUED_EXCEPT_{strategy}")])
    worker = await h.worker()
    runs = []
    for _ in range(4):
        runs += await h.trigger(input=key("a"))
    expected = ["RUNNING"] + ["CANCELLED"] * 3
    expected[kept] = "QUEUED"
    assert await statuses(h, runs) == expected
    assert await run_all(h, worker) == [runs[0], runs[kept]]


async def test_con_7_cancelled_by_a_strategy_waits_for_its_subscriber(h: Harness) -> None:
    await h.put(concurrency=[rule(strategy="CANCEL_NEWEST")])
    runs = await h.trigger(input=key("a"), count=2)
    assert (await h.result(runs[1])).status is Status.CANCELLED


async def test_who_loses_two_places_in_one_turn_ends_once(h: Harness) -> None:
    """Its place under one key is taken away, and it is cancelled while it waits for another."""
    shared = rule("'all'", 1, "CANCEL_QUEUED_EXCEPT_NEWEST", name="shared", tenant_scoped=True)
    first, second = two_steps()
    first.concurrency = [rule(), shared]
    await h.put_dag("d", first, second)
    await h.put("other", concurrency=[shared])
    await h.trigger("d", input=key("a"))
    (loser,) = await h.trigger("d", input=key("b"))
    first.concurrency = [rule(strategy="CANCEL_IN_PROGRESS"), shared]
    await h.put_dag("d", first, second)
    items = [TriggerItem("d", key("b")), TriggerItem("other", "{}")]
    again, _ = await h.engine.submit(TriggerRuns(TENANT, items))
    await h.settle()
    ended = await h.fetch("select id from outcome where kind <> $1", TaskKind.MEMBER.value)
    assert {row["id"] for row in ended} == {loser, again}
    assert await h.count("parked_item") == 1  # the newest


async def test_con_5_a_run_is_evicted_though_its_task_has_just_gone_into_backoff(
    h: Harness,
) -> None:
    first, second = two_steps()
    first.retries, first.backoff_factor = 3, 2.0
    await h.put_dag("d", first, second, concurrency=[rule(strategy="CANCEL_IN_PROGRESS")])
    worker = await dag_worker(h)
    (loser,) = await h.trigger("d", input=key("a"))
    task = worker.started[0]
    report = Report(task.task_id, task.attempt, ReportKind.FAILED, "no")
    await asyncio.gather(
        h.engine.submit(ReportTasks(TENANT, [report])),
        h.engine.submit(TriggerRuns(TENANT, [TriggerItem("d", key("a"))])),
    )
    await h.settle()
    assert (await h.result(loser)).status is Status.CANCELLED
    assert await h.count("delayed_item") == 0


@pytest.mark.parametrize("judged", [2, 3, 10_000])
async def test_con_6_all_who_wait_are_judged_though_memory_holds_few(
    h: Harness, monkeypatch: pytest.MonkeyPatch, judged: int
) -> None:
    """``judged``: so many in one turn; one of them may be left waiting."""
    monkeypatch.setattr(admit, "JUDGED_MAX", judged)
    monkeypatch.setattr(lines, "LINE_WINDOW_MAX", 2)
    monkeypatch.setattr(lines, "LINE_ITEMS_MAX", 1)
    await h.put(concurrency=[rule()])
    runs = await h.trigger(input=key("a"), count=6)
    await h.put(concurrency=[rule(strategy="CANCEL_QUEUED_EXCEPT_NEWEST")])
    await h.trigger(input=key("a"))
    ended = await h.fetch("select id from outcome order by id")
    assert [row["id"] for row in ended] == runs[1:]
