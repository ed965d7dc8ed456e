"""Workflows of several tasks, children, events and streams, with the official SDK alone."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from hatchet_sdk import (
    Context,
    DefaultFilter,
    ParentCondition,
    SleepCondition,
    UserEventCondition,
    or_,
)
from tasks import Done, Job, echo, gate_is_open, hatchet, tell

# --- a diamond, that can fail on one side -------------------------------------------------------

diamond = hatchet.workflow(name="diamond", input_validator=Job)


@diamond.task(name="top")
async def top(job: Job, ctx: Context) -> Done:
    tell("top", job, ctx)
    return Done(key=job.key, number=job.number)


@diamond.task(name="left", parents=[top])
async def left(job: Job, ctx: Context) -> Done:
    tell("left", job, ctx)
    if job.fails:
        raise ValueError("the left side broke")
    return Done(key=job.key, number=ctx.task_output(top).number + 1)


@diamond.task(name="right", parents=[top])
async def right(job: Job, ctx: Context) -> Done:
    tell("right", job, ctx)
    return Done(key=job.key, number=ctx.task_output(top).number * 10)


@diamond.task(name="bottom", parents=[left, right])
async def bottom(job: Job, ctx: Context) -> dict[str, int]:
    tell("bottom", job, ctx)
    return {"left": ctx.task_output(left).number, "right": ctx.task_output(right).number}


@diamond.on_failure_task(name="rescue")
async def rescue(job: Job, ctx: Context) -> dict[str, str]:
    tell("rescue", job, ctx, errors=ctx.task_run_errors)
    return {"rescued": job.key}


# --- two branches, of which one is skipped, and a join ------------------------------------------

branches = hatchet.workflow(name="branches", input_validator=Job)


@branches.task(name="choose")
async def choose(job: Job, ctx: Context) -> Done:
    return Done(key=job.key, number=job.number)


@branches.task(
    name="small", parents=[choose], skip_if=[ParentCondition(choose, "output.number >= 10")]
)
async def small(job: Job, ctx: Context) -> dict[str, str]:
    tell("small", job, ctx)
    return {"size": "small"}


@branches.task(
    name="large", parents=[choose], skip_if=[ParentCondition(choose, "output.number < 10")]
)
async def large(job: Job, ctx: Context) -> dict[str, str]:
    tell("large", job, ctx)
    return {"size": "large"}


@branches.task(name="join", parents=[small, large])
async def join(job: Job, ctx: Context) -> dict[str, Any]:
    skipped = [task.name for task in (small, large) if ctx.was_skipped(task)]
    taken = large if skipped == ["small"] else small
    return {"skipped": skipped, **ctx.task_output(taken)}


# --- waiting ------------------------------------------------------------------------------------

waiting = hatchet.workflow(name="waiting", input_validator=Job)


@waiting.task(
    name="told",
    wait_for=[
        or_(
            SleepCondition(timedelta(seconds=50)),
            UserEventCondition(event_key="wire:go", expression="input.number == 7"),
        )
    ],
)
async def told(job: Job, ctx: Context) -> dict[str, Any]:
    tell("told", job, ctx)
    return {"key": job.key}


@waiting.task(
    name="timed",
    parents=[told],
    wait_for=[
        or_(SleepCondition(timedelta(seconds=1)), UserEventCondition(event_key="wire:never"))
    ],
)
async def timed(job: Job, ctx: Context) -> dict[str, Any]:
    tell("timed", job, ctx)
    return {"key": job.key}


# --- children -----------------------------------------------------------------------------------

CHILDREN = 50


@hatchet.task(name="family", input_validator=Job, retries=1)
async def family(job: Job, ctx: Context) -> dict[str, int]:
    tell("parent", job, ctx)
    outputs = await echo.aio_run_many(
        [echo.create_bulk_run_item(Job(key=job.key, number=n)) for n in range(CHILDREN)]
    )
    if ctx.retry_count < job.fails:
        raise RuntimeError("the children are there, the parent is not")
    return {"children": len(outputs), "sum": sum(output.number for output in outputs)}


# --- events -------------------------------------------------------------------------------------


@hatchet.task(name="on-event", input_validator=Job, on_events=["wire:plain"])
async def on_event(job: Job, ctx: Context) -> Done:
    tell("start", job, ctx, metadata=dict(ctx.additional_metadata))
    return Done(key=job.key, number=job.number)


@hatchet.task(
    name="on-filtered-event",
    input_validator=Job,
    on_events=["wire:filtered"],
    default_filters=[
        DefaultFilter(
            expression="input.number >= payload.at_least",
            scope="shop-1",
            payload={"at_least": 100},
        )
    ],
)
async def on_filtered_event(job: Job, ctx: Context) -> Done:
    tell("start", job, ctx, number=job.number, at_least=ctx.filter_payload["at_least"])
    return Done(key=job.key, number=job.number)


# --- streams ------------------------------------------------------------------------------------


@hatchet.task(name="streaming", input_validator=Job, execution_timeout=timedelta(minutes=5))
async def streaming(job: Job, ctx: Context) -> Done:
    """Send pieces until the test has seen one, then ten that are numbered."""
    while not gate_is_open(job, ctx):
        await ctx.aio_put_stream("early ")
        await asyncio.sleep(0.05)
    for number in range(10):
        await ctx.aio_put_stream(f"{number} ")
    return Done(key=job.key)


GRAPHS = {
    "diamond": diamond,
    "branches": branches,
    "waiting": waiting,
    "family": family,
    "on-event": on_event,
    "on-filtered-event": on_filtered_event,
    "streaming": streaming,
}
