"""Concurrency and rate limits, with the official SDK alone."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from importlib.metadata import version
from typing import Any

from hatchet_sdk import ConcurrencyExpression, ConcurrencyLimitStrategy, Context
from hatchet_sdk.rate_limit import RateLimit, RateLimitDuration
from tasks import Done, Job, hatchet, tell, wait_for_gate

# As the suites name the SDKs.
API = "wire-api-python"
OLD = int(version("hatchet-sdk").split(".")[1]) < 30
if OLD:
    API += "-old"


def rule(expression: str, max_runs: Any, strategy: str) -> ConcurrencyExpression:
    return ConcurrencyExpression(
        expression=expression,
        max_runs=max_runs,
        limit_strategy=ConcurrencyLimitStrategy(strategy),
    )


def holding(name: str, *rules: ConcurrencyExpression) -> Any:
    """A task that waits for its gate under these rules."""

    async def hold(job: Job, ctx: Context) -> Done:
        tell("start", job, ctx)
        await wait_for_gate(job, ctx)
        tell("end", job, ctx)
        return Done(key=job.key)

    declare = hatchet.task(
        name=name,
        input_validator=Job,
        execution_timeout=timedelta(minutes=5),
        concurrency=list(rules),
    )
    return declare(hold)


turns = holding("turns", rule("input.group", 2, "GROUP_ROUND_ROBIN"))
newest = holding("newest", rule("input.group", 1, "CANCEL_IN_PROGRESS"))
first = holding("first", rule("input.group", 1, "CANCEL_NEWEST"))
bad_key = holding("bad-key", rule("input.nothing", 1, "GROUP_ROUND_ROBIN"))

FLOWS = {"turns": turns, "newest": newest, "first": first, "bad-key": bad_key}

if not OLD:
    FLOWS["one-newest"] = holding(
        "one-newest", rule("input.group", 1, "CANCEL_QUEUED_EXCEPT_NEWEST")
    )
    FLOWS["one-oldest"] = holding(
        "one-oldest", rule("input.group", 1, "CANCEL_QUEUED_EXCEPT_OLDEST")
    )
    FLOWS["max-runs"] = holding(
        "max-runs", rule("input.group", "input.number", "GROUP_ROUND_ROBIN")
    )


@hatchet.task(
    name="two-keys",
    input_validator=Job,
    execution_timeout=timedelta(minutes=2),
    schedule_timeout=timedelta(minutes=2),
    concurrency=[
        rule("input.digit", 8, "GROUP_ROUND_ROBIN"),
        rule("input.group", 3, "GROUP_ROUND_ROBIN"),
    ],
)
async def two_keys(job: Job, ctx: Context) -> Done:
    tell("start", job, ctx, digit=job.digit, group=job.group)
    await asyncio.sleep(0.1)
    tell("end", job, ctx, digit=job.digit, group=job.group)
    return Done(key=job.key)


# --- whole runs ---------------------------------------------------------------------------------

newest_run = hatchet.workflow(
    name="newest-run",
    input_validator=Job,
    concurrency=rule("input.group", 1, "CANCEL_IN_PROGRESS"),
)


@newest_run.task(name="one", execution_timeout=timedelta(minutes=5))
async def newest_one(job: Job, ctx: Context) -> Done:
    tell("start", job, ctx)
    await wait_for_gate(job, ctx)
    return Done(key=job.key)


@newest_run.task(name="two", parents=[newest_one])
async def newest_two(job: Job, ctx: Context) -> Done:
    tell("two", job, ctx)
    return Done(key=job.key)


# The same key with one place, for whole runs and for a task of them.
locked = hatchet.workflow(
    name="locked-twice",
    input_validator=Job,
    concurrency=rule("input.group", 1, "GROUP_ROUND_ROBIN"),
)


@locked.task(
    name="one",
    execution_timeout=timedelta(seconds=3),
    concurrency=[rule("input.group", 1, "GROUP_ROUND_ROBIN")],
)
async def locked_one(job: Job, ctx: Context) -> Done:
    tell("start", job, ctx)
    await wait_for_gate(job, ctx)
    return Done(key=job.key)


@locked.task(name="two", parents=[locked_one])
async def locked_two(job: Job, ctx: Context) -> Done:
    return Done(key=job.key)


def hops(name: str, max_runs: int, strategy: str) -> Any:
    """Four tasks, one after the other, under a rule for the run."""
    flow = hatchet.workflow(
        name=name, input_validator=Job, concurrency=rule("input.group", max_runs, strategy)
    )
    parents: list[Any] = []
    for number in range(4):

        async def hop(job: Job, ctx: Context) -> Done:
            tell("hop", job, ctx)
            return Done(key=job.key)

        parents = [flow.task(name=f"hop-{number}", parents=parents)(hop)]
    return flow


# --- rate limits --------------------------------------------------------------------------------


@hatchet.task(name="metered", input_validator=Job, rate_limits=[RateLimit(static_key=API, units=1)])
async def metered(job: Job, ctx: Context) -> Done:
    tell("start", job, ctx)
    return Done(key=job.key)


@hatchet.task(
    name="metered-by-key",
    input_validator=Job,
    rate_limits=[
        RateLimit(
            dynamic_key="'wire-' + input.group",
            units="input.number",
            limit=4,
            duration=RateLimitDuration.SECOND,
        )
    ],
)
async def metered_by_key(job: Job, ctx: Context) -> Done:
    tell("start", job, ctx)
    return Done(key=job.key)


FLOWS |= {
    "two-keys": two_keys,
    "newest-run": newest_run,
    "locked-twice": locked,
    "hops-newest": hops("hops-newest", 1, "CANCEL_IN_PROGRESS"),
    "hops-turns": hops("hops-turns", 5, "GROUP_ROUND_ROBIN"),
    "metered": metered,
    "metered-by-key": metered_by_key,
}
