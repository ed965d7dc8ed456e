"""Tasks of the bench under flow control. They do nothing, like those of `our_tasks`."""

import time
from datetime import timedelta

from our_tasks import hatchet
from pydantic import BaseModel

from hatchet import (
    BatchMemberId,
    ConcurrencyExpression,
    ConcurrencyLimitStrategy,
    Context,
    RateLimit,
    RateLimitDuration,
)

LONG = timedelta(hours=6)


class Keyed(BaseModel):
    key: str = ""


def _rule(expression: str, max_runs: int) -> ConcurrencyExpression:
    return ConcurrencyExpression(
        expression=expression,
        max_runs=max_runs,
        limit_strategy=ConcurrencyLimitStrategy.GROUP_ROUND_ROBIN,
    )


@hatchet.task(name="bench-unruled", input_validator=Keyed)
async def unruled(input: Keyed, ctx: Context) -> dict[str, bool]:
    """What the tasks with rules are compared with."""
    return {"done": True}


@hatchet.task(name="bench-keyed", input_validator=Keyed, concurrency=[_rule("input.key", 5)])
async def keyed(input: Keyed, ctx: Context) -> dict[str, bool]:
    return {"done": True}


@hatchet.task(
    name="bench-one-key",
    input_validator=Keyed,
    schedule_timeout=LONG,
    concurrency=[_rule("'all'", 1)],
)
async def one_key(input: Keyed, ctx: Context) -> dict[str, float]:
    """Tells the clock, so that the time between one run's end and the next one's start shows."""
    return {"at_s": time.perf_counter()}


@hatchet.task(
    name="bench-metered",
    input_validator=Keyed,
    rate_limits=[
        RateLimit(
            dynamic_key="input.key", units=1, limit=1_000_000_000, duration=RateLimitDuration.HOUR
        )
    ],
)
async def metered(input: Keyed, ctx: Context) -> dict[str, bool]:
    return {"done": True}


@hatchet.task(
    name="bench-starved",
    input_validator=Keyed,
    schedule_timeout=LONG,
    rate_limits=[RateLimit(static_key="bench-starved", units=1)],
)
async def starved(input: Keyed, ctx: Context) -> dict[str, bool]:
    return {"done": True}


@hatchet.batch_task(
    name="bench-batched",
    input_validator=Keyed,
    batch_max_size=100,
    batch_max_interval=timedelta(milliseconds=200),
)
async def batched(
    inputs: dict[BatchMemberId, Keyed], ctx: Context
) -> dict[BatchMemberId, dict[str, bool]]:
    return {id: {"done": True} for id in inputs}


LIMITED = {task.name: task for task in (unruled, keyed, one_key, metered, starved, batched)}
