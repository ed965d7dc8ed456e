"""Concurrency keys: places, turns, several rules, bad input (CON-*)."""

from __future__ import annotations

import pytest

from hatchet_engine.domain.errors import Code
from hatchet_engine.domain.states import Status
from tests.support.concurrency import (
    dag_worker,
    key,
    rule,
    run_all,
    statuses,
    two_steps,
)
from tests.support.engine import Harness
from tests.support.rules import cancel, outcome, pass_time, pause_worker, refused, replay, status

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
    await pause_worker(h, worker)
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
