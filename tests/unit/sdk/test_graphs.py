"""Workflows of several tasks: declarations that are refused, and what a task sees of others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from hatchet import (
    Context,
    EmptyModel,
    Hatchet,
    ParentCondition,
    SleepCondition,
    TaskRunError,
    UserEventCondition,
    or_,
)
from hatchet._core.graph import find_cycle, leaves

from .conftest import working
from .fake_engine import FakeEngine


class Total(BaseModel):
    sum: int


async def nothing(input: EmptyModel, ctx: Context) -> None: ...


def run_task(engine: FakeEngine, flow: Any, name: str, context: dict[str, Any]) -> Any:
    """Let a worker run one task of a workflow with this context; its report."""
    engine.contexts[name] = context
    run_id = flow.run_no_wait()
    raw = next(key for key in engine.runs if key.hex() == str(run_id).replace("-", ""))
    engine.call(lambda: engine.assign_run(raw, 0, name))
    engine.wait_for(lambda: raw in engine.results)
    return engine.results[raw]


def test_what_a_task_sees_of_others(engine: FakeEngine, hatchet: Hatchet) -> None:
    engine.assign = False
    flow = hatchet.workflow(name="flow")

    @flow.task()
    async def add(input: EmptyModel, ctx: Context) -> Total:
        return Total(sum=1)

    @flow.task()
    async def other(input: EmptyModel, ctx: Context) -> Total:
        return Total(sum=1)

    seen: dict[str, Any] = {}

    @flow.task(
        parents=[add, other],
        wait_for=[or_(SleepCondition("1h"), UserEventCondition("go"))],
    )
    async def join(input: EmptyModel, ctx: Context) -> None:
        seen["sum"] = ctx.task_output(add).sum
        seen["skipped"] = (ctx.was_skipped(add), ctx.was_skipped(other))
        with pytest.raises(ValueError, match="'other' was skipped"):
            ctx.task_output(other)
        seen["triggers"], seen["payload"] = ctx.triggers, ctx.filter_payload
        seen["data"] = ctx.trigger_data

    @flow.on_failure_task()
    async def failed(input: EmptyModel, ctx: Context) -> None:
        seen["errors"] = ctx.task_run_errors
        seen["error"] = ctx.get_task_run_error(add)
        seen["none"] = (ctx.get_task_run_error(other), ctx.fetch_task_run_error(other))

    with working(hatchet.worker("w", workflows=[flow])):
        triggers = {"go": {"by": "Ada"}, "filter_payload": {"limit": 3}}
        parents = {"add": {"sum": 3}, "other": {"skipped": True}}
        context = {"parents": parents, "triggers": triggers, "triggered_by": "manual"}
        assert run_task(engine, flow, "join", context).kind == 2
        errors = {"add": "ValueError: bad\ntrace\n\n" + '{"__hatchet_error_metadata__": {}}'}
        assert run_task(engine, flow, "failed-on-failure", {"step_run_errors": errors}).kind == 2
    assert seen["sum"] == 3
    assert seen["skipped"] == (False, True)
    assert seen["triggers"] == {"go": {"by": "Ada"}}
    assert seen["payload"] == {"limit": 3}
    assert seen["data"] == triggers
    assert seen["errors"] == errors
    assert isinstance(seen["error"], TaskRunError)
    assert (seen["error"].exc_type, seen["error"].exc) == ("ValueError", "bad")
    assert seen["none"] == (None, None)


def test_a_run_that_an_event_started(engine: FakeEngine, hatchet: Hatchet) -> None:
    @hatchet.task(on_events=["order:*"])
    async def order(input: EmptyModel, ctx: Context) -> dict[str, Any]:
        return {
            "by": ctx.was_triggered_by_event,
            "event": [ctx.triggering_event_id, ctx.triggering_event_key],
        }

    with working(hatchet.worker("w", workflows=[order])):
        metadata = {"hatchet__event_id": "e1", "hatchet__event_key": "order:new"}
        result = order.run(additional_metadata=metadata)
        assert result == {"by": True, "event": ["e1", "order:new"]}
        assert order.run() == {"by": False, "event": [None, None]}


def test_conditions_are_the_same_at_every_start(hatchet: Hatchet) -> None:
    def declare() -> Any:
        flow = hatchet.workflow(name="flow")
        first = flow.task(name="first")(nothing)
        flow.task(
            name="second",
            parents=[first],
            wait_for=[ParentCondition(first, "output.ok")],
            skip_if=[ParentCondition(first, "output.ok"), ParentCondition(first)],
            cancel_if=[ParentCondition(first, "output.bad", readable_data_key="mine")],
        )(nothing)
        return flow.to_proto().tasks[1].conditions.parent_override_conditions

    keys = [[each.base.readable_data_key for each in declare()] for _ in range(2)]
    assert keys[0] == keys[1] == ["first:output.ok", "first:output.ok", "first", "mine"]


def test_conditions_that_cannot_work(hatchet: Hatchet) -> None:
    flow = hatchet.workflow(name="flow")
    first = flow.task(name="first")(nothing)
    with pytest.raises(ValueError, match=r"not in its `parents`"):
        flow.task(name="b", skip_if=[ParentCondition(first)])(nothing)
    with pytest.raises(TypeError, match="wait_for holds '10s'"):
        flow.task(name="b", wait_for=["10s"])(nothing)  # type: ignore[list-item]
    with pytest.raises(ValueError, match="not a duration: 'soon'"):
        SleepCondition("soon")
    for duration in ("0s", timedelta(0), timedelta(seconds=-1)):
        with pytest.raises(ValueError, match="must be positive"):
            SleepCondition(duration)
    with pytest.raises(ValueError, match="event_key"):
        UserEventCondition("")
    with pytest.raises(ValueError, match="at least one"):
        or_()
    twice = [UserEventCondition("a"), or_(UserEventCondition("a", "input.b"))]
    with pytest.raises(ValueError, match="two conditions have the readable_data_key 'a'"):
        flow.task(name="b", wait_for=twice)(nothing)
    since = datetime(2026, 1, 1, tzinfo=UTC)
    back = UserEventCondition("a", scope="s", consider_events_since=since)
    with pytest.warns(UserWarning, match="only durable waits look back"):
        flow.task(name="b", wait_for=[or_(back)])(nothing)
    [_, sent] = flow.to_proto().tasks
    [condition] = sent.conditions.user_event_conditions
    assert condition.consider_events_since.seconds == int(since.timestamp())


def test_graphs_that_cannot_work(hatchet: Hatchet) -> None:
    flow = hatchet.workflow(name="flow")
    with pytest.raises(ValueError, match="has no tasks"):
        flow.to_proto()
    first = flow.task(name="first")(nothing)
    with pytest.raises(ValueError, match="'first' twice"):
        flow.task(name="b", parents=[first, first])(nothing)
    with pytest.raises(ValueError, match="not 'first'"):
        flow.task(name="b", parents=["first"])(nothing)  # type: ignore[list-item]
    second = flow.task(name="second", parents=[first])(nothing)
    first.parents.append(second)
    with pytest.raises(ValueError, match="wait for each other: first -> second -> first"):
        flow.to_proto()
    first.parents[:] = [hatchet.workflow(name="else").task(name="stranger")(nothing)]
    with pytest.raises(ValueError, match="parent 'stranger', which is no task of this workflow"):
        flow.to_proto()
    with pytest.raises(ValueError, match="execution_timeout is not a duration: '5 sec'"):
        flow.task(name="b", execution_timeout="5 sec")(nothing)
    with pytest.raises(ValueError, match="schedule_timeout must be positive, not 0s"):
        flow.task(name="b", schedule_timeout="0s")(nothing)
    with pytest.raises(TypeError, match=r"on_events=\['order'\]"):
        hatchet.workflow(name="w", on_events="order")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="empty key"):
        hatchet.workflow(name="w", on_events=[""])


@pytest.mark.parametrize(
    ("parents", "cycle"),
    [
        ({}, None),
        ({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}, None),
        ({"a": ["a"]}, ["a", "a"]),
        ({"a": [], "b": ["a", "d"], "c": ["b"], "d": ["c"]}, ["b", "d", "c", "b"]),
    ],
)
def test_cycles(parents: dict[str, list[str]], cycle: list[str] | None) -> None:
    assert find_cycle(parents) == cycle


def test_a_long_chain_is_no_problem() -> None:
    names = [str(number) for number in range(5000)]
    chain = {name: names[i + 1 : i + 2] for i, name in enumerate(names)}
    assert find_cycle(chain) is None
    assert leaves(chain) == ["0"]


def test_outputs_of_a_run(engine: FakeEngine, make_client: Callable[..., Hatchet]) -> None:
    """All tasks by name; one without output is None."""
    from hatchet_protocol.session import EngineFrame

    engine.assign = False
    ref = make_client().stubs.workflow(name="flow").run_no_wait()
    (run_id,) = engine.runs
    frame = EngineFrame()
    result = frame.results.add(run_id=run_id, status=2)
    result.tasks.add(task_id=b"a" * 16, task_name="add", status=2, output='{"sum":3}')
    result.tasks.add(task_id=b"b" * 16, task_name="join", status=2)

    def answer(stream: Any, incoming: Any) -> None:
        if run_id in incoming.subscribe:
            stream.out.put_nowait(frame)

    engine.on_frame = answer
    assert ref.result(timeout_s=10) == {"add": {"sum": 3}, "join": None}
