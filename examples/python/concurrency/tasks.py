"""Runs of one user at the same time: at most one, and what becomes of those that are too many.

Each task has another strategy; the key of all is the user, so users never hinder each other.
"""

import asyncio
import time

from pydantic import BaseModel

from hatchet import ConcurrencyExpression, ConcurrencyLimitStrategy, Context, Hatchet

hatchet = Hatchet()

WORK_S = 1.5


class Job(BaseModel):
    user: str
    number: int


class Done(BaseModel):
    user: str
    number: int
    began: float
    ended: float


def one_per_user(strategy: ConcurrencyLimitStrategy) -> ConcurrencyExpression:
    return ConcurrencyExpression(expression="input.user", max_runs=1, limit_strategy=strategy)


async def work(job: Job, seconds: float = WORK_S) -> Done:
    began = time.time()
    await asyncio.sleep(seconds)
    return Done(user=job.user, number=job.number, began=began, ended=time.time())


# All run, one after the other; users take turns.
@hatchet.task(
    name="render",
    input_validator=Job,
    concurrency=one_per_user(ConcurrencyLimitStrategy.GROUP_ROUND_ROBIN),
)
async def render(input: Job, ctx: Context) -> Done:
    return await work(input, 0.2)


# The newest runs: whoever types another word does not want the results of the last one.
@hatchet.task(
    name="search",
    input_validator=Job,
    concurrency=one_per_user(ConcurrencyLimitStrategy.CANCEL_IN_PROGRESS),
)
async def search(input: Job, ctx: Context) -> Done:
    return await work(input)


# The first runs: a second backup while one is being made is of no use.
@hatchet.task(
    name="backup",
    input_validator=Job,
    concurrency=one_per_user(ConcurrencyLimitStrategy.CANCEL_NEWEST),
)
async def backup(input: Job, ctx: Context) -> Done:
    return await work(input)


# One runs, and the newest of the others after it: it has the latest state.
@hatchet.task(
    name="publish",
    input_validator=Job,
    concurrency=one_per_user(ConcurrencyLimitStrategy.CANCEL_QUEUED_EXCEPT_NEWEST),
)
async def publish(input: Job, ctx: Context) -> Done:
    return await work(input)


# One runs, and the oldest of the others after it: no queue longer than one.
@hatchet.task(
    name="export",
    input_validator=Job,
    concurrency=one_per_user(ConcurrencyLimitStrategy.CANCEL_QUEUED_EXCEPT_OLDEST),
)
async def export(input: Job, ctx: Context) -> Done:
    return await work(input)


ALL = [render, search, backup, publish, export]
