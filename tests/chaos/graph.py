"""A run of twenty tasks with sleeps and waits for an event, for callers and workers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from hatchet import (
    Context,
    EmptyModel,
    Hatchet,
    SleepCondition,
    UserEventCondition,
    or_,
)

WIDTH = 6
LAYERS = 3
TASKS = 1 + WIDTH * LAYERS + 1
EVENT = "chaos:go"


class Count(BaseModel):
    before: int


Body = Callable[[Context], Awaitable[None]]


async def _elsewhere(ctx: Context) -> None:
    raise AssertionError("runs in graph_worker.py")


def declare_graph(hatchet: Hatchet, body: Body = _elsewhere) -> Any:
    """A start, three layers of six tasks, and an end. In the second layer one task sleeps and one
    waits for the event, in the third one takes whichever is first."""
    graph = hatchet.workflow(name="graph")
    waits: dict[tuple[int, int], list[Any]] = {
        (1, 0): [SleepCondition(timedelta(seconds=1))],
        (1, 1): [UserEventCondition(EVENT)],
        (2, 0): [or_(SleepCondition(timedelta(seconds=2)), UserEventCondition(EVENT))],
    }

    def add(name: str, parents: list[Any], wait_for: list[Any] | None = None) -> Any:
        async def task(input: EmptyModel, ctx: Context) -> Count:
            await body(ctx)
            return Count(before=sum(ctx.task_output(one).before + 1 for one in parents))

        return graph.task(
            name=name,
            parents=parents,
            wait_for=wait_for or [],
            execution_timeout=timedelta(minutes=2),
            schedule_timeout=timedelta(minutes=2),
        )(task)

    layer = [add("start", [])] * WIDTH
    for number in range(LAYERS):
        layer = [
            add(f"t{number}-{at}", [layer[at]], waits.get((number, at))) for at in range(WIDTH)
        ]
    add("end", layer)
    return graph
