"""Concurrency of runs of several tasks (CON-9, CON-10)."""

from __future__ import annotations

from hatchet_engine.domain.states import Status
from hatchet_engine.turn.commands import (
    RefreshTimeout,
)
from tests.support.concurrency import (
    dag_worker,
    key,
    rule,
    run_all,
    two_steps,
)
from tests.support.engine import TENANT, Harness
from tests.support.rules import cancel, outcome, pass_time, replay


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
