"""`Depends`: every kind of dependency, in async and sync tasks, and the mistakes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from pydantic import BaseModel

from hatchet import (
    Context,
    Depends,
    EmptyModel,
    FailedTaskRunExceptionGroup,
    Hatchet,
    InvalidDependencyError,
)
from hatchet.runnables.dependencies import Dependency, aio_call

from .conftest import working
from .fake_engine import FakeEngine

if TYPE_CHECKING:
    NoSuchType = Any


class Order(BaseModel):
    id: int = 1


events: list[str] = []


def plain(input: Order, ctx: Context) -> int:
    events.append("thread" if threading.current_thread().name.startswith("hatchet") else "loop")
    return input.id


async def later(input: Order, ctx: Context, number: Annotated[int, Depends(plain)]) -> str:
    await asyncio.sleep(0)
    return f"{ctx.task_name}-{number}"


def generator(input: Order, ctx: Context) -> Iterator[str]:
    events.append("open g")
    try:
        yield "g"
    except ValueError as error:
        events.append(f"g saw {error}")
        raise
    finally:
        events.append("close g")


async def async_generator(input: Order, ctx: Context) -> AsyncIterator[str]:
    events.append("open ag")
    try:
        yield "ag"
    finally:
        events.append("close ag")


class Swallows(contextlib.AbstractContextManager["Swallows"]):
    def __exit__(self, *error: Any) -> bool:
        events.append("close m")
        return True


def manager(input: Order, ctx: Context) -> Swallows:
    return Swallows()


class AsyncManager:
    async def __aenter__(self) -> str:
        events.append("open am")
        return "am"

    async def __aexit__(self, *error: Any) -> None:
        events.append("close am")


async def async_manager(input: Order, ctx: Context) -> AsyncManager:
    return AsyncManager()


@pytest.fixture(autouse=True)
def no_events() -> None:
    events.clear()


def everything(
    input: Order,
    ctx: Context,
    number: Annotated[int, Depends(plain)],
    text: Annotated[str, Depends(later)],
    g: Annotated[str, Depends(generator)],
    ag: Annotated[str, Depends(async_generator)],
    m: Annotated[Swallows, Depends(manager)],
    am: Annotated[str, Depends(async_manager)],
    extra: int = 5,
) -> dict[str, Any]:
    if input.id == 13:
        raise ValueError("unlucky")
    return {"all": [number, text, g, ag, type(m).__name__, am, extra]}


@pytest.mark.parametrize("is_async", [True, False])
def test_every_kind(hatchet: Hatchet, engine: FakeEngine, is_async: bool) -> None:
    if is_async:

        @hatchet.task(name="task")
        async def task(
            input: Order,
            ctx: Context,
            number: Annotated[int, Depends(plain)],
            text: Annotated[str, Depends(later)],
            g: Annotated[str, Depends(generator)],
            ag: Annotated[str, Depends(async_generator)],
            m: Annotated[Swallows, Depends(manager)],
            am: Annotated[str, Depends(async_manager)],
            extra: int = 5,
        ) -> dict[str, Any]:
            return everything(input, ctx, number, text, g, ag, m, am, extra)

    else:
        task = hatchet.task(name="task")(everything)

    with working(hatchet.worker("w", workflows=[task])):
        assert task.run(Order(id=4)) == {"all": [4, "task-4", "g", "ag", "Swallows", "am", 5]}
        opened = ["thread", "thread", "open g", "open ag", "open am"]
        closed = ["close am", "close m", "close ag"]
        assert events == [*opened, *closed, "close g"]
        events.clear()
        with pytest.raises(FailedTaskRunExceptionGroup, match="unlucky"):
            task.run(Order(id=13))
        # Swallowing an exception hides it from those outside, but the task has failed.
        assert events == [*opened, *closed, "close g"]


def test_a_manager_sees_the_exception(hatchet: Hatchet) -> None:
    @hatchet.task()
    async def task(input: Order, ctx: Context, g: Annotated[str, Depends(generator)]) -> None:
        raise ValueError("it")

    @hatchet.task()
    def sync_task(input: Order, ctx: Context, g: Annotated[str, Depends(generator)]) -> None:
        raise ValueError("it")

    with working(hatchet.worker("w", workflows=[task, sync_task])):
        for each in (task, sync_task):
            with pytest.raises(FailedTaskRunExceptionGroup):
                each.run(Order())
    assert events == ["open g", "g saw it", "close g"] * 2


def test_a_dependency_that_fails(hatchet: Hatchet) -> None:
    def fails(input: Order, ctx: Context) -> int:
        raise StopIteration("no more")

    @hatchet.task()
    async def task(
        input: Order,
        ctx: Context,
        g: Annotated[str, Depends(generator)],
        n: Annotated[int, Depends(fails)],
    ) -> None: ...

    with (
        working(hatchet.worker("w", workflows=[task])),
        pytest.raises(FailedTaskRunExceptionGroup, match="no more"),
    ):
        task.run(Order())
    assert events == ["open g", "close g"]


def test_children_of_dependencies_belong_to_the_task(hatchet: Hatchet, engine: FakeEngine) -> None:
    @hatchet.task()
    async def child(input: EmptyModel, ctx: Context) -> None: ...

    def spawns(input: Order, ctx: Context) -> str:
        return str(child.run_no_wait())

    @hatchet.task()
    async def task(input: Order, ctx: Context, i: Annotated[str, Depends(spawns)]) -> None:
        await child.aio_run_no_wait()

    with working(hatchet.worker("w", workflows=[task, child])):
        task.run(Order())
    items = [item for trigger in engine.all("triggers") for item in trigger.items]
    assert [item.child_index for item in items if item.parent_task_id] == [0, 1]


def test_mock_runs_take_values(hatchet: Hatchet) -> None:
    @hatchet.task()
    async def task(
        input: Order, ctx: Context, db: Annotated[str, Depends(later)], extra: int = 2
    ) -> dict[str, Any]:
        return {"db": db, "extra": extra}

    @hatchet.task()
    def sync_task(input: Order, ctx: Context, db: Annotated[str, Depends(plain)]) -> dict[str, Any]:
        return {"db": db}

    mocked = asyncio.run(task.aio_mock_run(Order(), dependencies={"db": "fake"}))
    assert mocked == {"db": "fake", "extra": 2}
    assert sync_task.mock_run(Order(), dependencies={"db": 1}) == {"db": 1}
    with pytest.raises(TypeError, match=r"dependencies=\{'db': ...\}"):
        sync_task.mock_run(Order())
    assert events == []


def test_a_type_that_only_the_type_checker_knows(hatchet: Hatchet) -> None:
    def task(
        input: Order, ctx: Context, db: Annotated[NoSuchType, Depends(plain)]
    ) -> dict[str, Any]:
        return {"db": db}

    declared = hatchet.task()(task)
    with working(hatchet.worker("w", workflows=[declared])):
        assert declared.run(Order(id=3)) == {"db": 3}


def test_mistakes(hatchet: Hatchet) -> None:
    def no_context(input: Order) -> int:
        return 1

    with pytest.raises(InvalidDependencyError, match="'no_context' must take two"):
        Depends(no_context)

    def unmarked(input: Order, ctx: Context, db: str) -> None: ...

    with pytest.raises(InvalidDependencyError, match="parameter 'db' a value"):
        hatchet.task()(unmarked)

    def inner(input: Order, ctx: Context, missing: str) -> str:
        return missing

    def outer(input: Order, ctx: Context, x: Annotated[str, Depends(inner)]) -> None: ...

    with pytest.raises(InvalidDependencyError, match="dependency 'inner': nothing gives"):
        hatchet.task()(outer)


def test_cycles(hatchet: Hatchet) -> None:
    class Again:
        """Two of the same name are no cycle; one that needs itself is."""

        def __init__(self) -> None:
            self.__name__ = "again"

        def __call__(self, input: Order, ctx: Context, x: Any = None) -> int:
            return 1

    one, two = Again(), Again()

    def fine(
        input: Order,
        ctx: Context,
        a: Annotated[int, Depends(one)],
        b: Annotated[int, Depends(two)],
    ) -> dict[str, int]:
        return {"sum": a + b}

    hatchet.task(name="fine")(fine)

    def left(input: Order, ctx: Context, x: int) -> int:
        return x

    def right(input: Order, ctx: Context, x: Annotated[int, Depends(left)]) -> int:
        return x

    left.__annotations__["x"] = Annotated[int, Depends(right)]

    def task(input: Order, ctx: Context, x: Annotated[int, Depends(left)]) -> None: ...

    with pytest.raises(InvalidDependencyError, match="left -> right -> left"):
        hatchet.task()(task)


@pytest.mark.parametrize("succeeds", [True, False])
def test_a_task_that_is_cancelled_while_a_dependency_opens(succeeds: bool) -> None:
    """The thread can't be stopped: what it has opened in the end is closed at once."""
    opening, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    class Connection:
        def __enter__(self) -> str:
            opening.set()
            go_on.wait(5)
            if not succeeds:
                raise ConnectionError
            return "open"

        def __exit__(self, kind: Any, *error: Any) -> None:
            assert kind is asyncio.CancelledError
            closed.set()

    async def task(input: Any, ctx: Any, c: str) -> None:
        raise AssertionError("it was cancelled before")

    async def main() -> None:
        needs = (Dependency("c", lambda input, ctx: Connection(), ()),)
        running = asyncio.create_task(aio_call(task, needs, None, None))  # type: ignore[arg-type]
        await asyncio.to_thread(opening.wait, 5)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        go_on.set()
        assert await asyncio.to_thread(closed.wait, 2 if succeeds else 0.1) is succeeds

    asyncio.run(main())
