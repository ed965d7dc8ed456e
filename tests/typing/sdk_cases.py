"""What the type checker must know about programs that use the SDK. Never run, only checked.

Each `type: ignore[...]` is an expected error: mypy reports those that are not needed.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, TypedDict, assert_type

from pydantic import BaseModel

from hatchet import (
    BatchContext,
    BatchMemberId,
    Context,
    Cron,
    CronWorkflows,
    Depends,
    DurableContext,
    EmptyModel,
    Hatchet,
    Overlap,
    ParentCondition,
    RunEventListener,
    ScheduledWorkflows,
    SleepCondition,
    StepRunEvent,
    TaskRunError,
    TaskRunRef,
    UserEventCondition,
    V1EventList,
    V1Filter,
    WorkflowRunRef,
    or_,
)
from hatchet.clients.events import Event
from hatchet.features.models import V1TaskSummary, V1TaskSummaryList
from hatchet.runnables.task import Task
from hatchet.runnables.workflow import Standalone, Workflow

hatchet = Hatchet()


class Name(BaseModel):
    name: str


class Greeting(BaseModel):
    text: str


class Row(TypedDict):
    id: int


# --- standalone tasks carry input and output ------------------------------------------------


@hatchet.task()
async def greet(input: Name, ctx: Context) -> Greeting:
    return Greeting(text=input.name)


@hatchet.task(name="greet", input_validator=Name, retries=3)
def greet_sync(input: Name, ctx: Context) -> Greeting:
    return Greeting(text=input.name)


@hatchet.task()
async def rows(input: Row, ctx: Context) -> dict[str, int]:
    return {"id": input["id"]}


@hatchet.task()
async def nothing(input: EmptyModel, ctx: Context) -> None: ...


@hatchet.durable_task(input_validator=Name)
async def durable(input: Name, ctx: DurableContext) -> Greeting:
    return Greeting(text=input.name)


assert_type(greet, Standalone[Name, Greeting])
assert_type(greet_sync, Standalone[Name, Greeting])
assert_type(rows, Standalone[Row, dict[str, int]])
assert_type(nothing, Standalone[EmptyModel, None])
assert_type(durable, Standalone[Name, Greeting])

assert_type(greet.run(Name(name="a")), Greeting)
assert_type(greet.run(Name(name="a"), priority=3, additional_metadata={"a": 1}), Greeting)
assert_type(greet.run(Name(name="a"), wait_for_result=False), TaskRunRef[Name, Greeting])
assert_type(greet.run_no_wait(Name(name="a")), TaskRunRef[Name, Greeting])
assert_type(greet.run_no_wait(Name(name="a")).result(), Greeting)
assert_type(greet.run_no_wait(Name(name="a")).result(timeout_s=5), Greeting)
assert_type(greet.run_many([greet.create_bulk_run_item(Name(name="a"))]), list[Greeting])
assert_type(greet.run_many([], return_exceptions=True), list[Greeting | BaseException])
assert_type(greet.run_many([], wait_for_result=False), list[TaskRunRef[Name, Greeting]])
assert_type(greet.run_many_no_wait([]), list[TaskRunRef[Name, Greeting]])
assert_type(greet.get_result("id"), Greeting)
assert_type(greet_sync.mock_run(Name(name="a")), Greeting)
assert_type(rows.run({"id": 1}), dict[str, int])
nothing.run()


async def in_async_code() -> None:
    assert_type(await greet.aio_run(Name(name="a")), Greeting)
    ref = await greet.aio_run_no_wait(Name(name="a"))
    assert_type(ref, TaskRunRef[Name, Greeting])
    assert_type(await ref.aio_result(), Greeting)
    assert_type(await greet.aio_run_many([]), list[Greeting])
    assert_type(
        await greet.aio_run(Name(name="a"), wait_for_result=False), TaskRunRef[Name, Greeting]
    )
    assert_type(await greet.aio_mock_run(Name(name="a")), Greeting)


# --- workflows ------------------------------------------------------------------------------

flow = hatchet.workflow(name="flow", input_validator=Name)
bare = hatchet.workflow(name="bare")
assert_type(flow, Workflow[Name])
assert_type(bare, Workflow[EmptyModel])


@flow.task()
async def first(input: Name, ctx: Context) -> Greeting:
    return Greeting(text=input.name)


@flow.task(parents=[first])
def second(input: Name, ctx: Context) -> dict[str, str]:
    assert_type(ctx.task_output(first), Greeting)
    return {"text": ctx.task_output(first).text}


assert_type(first, Task[Name, Greeting])
assert_type(flow.add_task(greet), Task[Name, Greeting])
assert_type(second, Task[Name, dict[str, str]])
assert_type(flow.run(Name(name="a")), dict[str, Any])
assert_type(flow.run_no_wait(Name(name="a")), WorkflowRunRef)
assert_type(flow.run_many_no_wait([]), list[WorkflowRunRef])

# --- graphs, dependencies, children, events, streams -----------------------------------------


def connection(input: Name, ctx: Context) -> Iterator[str]:
    yield input.name


@flow.task(
    parents=[first, second],
    wait_for=[or_(SleepCondition("10s"), UserEventCondition("go", "input.ok"))],
    skip_if=[ParentCondition(first, "output.text == ''")],
)
async def third(
    input: Name, ctx: Context, db: Annotated[str, Depends(connection)]
) -> dict[str, Any]:
    assert_type(ctx.task_output(second), dict[str, str])
    assert_type(ctx.was_skipped(first), bool)
    assert_type(ctx.triggers, dict[str, Any])
    child = await greet.aio_run(input, key="a", sticky=True, additional_metadata={"a": 1})
    assert_type(child, Greeting)
    await ctx.aio_put_stream("chunk")
    return {}


@flow.on_failure_task()
async def failed(input: Name, ctx: Context) -> None:
    assert_type(ctx.get_task_run_error(first), TaskRunError | None)


assert_type(third, Task[Name, dict[str, Any]])
assert_type(hatchet.event.push("a", {"b": 1}), Event)
assert_type(hatchet.event.list(keys=["a"]), V1EventList)
assert_type(hatchet.filters.create("w", "true", "s"), V1Filter)
assert_type(flow.create_filter("true", "s"), V1Filter)
assert_type(flow.run_no_wait(Name(name="a")).stream(), RunEventListener)
hatchet.runs.cancel("id", children=True)
assert_type(hatchet.runs.list(None, True, limit=1, worker_id="w"), V1TaskSummaryList)
assert_type(flow.list_runs(limit=1, only_tasks=True), list[V1TaskSummary])


async def follow() -> None:
    async for chunk in hatchet.runs.subscribe_to_stream("id"):
        assert_type(chunk, str)
    async for event in greet.run_no_wait(Name(name="a")).stream():
        assert_type(event, StepRunEvent)
    assert_type(await hatchet.event.aio_bulk_push([]), list[Event])


# --- stubs ----------------------------------------------------------------------------------

remote = hatchet.stubs.task(name="r", input_validator=Name, output_validator=Greeting)
assert_type(remote.run(Name(name="a")), Greeting)

# --- mistakes that must be found ------------------------------------------------------------

greet.run(Greeting(text="a"))  # type: ignore[call-overload]
greet.run({"name": "a"})  # type: ignore[call-overload]
greet.run_no_wait("a")  # type: ignore[arg-type]
hatchet.runs.list(workflow_id="w")  # type: ignore[call-arg]
hatchet.event.list(scope="s")  # type: ignore[call-arg]
hatchet.workflow(name="w", retries=3)  # type: ignore[call-overload]
hatchet.task(on_events="a")  # type: ignore[call-overload]
greet.create_bulk_run_item(Greeting(text="a"))  # type: ignore[arg-type]
greet.run(Name(name="a"), priorty=3)  # type: ignore[call-overload]
greet.run_no_wait(Name(name="a"), priority="high")  # type: ignore[arg-type]
rows.run({"id": "one"})  # type: ignore[call-overload]


@flow.task(parents=[greet])  # type: ignore[list-item]
async def wrong_parent(input: Name, ctx: Context) -> None: ...


@flow.task(wait_for=["10s"])  # type: ignore[list-item]
async def wrong_condition(input: Name, ctx: Context) -> None: ...


@hatchet.task(input_validator=Name)  # type: ignore[arg-type]
async def other_input(input: Greeting, ctx: Context) -> None: ...


@flow.task()  # type: ignore[arg-type]
async def other_flow_input(input: Greeting, ctx: Context) -> None: ...


@hatchet.task()  # type: ignore[arg-type]
async def no_context(input: Name) -> None: ...


@hatchet.task(retires=3)  # type: ignore[call-overload, untyped-decorator]
async def misspelt(input: Name, ctx: Context) -> None: ...


def crons_and_schedules() -> None:
    cron = Cron("0 3 * * *", zone="Europe/Berlin", overlap=Overlap.SKIP)
    hatchet.task(on_crons=[cron, "* * * * *"])
    assert_type(hatchet.cron.create("a", "b", cron), CronWorkflows)
    assert_type(hatchet.cron.preview(cron), list[datetime])
    assert_type(hatchet.scheduled.create("a", datetime.now(UTC)), ScheduledWorkflows)
    hatchet.cron.create("a", "b", 5)  # type: ignore[arg-type]
    hatchet.scheduled.list(statuses=["SCHEDULED"])  # type: ignore[list-item]


# --- batch tasks: many inputs in, a result for each out -----------------------------------------


@hatchet.batch_task(batch_max_size=3)
async def greet_all(
    inputs: dict[BatchMemberId, Name], ctx: BatchContext
) -> dict[BatchMemberId, Greeting]:
    return {id: Greeting(text=one.name) for id, one in inputs.items()}


@hatchet.batch_task(batch_max_size=3)
def greet_some(inputs: dict[BatchMemberId, Name], ctx: Context) -> list[Greeting]:
    return [Greeting(text=one.name) for one in inputs.values()]


@hatchet.batch_task(batch_max_size=3, broadcast_output=True)
async def greet_together(inputs: dict[BatchMemberId, Name], ctx: Context) -> Greeting:
    return Greeting(text=str(len(inputs)))


assert_type(greet_all, Standalone[Name, Greeting])
assert_type(greet_some, Standalone[Name, Greeting])
assert_type(greet_together, Standalone[Name, Greeting])
assert_type(greet_all.run(Name(name="Ada")), Greeting)

batched = hatchet.workflow(name="batched", input_validator=Name)


@batched.batch_task(batch_max_size=3)
def greet_members(
    inputs: dict[BatchMemberId, Name], ctx: BatchContext
) -> dict[BatchMemberId, Greeting]:
    return {}


assert_type(greet_members, Task[Name, Greeting])


@hatchet.batch_task(batch_max_size=3)  # type: ignore[arg-type]
async def no_results(inputs: dict[BatchMemberId, Name], ctx: Context) -> int:
    return 1
