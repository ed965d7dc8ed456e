"""Batch tasks in the SDK (BA-*)."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from hatchet import (
    BatchContext,
    BatchMemberId,
    Context,
    Hatchet,
    NonRetryableException,
    RetryAfterException,
    Task,
)
from hatchet._run import executor
from hatchet_protocol.session import EngineFrame

from .conftest import working
from .fake_engine import FakeEngine

COMPLETED, FAILED, CANCELLED = 2, 3, 4


class Number(BaseModel):
    n: int


class Double(BaseModel):
    n: int


Numbers = dict[BatchMemberId, Number]
Doubles = dict[BatchMemberId, Double]


def ids(count: int) -> list[bytes]:
    return [os.urandom(16) for _ in range(count)]


def frame_of(members: list[bytes], action: str, inputs: list[str] | None = None) -> EngineFrame:
    frame = EngineFrame()
    batch = frame.batches.add(id=b"b" * 16, action=action, key="k", reason="it is full")
    for at, task_id in enumerate(members):
        batch.assignments.add(
            task_id=task_id,
            run_id=task_id,
            action=action,
            task_name=action.partition(":")[2],
            input=inputs[at] if inputs else f'{{"n":{at}}}',
            metadata=f'{{"at":{at}}}',
        )
    return frame


def reports(engine: FakeEngine, members: list[bytes]) -> list[Any]:
    """What was reported of each, once all are there."""

    def found() -> list[Any] | None:
        by_id = {report.task_id: report for report in engine.all("reports")}
        return [by_id[id] for id in members] if by_id.keys() >= set(members) else None

    reported: list[Any] = engine.wait_for(found)
    return reported


def run_batch(
    engine: FakeEngine, hatchet: Hatchet, task: Any, count: int = 3, **options: Any
) -> list[Any]:
    members = ids(count)
    with working(hatchet.worker("w", workflows=[task])):
        engine.send(frame_of(members, task._task.action, **options))
        return reports(engine, members)


def test_ba_1_one_call_for_all(engine: FakeEngine, hatchet: Hatchet) -> None:
    seen: list[Any] = []

    @hatchet.batch_task(batch_max_size=3)
    async def double(inputs: Numbers, ctx: BatchContext) -> Doubles:
        seen.append((list(inputs), ctx))
        return {id: Double(n=one.n * 2) for id, one in inputs.items()}

    found = run_batch(engine, hatchet, double)
    assert [(one.kind, one.payload) for one in found] == [
        (COMPLETED, '{"n":0}'),
        (COMPLETED, '{"n":2}'),
        (COMPLETED, '{"n":4}'),
    ]
    ((keys, ctx),) = seen
    assert list(ctx.members) == keys
    assert (ctx.batch_key, ctx.flush_reason) == ("k", "it is full")
    assert [one.additional_metadata for one in ctx.members.values()] == [
        {"at": 0},
        {"at": 1},
        {"at": 2},
    ]
    assert ctx.task_run_id == keys[0]


def test_a_sync_function_and_a_list(engine: FakeEngine, hatchet: Hatchet) -> None:
    @hatchet.batch_task(batch_max_size=3)
    def double(inputs: Numbers, ctx: Context) -> list[Double]:
        return [Double(n=one.n * 2) for one in inputs.values()]

    found = run_batch(engine, hatchet, double)
    assert [one.payload for one in found] == ['{"n":0}', '{"n":2}', '{"n":4}']


def test_ba_6_broadcast(engine: FakeEngine, hatchet: Hatchet) -> None:
    @hatchet.batch_task(batch_max_size=3, broadcast_output=True)
    async def total(inputs: Numbers, ctx: Context) -> Double:
        return Double(n=sum(one.n for one in inputs.values()))

    found = run_batch(engine, hatchet, total)
    assert [(one.kind, one.payload) for one in found] == [(COMPLETED, '{"n":3}')] * 3


def test_ba_6_a_missing_result_fails_that_member(engine: FakeEngine, hatchet: Hatchet) -> None:
    @hatchet.batch_task(batch_max_size=3)
    async def double(inputs: Numbers, ctx: Context) -> Doubles:
        return {id: Double(n=one.n) for id, one in inputs.items() if one.n != 1}

    found = run_batch(engine, hatchet, double)
    assert [one.kind for one in found] == [COMPLETED, FAILED, COMPLETED]
    assert "returned no result for member" in found[1].payload


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"somebody": None}, "none of its members: 'somebody'"),
        ([1, 2], "returned 2 results for 3 inputs"),
        (7, "not int. For one output for all: broadcast_output=True"),
        (None, "not NoneType"),
    ],
)
def test_ba_6_results_that_fit_nobody(
    engine: FakeEngine, hatchet: Hatchet, result: Any, words: str
) -> None:
    @hatchet.batch_task(batch_max_size=3)
    async def double(inputs: Numbers, ctx: Context) -> Any:
        return result

    for report in run_batch(engine, hatchet, double):
        assert report.kind == FAILED
        assert words in report.payload


def test_errors_in_place_of_results(
    engine: FakeEngine, hatchet: Hatchet, caplog: pytest.LogCaptureFixture
) -> None:
    @hatchet.batch_task(batch_max_size=4, retries=1)
    async def double(inputs: Numbers, ctx: Context) -> dict[BatchMemberId, Double | Exception]:
        ends = [
            Double(n=1),
            ValueError("odd"),
            NonRetryableException("never"),
            RetryAfterException("later", after=timedelta(seconds=5)),
        ]
        return dict(zip(inputs, ends, strict=True))

    found = run_batch(engine, hatchet, double, 4)
    assert [one.kind for one in found] == [COMPLETED, FAILED, FAILED, FAILED]
    assert "odd" in found[1].payload
    assert [one.should_not_retry for one in found] == [False, False, True, False]
    assert found[3].retry_after_ms == 5_000


def test_what_is_raised_fails_all_and_is_logged_once(
    engine: FakeEngine, hatchet: Hatchet, caplog: pytest.LogCaptureFixture
) -> None:
    @hatchet.batch_task(batch_max_size=3)
    def double(inputs: Numbers, ctx: Context) -> Doubles:
        raise ValueError("the model is away")

    for report in run_batch(engine, hatchet, double):
        assert report.kind == FAILED
        assert "the model is away" in report.payload
    assert sum("failed" in record.message for record in caplog.records) == 1


def test_an_input_that_can_not_be_read_fails_alone(engine: FakeEngine, hatchet: Hatchet) -> None:
    @hatchet.batch_task(batch_max_size=3)
    async def double(inputs: Numbers, ctx: Context) -> Doubles:
        return {id: Double(n=len(inputs)) for id in inputs}

    found = run_batch(engine, hatchet, double, inputs=['{"n":1}', '{"n":"x"}', '{"n":3}'])
    assert [one.kind for one in found] == [COMPLETED, FAILED, COMPLETED]
    assert found[0].payload == '{"n":2}'


def test_ba_7_cancel_from_inside(engine: FakeEngine, hatchet: Hatchet) -> None:
    @hatchet.batch_task(batch_max_size=3)
    async def double(inputs: Numbers, ctx: BatchContext) -> Doubles:
        await ctx.aio_cancel()
        return {id: Double(n=1) for id in inputs}

    assert [one.kind for one in run_batch(engine, hatchet, double)] == [CANCELLED] * 3


def test_ba_8_a_cancelled_member_leaves_the_others(
    engine: FakeEngine, hatchet: Hatchet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "CANCEL_GRACE_S", 0.0)
    running, go_on = threading.Event(), threading.Event()
    seen: list[Any] = []

    @hatchet.batch_task(batch_max_size=3)
    async def double(inputs: Numbers, ctx: BatchContext) -> Doubles:
        running.set()
        await asyncio.to_thread(go_on.wait, 10)
        seen.append((ctx.is_cancelled, [m.is_cancelled for m in ctx.members.values()]))
        seen.append(ctx.task_run_id == list(inputs)[1])
        return {id: Double(n=1) for id in inputs}

    members = ids(3)
    with working(hatchet.worker("w", workflows=[double])) as worker:
        engine.send(frame_of(members, "double:double"))
        assert running.wait(10)
        frame = EngineFrame()
        frame.cancellations.add(task_id=members[0], attempt=0, reason="by the test")
        engine.send(frame)
        served = next(iter(worker._executor.running.values())).batch.context
        while served.task_run_id == str(UUID(bytes=members[0])):
            time.sleep(0.001)  # the loop of the worker takes it out; nobody tells
        go_on.set()
        found = reports(engine, members[1:])
    assert [one.kind for one in found] == [COMPLETED, COMPLETED]
    assert seen == [(False, [True, False, False]), True]
    assert not any(one.task_id == members[0] for one in engine.all("reports"))


def test_ba_8_the_call_is_cancelled_with_the_last(
    engine: FakeEngine, hatchet: Hatchet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "CANCEL_GRACE_S", 0.0)
    running, cancelled = threading.Event(), threading.Event()

    @hatchet.batch_task(batch_max_size=3)
    async def double(inputs: Numbers, ctx: BatchContext) -> Doubles:
        running.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return {}

    members = ids(3)
    with working(hatchet.worker("w", workflows=[double])):
        engine.send(frame_of(members, "double:double"))
        assert running.wait(10)
        frame = EngineFrame()
        for task_id in members:
            frame.cancellations.add(task_id=task_id, attempt=0, reason="by the test")
        engine.send(frame)
        assert cancelled.wait(10)


def test_ba_11_children_of_the_first_member_or_of_one(engine: FakeEngine, hatchet: Hatchet) -> None:
    @hatchet.task()
    async def child(input: Number, ctx: Context) -> Double:
        return Double(n=input.n)

    @hatchet.batch_task(batch_max_size=3)
    async def double(inputs: Numbers, ctx: BatchContext) -> Doubles:
        await child.aio_run(Number(n=1))
        for member in ctx.members.values():
            with member.as_current():
                await child.aio_run(Number(n=2))
        return {id: Double(n=1) for id in inputs}

    members = ids(3)
    with working(hatchet.worker("w", workflows=[double, child])):
        engine.send(frame_of(members, "double:double"))
        reports(engine, members)
    spawned = [(one.parent_task_id, one.child_index) for one in engine.runs.values()]
    first, second, third = members
    assert spawned == [(first, 0), (first, 1), (second, 0), (third, 0)]


def test_a_batch_delivered_twice_runs_once(engine: FakeEngine, hatchet: Hatchet) -> None:
    calls: list[int] = []
    go_on = threading.Event()

    @hatchet.batch_task(batch_max_size=3)
    def double(inputs: Numbers, ctx: Context) -> Doubles:
        calls.append(len(inputs))
        go_on.wait(10)
        return {id: Double(n=1) for id in inputs}

    members = ids(3)
    with working(hatchet.worker("w", workflows=[double])):
        engine.send(frame_of(members, "double:double"))
        engine.send(frame_of(members, "double:double"))
        go_on.set()
        reports(engine, members)
    assert calls == [3]


def test_registration(hatchet: Hatchet) -> None:
    @hatchet.batch_task(
        batch_max_size=10,
        batch_max_interval=timedelta(milliseconds=200),
        batch_group_key="input.k",
        batch_group_max_runs=2,
        broadcast_output=True,
    )
    async def one(inputs: Numbers, ctx: Context) -> Double: ...

    flow = hatchet.workflow(name="flow", input_validator=Number)

    @flow.task()
    async def first(input: Number, ctx: Context) -> Double: ...

    @flow.batch_task(batch_max_size=5, parents=[first], retries=2)
    async def second(inputs: Numbers, ctx: Context) -> Doubles: ...

    batch = one.to_proto().tasks[0].batch
    assert (batch.batch_max_size, batch.batch_max_interval_ms) == (10, 200)
    assert (batch.batch_group_key, batch.batch_group_max_runs) == ("input.k", 2)
    assert batch.broadcast_output
    assert one.input_validator_type is Number
    assert one.output_validator_type is Double
    message = flow.to_proto().tasks[1]
    assert (message.batch.batch_max_size, message.retries) == (5, 2)
    assert not message.batch.HasField("batch_max_interval_ms")
    assert list(message.parents) == ["first"]
    assert isinstance(second, Task)
    assert second.output_validator_type is Double


@pytest.mark.parametrize(
    ("option", "good", "bad"),
    [
        ("batch_max_size", (1, 100_000), (0, 100_001)),
        ("batch_group_max_runs", (1, 10_000), (0, 10_001)),
        (
            "batch_max_interval",
            (timedelta(milliseconds=1), timedelta(days=1)),
            (timedelta(0), timedelta(days=1, milliseconds=1)),
        ),
    ],
)
def test_options_at_their_edges(
    make_client: Callable[..., Hatchet], option: str, good: Any, bad: Any
) -> None:
    hatchet = make_client()
    for value in good:
        hatchet.batch_task(**{"batch_max_size": 2, option: value})
    for value in bad:
        with pytest.raises(ValueError, match=option):
            hatchet.batch_task(**{"batch_max_size": 2, option: value})


def test_mistakes_in_the_declaration(hatchet: Hatchet) -> None:
    with pytest.raises(TypeError, match="slot_cost"):
        hatchet.batch_task(slot_cost=2)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="needs batch_max_size="):
        hatchet.workflow(name="flow").batch_task()
    with pytest.raises(TypeError, match="keywords only"):
        hatchet.batch_task("name")  # type: ignore[call-overload]


def test_mock_run(hatchet: Hatchet) -> None:
    @hatchet.batch_task(batch_max_size=3)
    def double(inputs: Numbers, ctx: BatchContext) -> Doubles:
        return {id: Double(n=one.n * 2 + len(ctx.members)) for id, one in inputs.items()}

    @hatchet.batch_task(batch_max_size=3)
    async def fails(inputs: Numbers, ctx: BatchContext) -> list[Double | Exception]:
        return [ValueError("odd")]

    assert double.mock_run(Number(n=3)) == Double(n=7)
    with pytest.raises(ValueError, match="odd"):
        asyncio.run(fails.aio_mock_run(Number(n=3)))
