"""Concurrency keys (CON-*)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest

from hatchet_engine.domain.concurrency import REASON, Strategy
from hatchet_engine.domain.definition import ConcurrencyRule, TaskDefinition
from hatchet_engine.domain.errors import Code
from hatchet_engine.domain.states import Status, TaskKind
from hatchet_engine.turn import lines, read_lines
from hatchet_engine.turn.commands import (
    ChangeWorker,
    RefreshTimeout,
    Report,
    ReportKind,
    ReportTasks,
    TriggerItem,
    TriggerRuns,
)
from tests.support.engine import TENANT, FakeWorker, Harness
from tests.support.invariants import check_recovery
from tests.support.rules import cancel, outcome, pass_time, refused, replay, status

ROUND_ROBIN = "GROUP_ROUND_ROBIN"


def rule(
    expression: str = "input.key", most: int = 1, strategy: str = ROUND_ROBIN, **more: object
) -> ConcurrencyRule:
    return ConcurrencyRule(expression, most, strategy, **more)  # type: ignore[arg-type]


def key(value: str) -> str:
    return f'{{"key":"{value}"}}'


async def statuses(h: Harness, runs: Sequence[UUID]) -> list[str]:
    return [(await status(h, run)).name for run in runs]


async def run_all(h: Harness, worker: FakeWorker) -> list[UUID]:
    """Complete whatever is started, until nothing more is; returns tasks in the order started."""
    order = []
    while worker.started:
        task = worker.started.pop(0)
        order.append(task.task_id)
        await worker.complete(task)
    return order


# ---------------------------------------------------------------- GROUP_ROUND_ROBIN


async def test_con_4_at_most_max_runs_of_a_key_and_keys_are_independent(h: Harness) -> None:
    await h.put(concurrency=[rule(most=2)])
    worker = await h.worker()
    a = await h.trigger(input=key("a"), count=4)
    b = await h.trigger(input=key("b"), count=3)
    assert {task.task_id for task in worker.started} == {*a[:2], *b[:2]}
    first = worker.started[0]
    await worker.complete(first)
    assert {task.task_id for task in worker.started} == {*a[:3], *b[:2]}
    await run_all(h, worker)
    assert await statuses(h, a + b) == ["COMPLETED"] * 7


async def test_con_4_priority_then_age_inside_a_key(h: Harness) -> None:
    await h.put(concurrency=[rule()])
    worker = await h.worker()
    low = await h.trigger(input=key("a"), count=3)
    (high,) = await h.trigger(input=key("a"), priority=3)
    assert await run_all(h, worker) == [low[0], high, low[1], low[2]]


async def test_con_1_a_queued_task_holds_its_place(h: Harness) -> None:
    await h.put(concurrency=[rule()])
    await h.trigger(input=key("a"), count=2)
    assert await h.count("queue_item") == 1
    assert await h.count("parked_item") == 1
    assert await h.count("concurrency_place") == 1


async def test_a_flooding_key_takes_turns_with_others_below_its_limit(h: Harness) -> None:
    await h.put(concurrency=[rule(most=1_000)])
    flood = await h.trigger(input=key("flood"), count=50)
    late = [*await h.trigger(input=key("x")), *await h.trigger(input=key("y"))]
    worker = await h.worker(slots=1)
    order = await run_all(h, worker)
    assert order == [flood[0], *late, *flood[1:]]


async def test_turns_go_on_after_a_restart(h: Harness) -> None:
    await h.put(concurrency=[rule(most=1_000)])
    flood = await h.trigger(input=key("flood"), count=30)
    worker = await h.worker(slots=1)
    await worker.complete(worker.started.pop())
    await h.restart()
    (late,) = await h.trigger(input=key("x"))
    more = await h.trigger(input=key("flood"), count=2)
    other = await h.worker(slots=1)
    await h.settle()
    order = await run_all(h, other)
    assert order.index(late) < 3
    assert order.index(flood[-1]) < order.index(more[0])


async def test_con_3_a_new_version_shares_the_places(h: Harness) -> None:
    await h.put(concurrency=[rule()])
    worker = await h.worker()
    (first,) = await h.trigger(input=key("a"))
    await h.put(concurrency=[rule()], retries=2)
    (second,) = await h.trigger(input=key("a"))
    assert [task.task_id for task in worker.started] == [first]
    assert await run_all(h, worker) == [first, second]


async def test_a_deploy_with_a_higher_limit_lets_more_in(h: Harness) -> None:
    await h.put(concurrency=[rule()])
    worker = await h.worker()
    runs = await h.trigger(input=key("a"), count=3)
    await h.put(concurrency=[rule(most=3)])
    runs += await h.trigger(input=key("a"))
    assert [task.task_id for task in worker.started] == runs[:3]


async def test_con_12_backoff_gives_the_place_back_and_a_retry_at_once_keeps_it(h: Harness) -> None:
    await h.put(concurrency=[rule()], retries=3)
    worker = await h.worker()
    runs = await h.trigger(input=key("a"), count=2)
    await worker.fail(worker.started.pop())
    assert [task.task_id for task in worker.started] == runs[:1]  # again, in its place
    await worker.fail(worker.started.pop(), retry_after_ms=5_000)
    assert [task.task_id for task in worker.started] == runs[1:]
    await h.advance(5_000)
    assert await status(h, runs[0]) is Status.QUEUED
    assert await run_all(h, worker) == [runs[1], runs[0]]


async def test_con_13_schedule_timeout_while_waiting_for_a_place(h: Harness) -> None:
    await h.put(concurrency=[rule()], schedule_timeout_ms=10_000, execution_timeout_ms=900_000)
    worker = await h.worker()
    runs = await h.trigger(input=key("a"), count=3)
    await pass_time(h, 9_999, worker)
    assert await status(h, runs[1]) is Status.QUEUED
    await pass_time(h, 1, worker)
    assert await statuses(h, runs) == ["RUNNING", "CANCELLED", "CANCELLED"]


async def test_con_8_each_hop_starts_a_new_schedule_timeout(h: Harness) -> None:
    await h.put(concurrency=[rule()], schedule_timeout_ms=10_000, execution_timeout_ms=900_000)
    worker = await h.worker(slots=1)
    runs = await h.trigger(input=key("a"), count=2)
    await pass_time(h, 9_000, worker)
    await h.put("other")
    await h.engine.submit(ChangeWorker(TENANT, worker.id, paused=True))
    await worker.complete(worker.started.pop(0))
    await pass_time(h, 9_000, worker)
    assert await status(h, runs[1]) is Status.QUEUED
    await pass_time(h, 1_000, worker)
    assert await status(h, runs[1]) is Status.CANCELLED


async def test_cancelling_one_that_waits_and_one_that_holds(h: Harness) -> None:
    await h.put(concurrency=[rule()])
    worker = await h.worker()
    runs = await h.trigger(input=key("a"), count=3)
    assert await cancel(h, runs[1]) == [runs[1]]
    assert await cancel(h, runs[0]) == [runs[0]]
    assert [task.task_id for task in worker.started][-1] == runs[2]
    assert await statuses(h, runs) == ["CANCELLED", "CANCELLED", "RUNNING"]


async def test_con_16_a_replay_waits_for_a_place_again(h: Harness) -> None:
    await h.put(concurrency=[rule()])
    worker = await h.worker()
    (first,) = await h.trigger(input=key("a"))
    await worker.complete(worker.started.pop())
    (second,) = await h.trigger(input=key("a"))
    await replay(h, first)
    assert [task.task_id for task in worker.started] == [second]
    assert await run_all(h, worker) == [second, first]


async def test_worker_lost_keeps_the_place(h: Harness) -> None:
    await h.put(concurrency=[rule()])
    await h.worker()
    runs = await h.trigger(input=key("a"), count=2)
    await h.advance(30_000)
    other = await h.worker()
    assert [task.task_id for task in other.started] == runs[:1]
    assert await run_all(h, other) == runs


# ---------------------------------------------------------------- several rules


async def test_con_8_rules_are_taken_one_after_the_other(h: Harness) -> None:
    await h.put(concurrency=[rule("input.a", 2), rule("input.b", 1)])
    worker = await h.worker()
    (first,) = await h.trigger(input='{"a":"x","b":"1"}')
    (second,) = await h.trigger(input='{"a":"x","b":"1"}')  # holds a place of x, waits for 1
    (third,) = await h.trigger(input='{"a":"x","b":"2"}')  # waits for x
    assert [task.task_id for task in worker.started] == [first]
    assert await h.count("concurrency_place") == 3
    assert await run_all(h, worker) == [first, second, third]
    assert await h.count("concurrency_place") == 0


async def test_two_rules_under_load_never_exceed_either(h: Harness) -> None:
    await h.put(concurrency=[rule("input.digit", 8), rule("input.name", 3)])
    worker = await h.worker(slots=10)
    runs = []
    for number in range(100):
        text = f'{{"digit":"{number % 6}","name":"{"abcdef"[number // 6 % 6]}"}}'
        runs += await h.trigger(input=text)
    assert set(await run_all(h, worker)) == set(runs)


async def test_max_runs_by_expression_is_that_of_the_newest(h: Harness) -> None:
    await h.put(concurrency=[rule(max_runs_expression="int(input.most)")])
    worker = await h.worker()
    await h.trigger(input='{"key":"a","most":1}', count=3)
    assert len(worker.started) == 1
    await h.trigger(input='{"key":"a","most":3}')
    assert len(worker.started) == 3


async def test_a_tenant_wide_limit_is_shared_by_workflows(h: Harness) -> None:
    shared = rule("'all'", 2, name="shared", tenant_scoped=True)
    await h.put("one", concurrency=[shared])
    await h.put("two", concurrency=[shared])
    worker = await h.worker("one", "two")
    runs = [*await h.trigger("one", count=2), *await h.trigger("two", count=2)]
    assert [task.task_id for task in worker.started] == runs[:2]
    assert await run_all(h, worker) == runs


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


# ---------------------------------------------------------------- runs of several tasks


def two_steps(**more: object) -> list[TaskDefinition]:
    return [
        TaskDefinition(name="first", action="hello:first"),
        TaskDefinition(name="second", action="hello:second", parents=["first"], **more),  # type: ignore[arg-type]
    ]


async def dag_worker(h: Harness) -> FakeWorker:
    return await h.worker_of("hello:first", "hello:second")


async def test_con_9_a_run_holds_one_place_to_its_end(h: Harness) -> None:
    await h.put_dag("d", *two_steps(), concurrency=[rule()])
    worker = await dag_worker(h)
    one, two = await h.trigger("d", input=key("a"), count=2)
    assert [task.run_id for task in worker.started] == [one]
    await worker.complete(worker.started.pop())
    assert [task.run_id for task in worker.started] == [one]
    await worker.complete(worker.started.pop())
    assert (await h.result(one)).status is Status.COMPLETED
    assert [task.run_id for task in worker.started] == [two]
    await run_all(h, worker)
    assert (await h.result(two)).status is Status.COMPLETED
    assert await h.count("concurrency_place") == 0


async def test_con_9_cancel_in_progress_cancels_all_tasks_of_the_run(h: Harness) -> None:
    await h.put_dag("d", *two_steps(), concurrency=[rule(strategy="CANCEL_IN_PROGRESS")])
    worker = await dag_worker(h)
    runs = []
    for _ in range(10):
        runs += await h.trigger("d", input=key("a"))
    for run in runs[:9]:
        assert (await h.result(run)).status is Status.CANCELLED
    await run_all(h, worker)
    assert (await h.result(runs[9])).status is Status.COMPLETED


async def test_a_waiting_run_is_cancelled_timed_out_and_replayed(h: Harness) -> None:
    await h.put_dag("d", *two_steps(), concurrency=[rule()])
    worker = await dag_worker(h)
    runs = await h.trigger("d", input=key("a"), count=3)
    await h.restart()
    await worker.open()
    assert await cancel(h, runs[1]) == [runs[1]]
    assert await h.count("parked_item") == 1
    await pass_time(h, 299_000, worker)
    await h.engine.submit(RefreshTimeout(TENANT, worker.started[0].task_id, 60_000))
    await pass_time(h, 1_000, worker)
    for run in runs[1:]:
        assert (await outcome(h, run))["status"] == Status.CANCELLED
    assert await h.count("parked_item") == 0
    await replay(h, runs[1])
    worker.started.clear()
    await cancel(h, runs[0])
    assert [task.run_id for task in worker.started] == [runs[1]]


async def test_con_10_workflow_and_task_level_of_one_key_do_not_block_each_other(
    h: Harness,
) -> None:
    await h.put_dag("d", *two_steps(concurrency=[rule()]), concurrency=[rule()])
    worker = await dag_worker(h)
    runs = await h.trigger("d", input=key("a"), count=2)
    await run_all(h, worker)
    for run in runs:
        assert (await h.result(run)).status is Status.COMPLETED


async def test_a_key_of_a_task_may_look_at_its_parents(h: Harness) -> None:
    await h.put_dag("d", *two_steps(concurrency=[rule("parents.first.group")]))
    worker = await dag_worker(h)
    await h.trigger("d", count=2)
    for task in [worker.started.pop(0), worker.started.pop(0)]:
        await worker.complete(task, '{"group":"g"}')
    assert len(worker.started) == 1
    await run_all(h, worker)
    assert await h.count("parked_item") == 0


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize("expression", ["input.number", "input.missing"])
async def test_con_2_no_string_fails_the_task_at_creation(h: Harness, expression: str) -> None:
    await h.put(concurrency=[rule(expression)], retries=3)
    (run,) = await h.trigger(input='{"number":1}')
    found = await outcome(h, run)
    assert found["status"] == Status.FAILED
    assert found["error"].startswith("failed to parse step expression")
    assert (await h.result(run)).status is Status.FAILED


async def test_con_2_a_run_of_several_tasks_fails(h: Harness) -> None:
    await h.put_dag("d", *two_steps(), concurrency=[rule("input.missing")])
    (run,) = await h.trigger("d")
    assert (await h.result(run)).status is Status.FAILED
    await h.put_dag("e", *two_steps(concurrency=[rule("input.missing")]))
    worker = await dag_worker(h)
    (run,) = await h.trigger("e")
    await run_all(h, worker)
    assert (await h.result(run)).status is Status.FAILED


@pytest.mark.parametrize("expression", ["null", "1 + 1 == 2", "1"])
async def test_what_is_no_string_for_sure_is_refused_at_registration(
    h: Harness, expression: str
) -> None:
    with refused(Code.INVALID_ARGUMENT, "string"):
        await h.put(concurrency=[rule(expression)])


async def test_limits_below_one_are_refused(h: Harness) -> None:
    with refused(Code.INVALID_ARGUMENT, "max_runs"):
        await h.put(concurrency=[rule(most=0)])
    with refused(Code.INVALID_ARGUMENT, "name"):
        await h.put(concurrency=[rule(tenant_scoped=True)])
    await h.put(concurrency=[rule(max_runs_expression="int(input.most)")])
    (run,) = await h.trigger(input='{"key":"a","most":0}')
    assert "max_runs" in (await outcome(h, run))["error"]


# ---------------------------------------------------------------- windows and restarts


async def test_a_long_line_is_read_in_windows(h: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LINE_WINDOW_MAX", 8)
    monkeypatch.setattr(read_lines, "LINE_READ_MIN", 3)
    await h.put(concurrency=[rule(most=2)])
    runs = []
    for _ in range(10):
        runs += await h.trigger(input=key("a"), count=7)
    worker = await h.worker()
    assert await run_all(h, worker) == runs


async def test_many_lines_keep_a_bounded_number_of_items(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LINE_ITEMS_MAX", 10)
    await h.put(concurrency=[rule()])
    runs = []
    for number in range(40):
        runs += await h.trigger(input=key(str(number % 4)))
    kept = sum(len(line.items) for line in h.engine.hot.lines.by_id.values())
    assert kept <= 10
    worker = await h.worker()
    assert set(await run_all(h, worker)) == set(runs)


async def test_everything_is_known_after_a_restart(h: Harness) -> None:
    await h.put(concurrency=[rule("input.key", 2), rule("'x'", 3)])
    for letter in "abc":
        await h.trigger(input=key(letter), count=3)
    async with h.pool.acquire() as connection:
        await check_recovery(h.engine, connection)
    await h.restart()
    worker = await h.worker()
    await h.settle()
    assert len(worker.started) == 3
    await run_all(h, worker)
    assert await h.count("outcome") == 9
    assert not h.engine.hot.lines.by_id
    assert not len(h.engine.hot.groups)


async def test_two_rules_of_one_shared_limit_ask_for_one_place(h: Harness) -> None:
    shared = {"name": "shared", "tenant_scoped": True}
    await h.put(concurrency=[rule("'all'", 2, **shared), rule("'all'", 2, **shared)])
    worker = await h.worker()
    runs = await h.trigger(count=3)
    assert [task.task_id for task in worker.started] == runs[:2]
    assert await h.count("concurrency_place") == 2
    assert await run_all(h, worker) == runs


async def test_a_free_place_is_given_out_after_a_restart(h: Harness) -> None:
    """The hot state was dropped between a place that became free and who waits for it."""
    await h.put(concurrency=[rule()])
    worker = await h.worker()
    runs = await h.trigger(input=key("a"), count=2)
    await h.pool.execute("delete from concurrency_place")
    await h.pool.execute("delete from assignment")
    await h.pool.execute(
        "insert into outcome (tenant_id, id, status, kind, attempt, finished_at) "
        "values ($1, $2, 2, 0, 0, now())",
        TENANT,
        runs[0],
    )
    await h.restart()
    await worker.open(held=[])
    await h.settle()
    assert [task.task_id for task in worker.started][-1] == runs[1]


async def test_a_run_that_has_waited_through_a_restart_begins(h: Harness) -> None:
    await h.put_dag("d", *two_steps(), concurrency=[rule()])
    worker = await dag_worker(h)
    runs = await h.trigger("d", input=key("a"), count=2)
    await h.restart()
    await worker.open(held=[(task.task_id, task.attempt) for task in worker.started])
    await run_all(h, worker)
    for run in runs:
        assert (await outcome(h, run))["status"] == Status.COMPLETED


async def test_a_waiting_run_begins_though_memory_has_forgotten_it(h: Harness) -> None:
    await h.put_dag("d", *two_steps(), concurrency=[rule()])
    worker = await dag_worker(h)
    _, two = await h.trigger("d", input=key("a"), count=2)
    h.engine.hot.dags.remove(two)
    await run_all(h, worker)
    assert (await h.result(two)).status is Status.COMPLETED


async def test_a_run_that_memory_has_forgotten_is_evicted_with_its_queued_task(h: Harness) -> None:
    await h.put_dag("d", *two_steps(), concurrency=[rule(strategy="CANCEL_IN_PROGRESS")])
    (one,) = await h.trigger("d", input=key("a"))
    h.engine.hot.dags.remove(one)
    (two,) = await h.trigger("d", input=key("a"))
    assert (await h.result(one)).status is Status.CANCELLED
    assert await h.count("queue_item") == 1
    await run_all(h, await dag_worker(h))
    assert (await h.result(two)).status is Status.COMPLETED


async def test_a_shared_rule_before_it_is_no_change_of_a_limit(h: Harness) -> None:
    shared = rule(most=9, name="shared", tenant_scoped=True)
    await h.put(concurrency=[rule()])
    worker = await h.worker()
    runs = await h.trigger(input=key("a"))
    await h.put(concurrency=[shared, rule()])
    runs += await h.trigger(input=key("a"))
    assert [task.task_id for task in worker.started] == runs[:1]


async def test_a_lowered_limit_holds_after_a_restart(h: Harness) -> None:
    await h.put(concurrency=[rule(most=3)])
    worker = await h.worker()
    runs = await h.trigger(input=key("a"))
    await h.put(concurrency=[rule(most=1)])
    runs += await h.trigger(input=key("a"), count=2)
    await h.restart()
    await worker.open()
    assert [task.task_id for task in worker.started] == runs[:1]
    worker.started = worker.started[:1]
    assert await run_all(h, worker) == runs


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


async def test_con_6_all_who_wait_are_judged_though_memory_holds_few(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LINE_WINDOW_MAX", 2)
    monkeypatch.setattr(lines, "LINE_ITEMS_MAX", 1)
    await h.put(concurrency=[rule()])
    runs = await h.trigger(input=key("a"), count=6)
    await h.put(concurrency=[rule(strategy="CANCEL_QUEUED_EXCEPT_NEWEST")])
    await h.trigger(input=key("a"))
    ended = await h.fetch("select id from outcome order by id")
    assert [row["id"] for row in ended] == runs[1:]


async def test_con_6_the_strategy_of_a_key_is_known_after_a_restart(h: Harness) -> None:
    """By the newest one who waits."""
    await h.put(concurrency=[rule(most=3)])
    await h.trigger(input=key("a"), count=2)
    await h.put(concurrency=[rule(most=1, strategy="CANCEL_QUEUED_EXCEPT_OLDEST")])
    await h.trigger(input=key("a"))
    await h.restart()
    (group,) = [g for line in h.engine.hot.lines.by_id if (g := h.engine.hot.groups.find(line))]
    assert (group.strategy, group.limit) == (Strategy.CANCEL_QUEUED_EXCEPT_OLDEST, 1)
