"""Runs of several tasks: structure, propagation, on-failure, cancel, replay (DAG-*, OF-*, RP-*)."""

from __future__ import annotations

import pytest

from hatchet_engine.domain.errors import Code
from hatchet_engine.domain.states import Status
from hatchet_engine.turn.commands import CancelTasks, ReplayTasks
from tests.support.dags import context, statuses, step, work
from tests.support.engine import TENANT, Harness
from tests.support.rules import refused


async def diamond(h: Harness, **more: object) -> None:
    await h.put_dag("flow", step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"), **more)


async def test_dag_1_the_whole_graph_is_there_when_the_trigger_returns(h: Harness) -> None:
    await diamond(h)
    (run,) = await h.trigger("flow", input='{"x":1}', metadata='{"k":"v"}')
    rows = await h.fetch("select id, kind, input, metadata from task where run_id = $1", run)
    assert sorted(row["kind"] for row in rows) == [1, 2, 2, 2, 2]
    assert all(row["metadata"] == '{"k": "v"}' for row in rows)
    assert await h.count("queue_item") == 1


async def test_dag_2_outputs_of_all_tasks_before_reach_a_task(h: Harness) -> None:
    await diamond(h)
    worker = await h.worker("a", "b", "c", "d")
    (run,) = await h.trigger("flow", input='{"x":1}')
    seen = {}

    def do(task):  # type: ignore[no-untyped-def]
        seen[task.task_name] = context(task).get("parents")
        assert (task.run_id, task.input) == (run, '{"x":1}')
        return f'{{"of":"{task.task_name}"}}'

    assert (await work(h, worker, do))[0] == "a"
    assert seen["a"] is None
    assert seen["b"] == {"a": {"of": "a"}}
    assert seen["d"] == {name: {"of": name} for name in "abc"}
    result = await h.result(run)
    assert result.status is Status.COMPLETED
    assert {task.task_name: task.output for task in result.tasks}["d"] == '{"of":"d"}'


async def test_dag_3_a_task_that_ends_starts_its_children_in_the_same_turn(h: Harness) -> None:
    await diamond(h)
    worker = await h.worker("a", "b", "c", "d")
    await h.trigger("flow")
    turns = h.engine.turns
    await worker.complete((await worker.next())[0])
    assert h.engine.turns == turns + 1
    assert {task.task_name for task in await worker.next(2)} == {"b", "c"}


async def test_dag_5_failure_cancels_what_follows_at_once(h: Harness) -> None:
    await h.put_dag("flow", step("a"), step("b"), step("c", "a", "b"), step("d", "c"))
    worker = await h.worker("a", "b", "c", "d")
    (run,) = await h.trigger("flow")
    first, second = await worker.next(2)
    failing, other = (first, second) if first.task_name == "a" else (second, first)
    await worker.fail(failing)
    assert await statuses(h, run) == {"a": "FAILED", "c": "CANCELLED", "d": "CANCELLED"}
    await worker.complete(other)
    result = await h.result(run)
    assert result.status is Status.FAILED
    assert [task.error for task in result.tasks if task.status is Status.CANCELLED] == [None] * 2


async def test_dag_6_a_retry_does_not_touch_the_child(h: Harness) -> None:
    await h.put_dag("flow", step("a", retries=1), step("b", "a"))
    worker = await h.worker("a", "b")
    (run,) = await h.trigger("flow")
    await worker.fail((await worker.next())[0])
    assert await work(h, worker) == ["a", "b"]
    assert (await h.result(run)).status is Status.COMPLETED


async def test_of_1_the_on_failure_task_runs_at_the_first_failure(h: Harness) -> None:
    await h.put_dag("flow", step("a"), step("b"), step("oops", on_failure=True))
    worker = await h.worker("a", "b", "oops")
    (run,) = await h.trigger("flow")
    tasks = {task.task_name: task for task in await worker.next(2)}
    await worker.fail(tasks["a"], "a broke")
    (oops,) = await worker.next()
    assert context(oops)["step_run_errors"] == {"a": "a broke"}
    await worker.complete(oops)
    await worker.complete(tasks["b"])
    assert (await h.result(run)).status is Status.FAILED
    assert await statuses(h, run) == {"a": "FAILED", "b": "COMPLETED", "oops": "COMPLETED"}


async def test_of_2_without_a_failure_the_on_failure_task_is_skipped(h: Harness) -> None:
    await h.put_dag("flow", step("a"), step("oops", on_failure=True))
    worker = await h.worker("a", "oops")
    (run,) = await h.trigger("flow")
    assert await work(h, worker) == ["a"]
    result = await h.result(run)
    assert result.status is Status.COMPLETED
    assert result.tasks[1].output == '{"skipped": true}'
    (run,) = await h.trigger("flow")
    await h.engine.submit(CancelTasks(TENANT, [run]))
    assert await statuses(h, run) == {"a": "CANCELLED", "oops": "SKIPPED"}


async def test_cx_9_cancelling_a_run_ends_all_its_tasks(h: Harness) -> None:
    await diamond(h)
    worker = await h.worker("a", "b", "c", "d")
    (run,) = await h.trigger("flow")
    await worker.complete((await worker.next())[0])
    await worker.next(2)
    assert await h.engine.submit(CancelTasks(TENANT, [run])) == [run]
    assert len(worker.cancels) == 2
    assert (await h.result(run)).status is Status.CANCELLED
    assert list((await statuses(h, run)).values()) == ["COMPLETED"] + ["CANCELLED"] * 3
    assert await h.engine.submit(CancelTasks(TENANT, [run])) == []


async def test_cx_9_cancelling_one_task_cancels_what_follows(h: Harness) -> None:
    await diamond(h)
    worker = await h.worker("a", "c", "d")
    (run,) = await h.trigger("flow")
    await worker.complete((await worker.next())[0])
    (row,) = await h.fetch("select id from task where run_id = $1 and kind = 2 and step = 1", run)
    assert await h.engine.submit(CancelTasks(TENANT, [row["id"]])) == [row["id"]]
    assert await work(h, worker) == ["c"]
    assert (await h.result(run)).status is Status.CANCELLED
    assert (await statuses(h, run))["d"] == "CANCELLED"


async def test_schedule_timeout_of_a_member_cancels_what_follows(h: Harness) -> None:
    await h.put_dag("flow", step("a"), step("b", "a", schedule_timeout_ms=5_000), step("c", "b"))
    worker = await h.worker("a")
    (run,) = await h.trigger("flow")
    await worker.complete((await worker.next())[0])
    await h.advance(5_000)
    assert await statuses(h, run) == {"a": "COMPLETED", "b": "CANCELLED", "c": "CANCELLED"}
    assert (await h.result(run)).status is Status.CANCELLED


async def test_rp_2_a_run_is_replayed_whole_and_a_task_with_its_descendants(h: Harness) -> None:
    await diamond(h)
    worker = await h.worker("a", "b", "c", "d")
    (run,) = await h.trigger("flow")
    with refused(Code.FAILED_PRECONDITION, "has not ended"):
        await h.engine.submit(ReplayTasks(TENANT, [run]))
    await work(h, worker, lambda task: f'{{"n":{task.attempt}}}')
    assert len(await h.engine.submit(ReplayTasks(TENANT, [run]))) == 4
    assert sorted(await work(h, worker, lambda task: f'{{"n":{task.attempt}}}')) == list("abcd")
    (row,) = await h.fetch("select id from task where run_id = $1 and kind = 2 and step = 1", run)
    assert len(await h.engine.submit(ReplayTasks(TENANT, [row["id"]]))) == 2
    seen = []

    def do(task):  # type: ignore[no-untyped-def]
        seen.append((task.task_name, task.attempt, context(task)["parents"]))
        return f'{{"n":{task.attempt}}}'

    await work(h, worker, do)
    assert seen[0] == ("b", 2, {"a": {"n": 1}})
    assert seen[1] == ("d", 2, {"a": {"n": 1}, "b": {"n": 2}, "c": {"n": 1}})
    rows = await h.fetch("select status from outcome where id = $1", run)
    assert [row["status"] for row in rows] == [Status.COMPLETED]


async def test_rp_4_a_failed_run_can_be_replayed_to_success(h: Harness) -> None:
    await h.put_dag("flow", step("a"), step("b", "a"), step("oops", on_failure=True))
    worker = await h.worker("a", "b", "oops")
    (run,) = await h.trigger("flow")
    await work(h, worker, lambda task: None if task.task_name == "a" else "{}")
    assert (await h.result(run)).status is Status.FAILED
    await h.engine.submit(ReplayTasks(TENANT, [run]))
    assert await work(h, worker) == ["a", "b"]
    assert await statuses(h, run) == {"a": "COMPLETED", "b": "COMPLETED", "oops": "SKIPPED"}


@pytest.mark.parametrize("size", [10, 5_000])
async def test_runs_forgotten_by_memory_go_on(h: Harness, size: int) -> None:
    """Everything is read again in the middle, as after a restart; outputs small and large."""
    await diamond(h)
    worker = await h.worker("a", "b", "c", "d")
    (run,) = await h.trigger("flow", input='{"x":"' + "y" * size + '"}')
    output = '{"z":"' + "w" * size + '"}'
    for _ in range(3):
        h.engine.hot.dags.remove(run)
        await h.settle()
        waiting = len(worker.started) - worker._seen
        for task in await worker.next(waiting):
            assert task.input == '{"x":"' + "y" * size + '"}'
            if task.task_name == "d":
                assert set(context(task)["parents"]) == set("abc")
                assert context(task)["parents"]["a"] == {"z": "w" * size}
            await worker.complete(task, output)
    result = await h.result(run)
    assert [task.output for task in result.tasks] == [output] * 4


async def test_fan_out_and_fan_in_of_hundreds(h: Harness) -> None:
    names = [f"n{at}" for at in range(300)]
    await h.put_dag(
        "wide", step("start"), *[step(name, "start") for name in names], step("end", *names)
    )
    worker = await h.worker("start", "end", *names, slots=1_000)
    (run,) = await h.trigger("wide")
    assert len(await work(h, worker)) == 302
    assert (await h.result(run)).status is Status.COMPLETED
