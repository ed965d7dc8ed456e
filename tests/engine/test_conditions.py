"""Conditions of tasks: sleeps, events, parents, in groups (DAG-9 to DAG-19, section 3.5)."""

from __future__ import annotations

import pytest

from hatchet_engine.domain.definition import Condition
from hatchet_engine.domain.states import EventKind, Status
from hatchet_engine.turn.commands import CancelTasks
from tests.support.dags import context, event, parent, push, sleep, statuses, step, work
from tests.support.engine import TENANT, Harness


async def run_after_a(h: Harness, *conditions: Condition, output: str = "{}"):  # type: ignore[no-untyped-def]
    """A run of ``a`` and then ``b`` under conditions, with ``a`` done."""
    await h.put_dag("flow", step("a"), step("b", "a", conditions=list(conditions)))
    worker = await h.worker("a", "b")
    (run,) = await h.trigger("flow")
    await worker.complete((await worker.next())[0], output)
    return run, worker


async def test_dag_18_a_sleep_ends_when_due(h: Harness) -> None:
    run, worker = await run_after_a(h, sleep("10s"))
    await h.advance(9_999)
    assert len(worker.started) == 1
    await h.advance(1)
    (task,) = await worker.next()
    assert context(task)["triggers"]["sleep:10s"] == {"sleep_duration": "10s"}
    await worker.complete(task)
    assert (await h.result(run)).status is Status.COMPLETED
    assert await h.count("task_wait") == 0


async def test_dag_12_sleep_or_event_whichever_comes_first(h: Harness) -> None:
    _, worker = await run_after_a(h, sleep("30s", group="g"), event("go", group="g"))
    await push(h, "other")
    assert len(worker.started) == 1
    await push(h, "go", '{"n":1}')
    (task,) = await worker.next()
    assert context(task)["triggers"]["go"] == {"n": 1}


async def test_dag_9_a_list_is_an_and(h: Harness) -> None:
    _, worker = await run_after_a(h, sleep("20s"), event("go"))
    await push(h, "go", '{"n":1}')
    assert len(worker.started) == 1
    await h.advance(20_000)
    (task,) = await worker.next()
    assert set(context(task)["triggers"]) >= {"go", "sleep:20s"}


async def test_the_activity_names_what_a_task_waits_for(h: Harness) -> None:
    await run_after_a(h, sleep("20s"), event("go"))
    rows = await h.fetch("select message from task_event where kind = $1", EventKind.WAITING)
    # The words around it are those of whoever shows it: "Waiting for sleep:20s, go".
    assert [row["message"] for row in rows] == ["sleep:20s, go"]


@pytest.mark.parametrize("first", ["event", "sleep"])
@pytest.mark.parametrize("action", ["SKIP", "CANCEL"])
async def test_dag_12_wait_against_skip_and_cancel(h: Harness, action: str, first: str) -> None:
    run, worker = await run_after_a(h, event("go"), sleep("12s", action))
    if first == "event":
        await push(h, "go")
        assert await work(h, worker) == ["b"]
    else:
        await h.advance(12_000)
        assert await work(h, worker) == []
    ended = (await statuses(h, run))["b"]
    others = {"SKIP": "SKIPPED", "CANCEL": "CANCELLED"}
    assert ended == ("COMPLETED" if first == "event" else others[action])
    wanted = Status.CANCELLED if ended == "CANCELLED" else Status.COMPLETED
    assert (await h.result(run)).status is wanted


async def test_dag_11_an_event_before_the_wait_is_missed(h: Harness) -> None:
    await h.put_dag("flow", step("a"), step("b", "a", conditions=[event("go")]))
    worker = await h.worker("a", "b")
    await h.trigger("flow")
    await push(h, "go")
    await worker.complete((await worker.next())[0])
    assert await work(h, worker) == []
    await push(h, "go")
    assert await work(h, worker) == ["b"]


async def test_dag_14_branches_and_a_join(h: Harness) -> None:
    await h.put_dag(
        "flow",
        step("a"),
        step("low", "a", conditions=[parent("a", "output.n > 50", "SKIP")]),
        step("high", "a", conditions=[parent("a", "output.n <= 50", "SKIP")]),
        step("join", "low", "high"),
    )
    worker = await h.worker("a", "low", "high", "join")
    (run,) = await h.trigger("flow")
    assert await work(h, worker, lambda task: '{"n":60}') == ["a", "high", "join"]
    assert (await statuses(h, run))["low"] == "SKIPPED"
    assert context(worker.started[-1])["parents"]["low"] == {"skipped": True}


async def test_all_parents_skipped_skips(h: Harness) -> None:
    run, _ = await run_after_a(h, parent("a", "true", "SKIP"))
    assert (await statuses(h, run))["b"] == "SKIPPED"
    await h.put_dag(
        "deep", step("a"), step("b", "a", conditions=[parent("a", "true", "SKIP")]), step("c", "b")
    )
    (run,) = await h.trigger("deep")
    for worker in h.workers:
        await work(h, worker)
    assert await statuses(h, run) == {"a": "COMPLETED", "b": "SKIPPED", "c": "SKIPPED"}


async def test_corner_2_cancel_wins_over_skip(h: Harness) -> None:
    run, _ = await run_after_a(
        h, parent("a", "true", "SKIP", "1"), parent("a", "true", "CANCEL", "2")
    )
    assert (await statuses(h, run))["b"] == "CANCELLED"


async def test_corner_3_a_wait_that_can_never_be_met_cancels_with_a_reason(h: Harness) -> None:
    run, _ = await run_after_a(h, parent("a", "output.n == 1"), output='{"n":2}')
    assert (await statuses(h, run))["b"] == "CANCELLED"
    rows = await h.fetch("select message from task_event where kind = $1", EventKind.CANCELLED)
    assert "can't be met" in rows[-1]["message"]


@pytest.mark.parametrize("n", [1, 2])
async def test_corner_4_parent_or_event_is_a_true_or(h: Harness, n: int) -> None:
    _, worker = await run_after_a(
        h, parent("a", "output.n == 1", group="g"), event("go", group="g"), output=f'{{"n":{n}}}'
    )
    if n == 2:
        assert await work(h, worker) == []
        await push(h, "go")
    assert await work(h, worker) == ["b"]


async def test_corner_5_cancel_if_watches_until_the_task_starts(h: Harness) -> None:
    await h.put_dag("flow", step("a"), step("b", "a", conditions=[event("stop", "CANCEL")]))
    worker = await h.worker("a")
    (run,) = await h.trigger("flow")
    await work(h, worker)
    assert await h.count("queue_item") == 1
    await push(h, "stop")
    assert (await statuses(h, run))["b"] == "CANCELLED"
    assert (await h.count("queue_item"), await h.count("task_wait")) == (0, 0)
    await h.worker("b")
    (run,) = await h.trigger("flow")
    await work(h, worker)
    await push(h, "stop")
    assert await h.count("task_wait") == 0
    assert "b" not in await statuses(h, run)


async def test_corner_7_conditions_of_a_single_task(h: Harness) -> None:
    await h.put_dag("one", step("only", conditions=[event("go")]))
    worker = await h.worker("only")
    (run,) = await h.trigger("one")
    assert await work(h, worker) == []
    await push(h, "go")
    assert await work(h, worker) == ["only"]
    assert (await h.result(run)).tasks[0].task_name == "only"


async def test_corner_9_an_expression_that_fails_is_false_and_told(h: Harness) -> None:
    run, worker = await run_after_a(h, parent("a", "output.missing == 1", "SKIP"))
    assert await work(h, worker) == ["b"]
    (row,) = await h.fetch(
        "select message from task_event where kind = $1", EventKind.CONDITION_FAILED
    )
    assert "missing" in row["message"]
    assert (await statuses(h, run))["b"] == "COMPLETED"


async def test_a_wait_for_that_fails_fails_the_task(h: Harness) -> None:
    run, _ = await run_after_a(h, parent("a", "output.missing == 1"))
    assert (await statuses(h, run))["b"] == "FAILED"
    assert "missing" in ((await h.result(run)).tasks[1].error or "")


async def test_e_26_scope_and_expression_of_an_event(h: Harness) -> None:
    scoped = event("go", expression="input.n > 1")
    scoped.event_scope = "s"
    _, worker = await run_after_a(h, scoped)
    for payload, scope in (('{"n":2}', None), ('{"n":2}', "t"), ('{"n":1}', "s"), ("{}", "s")):
        await push(h, "go", payload, scope=scope)
    assert await work(h, worker) == []
    await push(h, "go", '{"n":2}', scope="s")
    assert await work(h, worker) == ["b"]


async def test_waits_survive_a_restart_and_a_cancel_removes_them(h: Harness) -> None:
    run, worker = await run_after_a(h, event("go"), sleep("20s"))
    h.engine.hot.dags.remove(run)
    await push(h, "go", '{"n":1}')
    h.engine.hot.dags.remove(run)
    await h.advance(20_000)
    (task,) = await worker.next()
    assert context(task)["triggers"]["go"] == {"n": 1}
    (run,) = await h.trigger("flow")
    await worker.complete((await worker.next())[0])
    await h.engine.submit(CancelTasks(TENANT, [run]))
    assert (await statuses(h, run))["b"] == "CANCELLED"
    assert await h.count("task_wait") == 0


async def test_a_later_attempt_still_sees_what_released_the_task(h: Harness) -> None:
    await h.put_dag("flow", step("a", conditions=[event("go")], retries=1))
    worker = await h.worker("a")
    (run,) = await h.trigger("flow")
    await push(h, "go", '{"n":1}')
    await worker.fail((await worker.next())[0])
    (again,) = await worker.next()
    assert (again.attempt, context(again)["triggers"]["go"]) == (1, {"n": 1})
    h.engine.hot.dags.remove(run)
    await worker.complete(again)
    assert (await h.result(run)).status is Status.COMPLETED
