"""Running tasks: every way to call, results, failures, children."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from hatchet import (
    Context,
    EmptyModel,
    FailedTaskRunExceptionGroup,
    Hatchet,
    HatchetCallError,
    NonRetryableException,
    RetryAfterException,
    RunCancelledError,
    SyncWaitInAsyncTaskError,
    TaskRunError,
    WorkflowRunRef,
)
from hatchet_protocol.session import EngineFrame

from .conftest import working
from .fake_engine import FakeEngine


class Number(BaseModel):
    value: int


class Doubled(BaseModel):
    value: int


def test_every_way_to_call(hatchet: Hatchet) -> None:
    @hatchet.task()
    async def double(input: Number, ctx: Context) -> Doubled:
        return Doubled(value=input.value * 2)

    @hatchet.task()
    def double_sync(input: Number, ctx: Context) -> Doubled:
        return Doubled(value=input.value * 2)

    with working(hatchet.worker("w", workflows=[double, double_sync])):
        for task in (double, double_sync):
            expected = Doubled(value=8)
            assert task.run(Number(value=4)) == expected
            assert task.run_no_wait(Number(value=4)).result() == expected
            assert task.run(Number(value=4), wait_for_result=False).result() == expected
            ref = task.run_no_wait(Number(value=4))
            assert task.get_result(str(ref)) == expected
            assert hatchet.runs.get_run_ref(str(ref)).result() == {task.name: {"value": 8}}

            async def in_a_loop(task: Any = task, expected: Any = expected) -> None:
                assert await task.aio_run(Number(value=4)) == expected
                ref = await task.aio_run_no_wait(Number(value=4))
                assert await ref.aio_result() == expected
                assert await task.aio_get_result(ref.workflow_run_id) == expected

            asyncio.run(in_a_loop())
            asyncio.run(in_a_loop())  # another loop: nothing is bound to the first

            items = [task.create_bulk_run_item(Number(value=n)) for n in range(20)]
            doubled = [Doubled(value=2 * n) for n in range(20)]
            assert task.run_many(items) == doubled
            assert [ref.result() for ref in task.run_many_no_wait(items)] == doubled
            assert asyncio.run(task.aio_run_many(items)) == doubled
            refs = asyncio.run(task.aio_run_many(items, wait_for_result=False))
            assert [ref.result() for ref in refs] == doubled
        assert double.run_many([]) == []


def test_rp_12_a_reference_tells_the_result_of_a_replay(
    hatchet: Hatchet, engine: FakeEngine
) -> None:
    @hatchet.task()
    async def count(input: EmptyModel, ctx: Context) -> Number:
        return Number(value=ctx.attempt_number)

    with working(hatchet.worker("w", workflows=[count])):
        ref = count.run_no_wait()
        assert ref.result() == Number(value=1)
        (run_id,) = engine.results

        def replay(attempt: int) -> None:
            del engine.results[run_id]
            engine.assign_run(run_id, attempt - 1)

        engine.call(lambda: replay(2))
        assert ref.result() == Number(value=2)
        engine.call(lambda: replay(3))
        assert asyncio.run(ref.aio_result()) == Number(value=3)


def test_kinds_of_input_and_output(hatchet: Hatchet) -> None:
    class Typed(TypedDict):
        name: str

    @dataclass
    class Point:
        x: int

    class Aliased(BaseModel):
        inner: int = Field(alias="Outer")

    @hatchet.task()
    async def typed(input: Typed, ctx: Context) -> Typed:
        return {"name": input["name"] + "!"}

    @hatchet.task()
    async def point(input: Point, ctx: Context) -> Point:
        return Point(input.x + 1)

    @hatchet.task()
    async def plain(input: dict[str, Any], ctx: Context) -> dict[str, int]:
        return {"count": len(input)}

    @hatchet.task(input_validator=Aliased)
    async def aliased(input: Aliased, ctx: Context) -> Aliased:
        return input

    @hatchet.task()
    async def nothing(input: EmptyModel, ctx: Context) -> None:
        return None

    @hatchet.task()
    async def extras(input: EmptyModel, ctx: Context) -> dict[str, Any]:
        return {"seen": input.model_extra}

    @hatchet.task()
    async def unannotated(input, ctx):  # type: ignore[no-untyped-def]
        return Number(value=3)

    tasks = [typed, point, plain, aliased, nothing, extras, unannotated]
    with working(hatchet.worker("w", workflows=tasks)):
        assert typed.run({"name": "Ada"}) == {"name": "Ada!"}
        assert point.run(Point(1)) == Point(2)
        assert plain.run({"a": 1, "b": 2}) == {"count": 2}
        assert aliased.run(Aliased(Outer=5)) == Aliased(Outer=5)
        assert nothing.run() == EmptyModel()
        assert extras.run(EmptyModel(a=1)) == {"seen": {"a": 1}}  # type: ignore[call-arg]
        assert unannotated.run().model_extra == {"value": 3}


def test_failures(engine: FakeEngine, hatchet: Hatchet) -> None:
    @hatchet.task()
    async def fails(input: Number, ctx: Context) -> None:
        raise ValueError("a\nb: c")

    @hatchet.task()
    def never(input: EmptyModel, ctx: Context) -> None:
        raise NonRetryableException("stop")

    @hatchet.task()
    async def later(input: EmptyModel, ctx: Context) -> None:
        from datetime import timedelta

        raise RetryAfterException("busy", after=timedelta(seconds=2))

    @hatchet.task()
    async def wrong(input: EmptyModel, ctx: Context) -> int:
        return 7

    with working(hatchet.worker("w", workflows=[fails, never, later, wrong])):
        with pytest.raises(FailedTaskRunExceptionGroup) as caught:
            fails.run(Number(value=1))
        (error,) = caught.value.exceptions
        assert (error.exc, error.exc_type) == ("a\nb: c", "ValueError")
        assert "test_running.py" in error.trace
        assert error.task_run_external_id is not None

        for task in (never, later):
            with pytest.raises(ValueError, match="failed"):
                task.run()
        with pytest.raises(FailedTaskRunExceptionGroup) as caught:
            wrong.run()
        assert caught.value.exceptions[0].exc_type == "IllegalTaskOutputError"
    reports = {report.payload.split(":")[0]: report for report in engine.all("reports")}
    assert reports["NonRetryableException"].should_not_retry
    assert reports["RetryAfterException"].retry_after_ms == 2000
    assert not reports["ValueError"].should_not_retry


def test_bulk_with_exceptions_in_place(hatchet: Hatchet) -> None:
    @hatchet.task()
    async def odd_fails(input: Number, ctx: Context) -> Number:
        if input.value % 2:
            raise RuntimeError(str(input.value))
        return input

    items = [odd_fails.create_bulk_run_item(Number(value=n)) for n in range(6)]
    with working(hatchet.worker("w", workflows=[odd_fails])):
        results = odd_fails.run_many(items, return_exceptions=True)
        with pytest.raises(FailedTaskRunExceptionGroup):
            odd_fails.run_many(items)
    assert results[::2] == [Number(value=n) for n in (0, 2, 4)]
    for number, failed in zip((1, 3, 5), results[1::2], strict=True):
        assert isinstance(failed, FailedTaskRunExceptionGroup)
        assert isinstance(failed.exceptions[0], TaskRunError)
        assert failed.exceptions[0].exc == str(number)


def test_large_bulks_are_cut(engine: FakeEngine, make_client: Callable[..., Hatchet]) -> None:
    engine.assign = False
    hatchet = make_client(grpc_max_send_message_length=20_000)

    @hatchet.task()
    async def task(input: dict[str, Any], ctx: Context) -> None: ...

    assert len(task.run_many_no_wait([task.create_bulk_run_item({"a": 1})] * 150)) == 150
    long_item = task.create_bulk_run_item({"a": "x" * 8000})
    assert len(task.run_many_no_wait([long_item] * 5)) == 5
    sizes = [len(trigger.items) for trigger in engine.all("triggers")]
    assert sum(sizes) == 155
    assert sizes[-3:] == [2, 2, 1]

    hatchet = make_client()

    @hatchet.task(name="task")
    async def same(input: dict[str, Any], ctx: Context) -> None: ...

    engine.frames.clear()
    same.run_many_no_wait([same.create_bulk_run_item({"a": 1})] * 2500)
    assert [len(trigger.items) for trigger in engine.all("triggers")] == [1000, 1000, 500]


def test_refused_triggers(hatchet: Hatchet) -> None:
    unknown = hatchet.stubs.task(name="unknown-task", input_validator=Number)
    with pytest.raises(HatchetCallError, match="not found: unknown-task") as caught:
        unknown.run(Number(value=1))
    assert caught.value.code == "INVALID_ARGUMENT"
    with pytest.raises(TypeError, match="input must be"):
        unknown.run(7)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="null character"):
        hatchet.stubs.workflow(name="w", input_validator=dict).run_no_wait({"a": "\0"})
    with pytest.raises(ValueError, match="priority"):
        unknown.run(Number(value=1), priority=4)


def test_a_wait_can_time_out(engine: FakeEngine, hatchet: Hatchet) -> None:
    engine.assign = False
    ref = hatchet.stubs.workflow(name="slow").run_no_wait()
    with pytest.raises(TimeoutError):
        ref.result(timeout_s=0.05)
    with pytest.raises(TimeoutError):
        asyncio.run(ref.aio_result(timeout_s=0.05))
    engine.wait_for(lambda: len(engine.all("unsubscribe")) >= 2)
    with pytest.raises(ValueError, match="not a run id"):
        hatchet.runs.get_run_ref("nonsense").result()


def test_waiting_for_a_run_that_nobody_knows(hatchet: Hatchet) -> None:
    """Nobody would ever answer (python-sdk.md §23.2 no. 5)."""
    unknown = "00000000-0000-0000-0000-000000000001"
    task = hatchet.stubs.task(name="slow")
    with pytest.raises(HatchetCallError, match="NOT_FOUND"):
        hatchet.runs.get_run_ref(unknown).result()
    with pytest.raises(HatchetCallError, match="NOT_FOUND"):
        asyncio.run(hatchet.runs.get_run_ref(unknown).aio_result())
    with pytest.raises(HatchetCallError, match="NOT_FOUND"):
        task.get_result(unknown)
    with pytest.raises(HatchetCallError, match="NOT_FOUND"):
        asyncio.run(task.aio_get_result(unknown))


def test_cancelled_runs(engine: FakeEngine, hatchet: Hatchet) -> None:
    engine.assign = False
    ref = hatchet.stubs.workflow(name="slow").run_no_wait()
    frame = EngineFrame()
    (run_id,) = engine.runs
    frame.results.add(run_id=run_id, status=4)
    watching = threading.Thread(
        target=lambda: (
            engine.wait_for(lambda: run_id in engine.all("subscribe")),
            engine.call(lambda: [s.out.put_nowait(frame) for s in engine.streams]),
        )
    )
    watching.start()
    with pytest.raises(RunCancelledError) as caught:
        ref.result(timeout_s=10)
    watching.join()
    assert isinstance(caught.value, ValueError)
    assert isinstance(ref, WorkflowRunRef)


def test_children(engine: FakeEngine, hatchet: Hatchet) -> None:
    @hatchet.task()
    async def child(input: Number, ctx: Context) -> Number:
        return input

    @hatchet.task()
    async def parent(input: EmptyModel, ctx: Context) -> dict[str, Any]:
        first = await child.aio_run(Number(value=1))
        many = await child.aio_run_many(
            [child.create_bulk_run_item(Number(value=n), key=f"k{n}") for n in (2, 3)]
        )
        await child.aio_run_no_wait(Number(value=4), sticky=True, additional_metadata={"b": 2})
        return {"sum": first.value + sum(each.value for each in many)}

    @hatchet.task()
    def sync_parent(input: EmptyModel, ctx: Context) -> Number:
        assert hatchet.current_context is ctx
        return child.run(Number(value=5))

    with working(hatchet.worker("w", slots=4, workflows=[child, parent, sync_parent])) as worker:
        assert parent.run(additional_metadata={"a": 1}) == {"sum": 6}
        assert sync_parent.run() == Number(value=5)
        worker_id = worker.id
    items = [item for trigger in engine.all("triggers") for item in trigger.items]
    children = [item for item in items if item.parent_task_id][:4]
    assert [item.child_index for item in children] == [0, 1, 2, 3]
    assert [item.child_key for item in children] == ["", "k2", "k3", ""]
    assert [item.metadata for item in children] == ['{"a":1}'] * 3 + ['{"a":1,"b":2}']
    from uuid import UUID

    assert worker_id is not None
    assert children[3].desired_worker_id == UUID(worker_id).bytes
    assert hatchet.current_context is None


def test_blocking_waits_in_async_tasks(hatchet: Hatchet) -> None:
    @hatchet.task()
    async def async_child(input: EmptyModel, ctx: Context) -> None: ...

    @hatchet.task()
    def sync_child(input: EmptyModel, ctx: Context) -> Number:
        return Number(value=1)

    @hatchet.task()
    async def parent(input: EmptyModel, ctx: Context) -> dict[str, Any]:
        with pytest.raises(SyncWaitInAsyncTaskError, match="aio_run"):
            async_child.run()
        with pytest.raises(SyncWaitInAsyncTaskError):
            async_child.run_many([async_child.create_bulk_run_item()])
        ref = async_child.run_no_wait()
        with pytest.raises(SyncWaitInAsyncTaskError):
            ref.result()
        # Blocks the loop, but ends: the child runs in a thread.
        return {"value": sync_child.run().value}

    with working(hatchet.worker("w", workflows=[async_child, sync_child, parent])):
        assert parent.run() == {"value": 1}


seen: contextvars.ContextVar[str] = contextvars.ContextVar("seen", default="nothing")


def test_lifespan_and_context_variables(hatchet: Hatchet) -> None:
    events: list[str] = []

    async def lifespan() -> Any:
        seen.set("from the lifespan")
        events.append("open")
        yield {"pool": 1}
        events.append("close")

    @hatchet.task()
    async def in_loop(input: EmptyModel, ctx: Context) -> dict[str, Any]:
        return {"var": seen.get(), "lifespan": ctx.lifespan}

    @hatchet.task()
    def in_thread(input: EmptyModel, ctx: Context) -> dict[str, Any]:
        return {"var": seen.get(), "lifespan": ctx.lifespan}

    with working(hatchet.worker("w", workflows=[in_loop, in_thread], lifespan=lifespan)):
        for task in (in_loop, in_thread):
            assert task.run() == {"var": "from the lifespan", "lifespan": {"pool": 1}}
        assert events == ["open"]
    assert events == ["open", "close"]
