"""Sticky workflows, of one task and of graphs (RO-11 to RO-15, DAG-20)."""

from __future__ import annotations

import pytest

from hatchet_engine.domain.states import Status
from hatchet_engine.turn.commands import (
    LeaveWorker,
)
from tests.support.dags import step
from tests.support.engine import TENANT, FakeWorker, Harness
from tests.support.routing import NOBODY, close, ids, likes, must, put, reason
from tests.support.rules import outcome, pass_time, pause_worker, replay, status

# ---------------------------------------------------------------- sticky


async def test_sticky_none_ignores_the_worker(h: Harness) -> None:
    await put(h)
    worker = await h.worker()
    (run,) = await h.trigger(desired_worker_id=NOBODY)
    assert ids(worker) == [run]


async def test_sticky_soft_prefers_and_falls_back(h: Harness) -> None:
    await put(h, "SOFT")
    one, two = await h.worker(slots=2), await h.worker(slots=50)
    runs = await h.trigger(count=3, desired_worker_id=one.id)
    assert ids(one) == runs[:2]
    assert ids(two) == runs[2:]
    assert len(await h.trigger(count=4)) + 1 == len(two.started)  # unset: any


async def test_ro_11_soft_labels_rank_the_others_and_required_ones_exclude(h: Harness) -> None:
    await put(h, "SOFT", labels={"gpu": must("a100"), "zone": likes("eu")})
    cpu = await h.worker()
    far = await h.worker(slots=9, labels={"gpu": "a100"})
    near = await h.worker(slots=1, labels={"gpu": "a100", "zone": "eu"})
    (run,) = await h.trigger(desired_worker_id=cpu.id)  # it lacks what is required
    assert ids(near) == [run]
    (run,) = await h.trigger(desired_worker_id=near.id)  # full
    assert ids(far) == [run]
    await near.complete(near.started[0])
    (run,) = await h.trigger(desired_worker_id=far.id)  # the worker goes before the weights
    assert ids(far)[-1] == run


async def test_ro_11_hard_labels_count_while_no_worker_is_fixed(h: Harness) -> None:
    await put(h, "HARD", labels={"gpu": must("a100")})
    cpu, gpu = await h.worker(), await h.worker(labels={"gpu": "a100"})
    (run,) = await h.trigger()
    assert ids(gpu) == [run]
    (run,) = await h.trigger(desired_worker_id=cpu.id)
    assert ids(cpu) == [run]


async def test_sticky_hard_waits_for_a_full_worker_and_blocks_nobody(h: Harness) -> None:
    await put(h, "HARD")
    one, two = await h.worker(slots=1), await h.worker()
    mine = await h.trigger(count=3, desired_worker_id=one.id)
    (other,) = await h.trigger()
    assert ids(one) == mine[:1]
    assert ids(two) == [other]
    await one.complete(one.started[0])
    assert ids(one) == mine[:2]


async def test_ro_14_hard_with_a_dead_worker_ends_by_timeout(h: Harness) -> None:
    await put(h, "HARD", schedule_timeout_ms=60_000)
    one, two = await h.worker(), await h.worker()
    await h.engine.submit(LeaveWorker(TENANT, one.id))
    (run,) = await h.trigger(desired_worker_id=one.id)
    assert f"waits for worker {one.id}, which has left" in await reason(h, run)
    await pass_time(h, 59_999, two)
    assert await status(h, run) is Status.QUEUED
    await pass_time(h, 1, two)
    row = await outcome(h, run)
    assert (row["status"], row["error"]) == (Status.CANCELLED, "No worker qualified within 1m")
    assert two.started == []


async def test_hard_names_what_is_wrong_with_the_worker(h: Harness) -> None:
    await put(h, "HARD", slots={"default": 3})
    await h.worker()
    paused, away = await h.worker(), await h.worker(open=False)
    small, other = await h.worker(slots=2), await h.worker("elsewhere")
    await pause_worker(h, paused)
    for worker, word in (
        (paused, "is paused"),
        (away, "is not connected"),
        (small, "3 of type 'default' are needed"),
        (other, "does not offer hello:hello"),
    ):
        (run,) = await h.trigger(desired_worker_id=worker.id)
        assert word in await reason(h, run)


async def test_ro_15_a_retry_keeps_the_wanted_worker(h: Harness) -> None:
    await put(h, "SOFT", retries=2)
    one, two = await h.worker(slots=1), await h.worker()
    await h.trigger(desired_worker_id=one.id)
    (run,) = await h.trigger(desired_worker_id=one.id)  # goes to the other one
    assert ids(two) == [run]
    await one.complete(one.started[0])
    await two.fail(two.started[0])
    assert ids(one)[-1] == run
    await one.complete(one.started[-1])
    await replay(h, run)
    assert ids(one)[-1] == run


async def test_ro_13_a_child_goes_where_the_sdk_says(h: Harness) -> None:
    await put(h, "HARD", name="child")
    await h.put()
    one, two = await h.worker("hello", "child"), await h.worker("hello", "child")
    (run,) = await h.trigger()
    holder, other = (one, two) if run in ids(one) else (two, one)
    for index in range(4):
        await h.trigger("child", parent_task_id=run, child_index=index, desired_worker_id=holder.id)
    assert len(holder.started) == 5
    assert other.started == []


# ---------------------------------------------------------------- sticky graphs


async def graph(h: Harness, sticky: str) -> list[FakeWorker]:
    await h.put_dag(
        "graph",
        step("a"),
        step("b"),
        step("c", "a", "b"),
        step("d", "c", retries=1),
        sticky=sticky,
    )
    return [await h.worker("a", "b", "c", "d", slots=2) for _ in range(3)]


@pytest.mark.parametrize("restart", [False, True])
async def test_dag_20_the_parent_that_ended_last_fixes_the_worker(
    h: Harness, restart: bool
) -> None:
    workers = await graph(h, "HARD")
    await h.trigger("graph")
    first = [(worker, task) for worker in workers for task in worker.started]
    assert len({worker.id for worker, _ in first}) == 2  # roots do not coordinate (RO-12)
    first.sort(key=lambda pair: pair[1].task_name, reverse=True)
    for worker, task in first:  # b, then a
        await h.advance(1)
        await worker.complete(task)
        if restart and task.task_name == "b":
            await h.restart()
            for one in workers:
                await one.open()
    last = first[1][0]
    assert last.started[-1].task_name == "c"
    if restart:
        await h.restart()
        for one in workers:
            await one.open()
    await last.complete(last.started[-1])
    assert last.started[-1].task_name == "d"
    await last.fail(last.started[-1])
    assert last.started[-1].task_name == "d"
    assert sum(len(one.started) for one in workers) == 5


async def test_dag_20_hard_children_wait_for_their_worker(h: Harness) -> None:
    await h.put_dag("graph", step("a"), step("b", "a"), sticky="HARD")
    one, two = await h.worker("a", "b"), await h.worker("b")
    await h.trigger("graph")
    (task,) = await one.next()
    await one.complete(task)
    assert [task.task_name for task in one.started] == ["a", "b"]
    await h.trigger("graph")
    await close(h, one)
    await one.complete(one.started[-1])
    await h.settle()
    assert two.started == []
    assert await h.count("parked_item") == 1
    await one.open()
    await h.settle()
    assert one.started[-1].task_name == "b"
    assert await h.count("parked_item") == 0


async def test_dag_20_soft_children_go_elsewhere_if_need_be(h: Harness) -> None:
    await h.put_dag("graph", step("a"), step("b", "a"), sticky="SOFT")
    one, two = await h.worker("a", "b"), await h.worker("b")
    for _ in range(3):
        await h.trigger("graph")
        await one.complete(one.started[-1])
        assert one.started[-1].task_name == "b"
    await h.trigger("graph")
    task = one.started[-1]
    await close(h, one)
    await one.complete(task)
    assert [task.task_name for task in two.started] == ["b"]


async def test_dag_20_a_replay_of_a_part_stays_where_its_parents_ran(h: Harness) -> None:
    await h.put_dag("graph", step("a"), step("b", "a"), sticky="HARD")
    one, two = await h.worker("a", "b"), await h.worker("a", "b")
    await h.trigger("graph")
    worker = one if one.started else two
    await worker.complete(worker.started[0])
    child = worker.started[1]
    await worker.complete(child)
    await h.restart()
    for each in (one, two):
        await each.open()
    await replay(h, child.task_id)
    assert [task.task_name for task in worker.started] == ["a", "b", "b"]


async def test_the_worker_of_a_run_holds_for_its_roots(h: Harness) -> None:
    workers = await graph(h, "HARD")
    await h.trigger("graph", desired_worker_id=workers[1].id)
    assert sorted(task.task_name for task in workers[1].started) == ["a", "b"]


async def test_children_of_what_was_skipped_look_further_back(h: Harness) -> None:
    from tests.support.dags import parent

    skipped = step("b", "a", conditions=[parent("a", "true", "SKIP")])
    await h.put_dag("graph", step("a"), skipped, step("c", "a", "b"), sticky="HARD")
    workers = [await h.worker("a", "b", "c") for _ in range(3)]
    await h.trigger("graph")
    (worker,) = [one for one in workers if one.started]
    await worker.complete(worker.started[0])
    assert [task.task_name for task in worker.started] == ["a", "c"]
