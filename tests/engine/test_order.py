"""Order and priority in a queue (Q-*)."""

from __future__ import annotations

from uuid import UUID

import pytest

from hatchet_engine.domain.definition import TaskDefinition, WorkflowDefinition
from hatchet_engine.domain.errors import Code
from hatchet_engine.domain.labels import DesiredLabel
from hatchet_engine.domain.registration import check
from hatchet_engine.turn.commands import PutWorkflow, TriggerItem, TriggerRuns
from tests.support.engine import TENANT, FakeWorker, Harness
from tests.support.rules import cancel, refused, replay


async def drain(worker: FakeWorker, count: int) -> list[UUID]:
    """The order in which a worker with one slot gets ``count`` tasks."""
    order = []
    for _ in range(count):
        (task,) = await worker.next()
        order.append(task.task_id)
        await worker.complete(task)
    return order


async def test_q_1_older_run_starts_first(h: Harness) -> None:
    await h.put()
    ids = [(await h.trigger())[0] for _ in range(3)] + await h.trigger(count=3)
    assert ids == sorted(ids)
    assert await drain(await h.worker(slots=1), 6) == ids


async def test_q_2_higher_priority_overtakes(h: Harness) -> None:
    await h.put()
    low = await h.trigger(count=2, priority=1)
    medium = await h.trigger(count=2, priority=2)
    high = await h.trigger(count=2, priority=3)
    assert await drain(await h.worker(slots=1), 6) == high + medium + low


async def test_q_2_later_high_overtakes_what_already_waits(h: Harness) -> None:
    await h.put()
    worker = await h.worker(slots=1)
    low = await h.trigger(count=3, priority=1)
    (first,) = await worker.next()
    high = await h.trigger(priority=3)
    await worker.complete(first)
    assert await drain(worker, 3) == high + low[1:]


async def test_q_3_priority_does_not_order_two_workflows(h: Harness) -> None:
    """A worker with a slot for each: the LOW run of one starts beside the HIGH of another."""
    await h.put("a")
    await h.put("b")
    (low,) = await h.trigger("a", priority=1)
    (high,) = await h.trigger("b", priority=3)
    worker = await h.worker("a", "b", slots=2)
    assert {task.task_id for task in await worker.next(2)} == {low, high}


async def test_q_3_queues_take_turns_on_a_full_worker(h: Harness) -> None:
    await h.put("a")
    await h.put("b")
    worker = await h.worker("a", "b", slots=1)
    await h.trigger("a", count=10, priority=3)
    await h.trigger("b", count=10, priority=1)
    actions = []
    for _ in range(10):
        (task,) = await worker.next()
        actions.append(task.action)
        await worker.complete(task)
    assert actions.count("b:b") >= 3
    assert actions.count("a:a") >= 3


async def test_q_4_priority_of_run_beats_that_of_workflow(h: Harness) -> None:
    task = TaskDefinition(name="hello", action="hello:hello")
    definition = WorkflowDefinition(name="hello", tasks=[task], default_priority=3)
    await h.engine.submit(PutWorkflow(TENANT, check(definition)))
    items = [TriggerItem("hello", priority=priority) for priority in (1, 2, None)]
    runs = await h.engine.submit(TriggerRuns(TENANT, items))
    rows = await h.fetch("select priority from task order by id")
    assert [row["priority"] for row in rows] == [1, 2, 3]
    assert await drain(await h.worker(slots=1), 3) == runs[::-1]


async def test_q_4_without_any_priority_it_is_one(h: Harness) -> None:
    await h.put()
    await h.trigger()
    (row,) = await h.fetch("select priority from task")
    assert row["priority"] == 1


@pytest.mark.parametrize("priority", [0, 4, -1, 100])
async def test_q_4_priority_out_of_range_is_refused(h: Harness, priority: int) -> None:
    await h.put()
    with refused(Code.INVALID_ARGUMENT, f"priority must be between 1 and 3, got {priority}"):
        await h.trigger(priority=priority)
    assert await h.count("task") == 0


async def test_q_6_retry_goes_before_high(h: Harness) -> None:
    await h.put(retries=1)
    worker = await h.worker(slots=1)
    (run,) = await h.trigger(priority=1)
    (task,) = await worker.next()
    high = await h.trigger(priority=3)
    await worker.fail(task)
    assert await drain(worker, 2) == [run, *high]


async def test_q_6_replay_goes_before_high(h: Harness) -> None:
    await h.put()
    worker = await h.worker(slots=1)
    (run,) = await h.trigger(priority=1)
    await drain(worker, 1)
    (busy, *high) = await h.trigger(count=3, priority=3)
    await replay(h, run)
    assert await drain(worker, 4) == [busy, run, *high]


async def test_q_6_end_of_backoff_goes_before_high(h: Harness) -> None:
    await h.put(retries=1, backoff_factor=1.0)
    worker = await h.worker(slots=1)
    (run,) = await h.trigger(priority=1)
    (task,) = await worker.next()
    await worker.fail(task)
    (busy, *high) = await h.trigger(count=2, priority=3)
    await h.advance(1_000)
    assert await drain(worker, 3) == [busy, run, *high]


async def test_q_8_task_that_is_too_big_blocks_nobody(h: Harness) -> None:
    """Two versions share a queue; the older one needs more than the worker has."""
    await h.put(slots={"default": 5})
    big = await h.trigger(count=3, priority=3)
    await h.put(slots={"default": 1})
    small = await h.trigger(count=4, priority=1)
    assert await drain(await h.worker(slots=2), 4) == small
    assert await h.count("parked_item") == len(big)  # nobody could ever take them


async def test_q_8_label_that_nobody_has_blocks_nobody(h: Harness) -> None:
    await h.put()
    gpu = {"gpu": DesiredLabel("a100", required=True)}
    picky = await h.trigger(count=3, priority=3, desired_labels=gpu)
    plain = await h.trigger(count=2, priority=1)
    assert await drain(await h.worker(slots=1), 2) == plain
    fitting = await h.worker(slots=1, labels={"gpu": "a100"})
    assert await drain(fitting, 3) == picky


async def test_q_8_missing_slot_type_blocks_nobody(h: Harness) -> None:
    await h.put(slots={"gpu": 1})
    await h.trigger(count=2)
    await h.put()
    plain = await h.trigger(count=2)
    assert await drain(await h.worker(slots={"default": 1}), 2) == plain


async def test_q_8_cancel_in_the_middle_keeps_the_order(h: Harness) -> None:
    await h.put()
    runs = await h.trigger(count=5)
    assert await cancel(h, runs[2]) == [runs[2]]
    assert await drain(await h.worker(slots=1), 4) == runs[:2] + runs[3:]
