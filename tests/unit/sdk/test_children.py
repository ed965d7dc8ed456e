"""Runs that tasks spawn: every way to call, from threads and gathers, again after a retry."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from hatchet import (
    Context,
    EmptyModel,
    FailedTaskRunExceptionGroup,
    Hatchet,
    TriggerWorkflowOptions,
)

from .conftest import working
from .fake_engine import FakeEngine


class Number(BaseModel):
    value: int


def children(engine: FakeEngine) -> list[Any]:
    items = [item for trigger in engine.all("triggers") for item in trigger.items]
    return [item for item in items if item.parent_task_id]


def make_child(hatchet: Hatchet) -> Any:
    @hatchet.task(name="child")
    async def child(input: Number, ctx: Context) -> Number:
        if input.value == 13:
            raise ValueError("unlucky")
        return input

    return child


def test_every_way_to_spawn(engine: FakeEngine, hatchet: Hatchet) -> None:
    child = make_child(hatchet)

    def item(value: int) -> Any:
        return child.create_bulk_run_item(Number(value=value))

    @hatchet.task()
    async def parent(input: EmptyModel, ctx: Context) -> dict[str, Any]:
        refs = [
            await child.aio_run_no_wait(Number(value=1)),
            await child.aio_run(Number(value=2), wait_for_result=False),
            *(await child.aio_run_many_no_wait([item(3)])),
            *(await child.aio_run_many([item(4)], wait_for_result=False)),
        ]
        results = [await ref.aio_result() for ref in refs]
        results += [await child.aio_run(Number(value=5)), *(await child.aio_run_many([item(6)]))]
        return {"values": [result.value for result in results]}

    @hatchet.task()
    def sync_parent(input: EmptyModel, ctx: Context) -> dict[str, Any]:
        refs = [
            child.run_no_wait(Number(value=1)),
            child.run(Number(value=2), wait_for_result=False),
            *child.run_many_no_wait([item(3)]),
            *child.run_many([item(4)], wait_for_result=False),
        ]
        results = [ref.result() for ref in refs]
        results += [child.run(Number(value=5)), *child.run_many([item(6)])]
        return {"values": [result.value for result in results]}

    with working(hatchet.worker("w", workflows=[child, parent, sync_parent])):
        for each in (parent, sync_parent):
            engine.frames.clear()
            ref = each.run_no_wait()
            assert ref.result() == {"values": [1, 2, 3, 4, 5, 6]}
            spawned = children(engine)
            assert [item.child_index for item in spawned] == [0, 1, 2, 3, 4, 5]
            own = str(ref).replace("-", "")
            assert {item.parent_task_id.hex() for item in spawned} == {own}


def test_spawning_in_threads_and_gathers(engine: FakeEngine, hatchet: Hatchet) -> None:
    child = make_child(hatchet)

    @hatchet.task()
    async def parent(input: EmptyModel, ctx: Context) -> dict[str, Any]:
        gathered = await asyncio.gather(*(child.aio_run(Number(value=n)) for n in range(5)))
        in_thread = await asyncio.to_thread(child.run, Number(value=5))
        tasks = [asyncio.create_task(child.aio_run(Number(value=n))) for n in (6, 7)]
        return {"values": [r.value for r in [*gathered, in_thread, *[await t for t in tasks]]]}

    @hatchet.task()
    def sync_parent(input: EmptyModel, ctx: Context) -> dict[str, Any]:
        def spawn(value: int) -> int:
            with ctx.as_current():  # a pool of the user's own knows nothing of the task
                return int(child.run(Number(value=value)).value)

        with ThreadPoolExecutor(8) as pool:
            values = list(pool.map(spawn, range(8)))
        copied: list[int] = []
        context = contextvars.copy_context()
        thread = threading.Thread(
            target=context.run, args=(lambda: copied.append(child.run(Number(value=8)).value),)
        )
        thread.start()
        thread.join()
        return {"values": values + copied}

    with working(hatchet.worker("w", workflows=[child, parent, sync_parent])):
        assert parent.run() == {"values": list(range(8))}
        spawned = children(engine)
        order = [item.child_index for item in spawned]
        assert sorted(order) == list(range(8))
        by_index = sorted(spawned, key=lambda item: item.child_index)
        assert [item.input for item in by_index[:5]] == [f'{{"value":{n}}}' for n in range(5)]
        engine.frames.clear()
        assert sync_parent.run() == {"values": list(range(9))}
        assert sorted(item.child_index for item in children(engine)) == list(range(9))


def test_a_retry_spawns_the_same_children(engine: FakeEngine, hatchet: Hatchet) -> None:
    child = make_child(hatchet)

    @hatchet.task(retries=1)
    async def parent(input: EmptyModel, ctx: Context) -> None:
        await child.aio_run_many(
            [child.create_bulk_run_item(Number(value=n), key=f"k{n}") for n in range(2)]
        )
        await child.aio_run(Number(value=2), key="own")
        if ctx.retry_count == 0:
            raise ValueError("again")

    parents: set[bytes] = set()

    def retry(stream: Any, frame: Any) -> None:
        for report in frame.reports:
            if report.kind == 3 and report.task_id not in parents:
                parents.add(report.task_id)
                engine.retries[report.task_id] = 1

    engine.on_frame = retry
    with working(hatchet.worker("w", workflows=[child, parent])):
        parent.run()
    keys = [(item.child_index, item.child_key) for item in children(engine)]
    assert keys == [(0, "k0"), (1, "k1"), (2, "own")] * 2


def test_what_a_child_inherits(engine: FakeEngine, hatchet: Hatchet) -> None:
    child = make_child(hatchet)

    @hatchet.task()
    async def parent(input: EmptyModel, ctx: Context) -> None:
        await child.aio_run(Number(value=1), additional_metadata={"b": 3}, priority=2)
        options = TriggerWorkflowOptions(child_key="mine", additional_metadata={"c": 1})
        child.run_no_wait(Number(value=2), options)
        item = child.create_bulk_run_item(Number(value=3), "given", options)
        assert item.options.child_key == "mine"
        assert options.child_key == "mine"

    with working(hatchet.worker("w", workflows=[child, parent])):
        metadata = {"a": 1, "b": 2, "hatchet__event_id": "e", "hatchet__event_key": "k"}
        parent.run(additional_metadata=metadata, priority=3)
    first, second = children(engine)
    assert (first.metadata, first.priority) == ('{"a":1,"b":3}', 2)
    assert (second.metadata, second.priority) == ('{"a":1,"b":2,"c":1}', 0)
    assert second.child_key == "mine"


def test_failing_children(hatchet: Hatchet) -> None:
    child = make_child(hatchet)
    items = [child.create_bulk_run_item(Number(value=n)) for n in (12, 13, 14)]

    @hatchet.task()
    async def parent(input: EmptyModel, ctx: Context) -> dict[str, Any]:
        results = await child.aio_run_many(items, return_exceptions=True)
        with pytest.raises(FailedTaskRunExceptionGroup, match="unlucky"):
            await child.aio_run_many(items)
        with pytest.raises(FailedTaskRunExceptionGroup, match="unlucky"):
            await child.aio_run(Number(value=13))
        return {"kinds": [type(result).__name__ for result in results]}

    with working(hatchet.worker("w", workflows=[child, parent])):
        kinds = ["Number", "FailedTaskRunExceptionGroup", "Number"]
        assert parent.run() == {"kinds": kinds}


def test_a_retry_of_two_items_with_one_key(engine: FakeEngine, hatchet: Hatchet) -> None:
    """The engine answers both with the same run: both get its result."""
    child = make_child(hatchet)
    engine.same_run_for_key = True

    @hatchet.task()
    async def parent(input: EmptyModel, ctx: Context) -> dict[str, Any]:
        same = [child.create_bulk_run_item(Number(value=n), key="one") for n in (1, 2)]
        results = await child.aio_run_many(same)
        return {"values": [result.value for result in results]}

    with working(hatchet.worker("w", workflows=[child, parent])):
        assert parent.run() == {"values": [1, 1]}


def test_a_bulk_of_items_of_another_workflow(engine: FakeEngine, hatchet: Hatchet) -> None:
    """Each item runs the workflow that made it, with that workflow's default metadata."""
    engine.assign = False
    plain = hatchet.task(name="plain")(_echo)
    marked = hatchet.task(name="marked", default_additional_metadata={"of": "marked"})(_echo)
    one, two = plain.create_bulk_run_item(), marked.create_bulk_run_item()
    plain.run_many_no_wait([one, two])
    marked.run_many_no_wait([one, two])
    sent = [(item.workflow, item.metadata) for item in engine.all("triggers")[0].items]
    assert sent == [("plain", ""), ("marked", '{"of":"marked"}')]
    again = [(item.workflow, item.metadata) for item in engine.all("triggers")[1].items]
    assert again == sent


def test_metadata_that_is_no_json(hatchet: Hatchet) -> None:
    task = hatchet.task(name="plain")(_echo)
    with pytest.raises(
        TypeError, match=r"additional_metadata cannot be written as JSON: .*Decimal"
    ):
        task.run_no_wait(additional_metadata={"price": Decimal(1)})


def test_the_parent_of_a_child_of_a_graph(engine: FakeEngine, hatchet: Hatchet) -> None:
    """The run, although the engine names the spawning task; for runs of one task both are one."""
    seen: list[Any] = []

    @hatchet.task(name="child")
    async def child(input: EmptyModel, ctx: Context) -> None:
        seen.append((ctx.parent_workflow_run_id, ctx.parent_task_run_id))

    parents = {
        "hatchet__parent_workflow_run_id": "00000000-0000-0000-0000-000000000001",
        "hatchet__parent_step_run_id": "00000000-0000-0000-0000-000000000002",
    }
    with working(hatchet.worker("w", workflows=[child])):
        child.run()
        task_id = parents["hatchet__parent_step_run_id"]
        child.run(
            options=TriggerWorkflowOptions(parent_step_run_id=task_id, additional_metadata=parents)
        )
    assert seen == [(None, None), tuple(parents.values())]


async def _echo(input: EmptyModel, ctx: Context) -> None: ...
