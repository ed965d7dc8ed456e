"""The tasks of the tests, written with the official SDK alone."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from hatchet_sdk import Context, Hatchet, NonRetryableException
from pydantic import BaseModel

hatchet = Hatchet()

GATES = Path(os.environ.get("WIRE_GATES", "."))


class Job(BaseModel):
    key: str
    number: int = 0
    group: str = ""
    digit: str = ""
    fails: int = 0
    release_slot: bool = False


class Done(BaseModel):
    key: str
    number: int = 0
    retry_count: int = 0


def tell(kind: str, job: Job, ctx: Context, **fields: Any) -> None:
    """Print a line that the tests read."""
    event = {"kind": kind, "key": job.key, "retry_count": ctx.retry_count, "at": time.time()}
    # In one piece: the SDK writes from other threads.
    sys.stdout.write("event " + json.dumps({**event, **fields}) + "\n")
    sys.stdout.flush()


def gate_is_open(job: Job, ctx: Context) -> bool:
    """Whether the test has said go on, to all attempts or to this one."""
    return (GATES / job.key).exists() or (GATES / f"{job.key}.{ctx.retry_count}").exists()


async def wait_for_gate(job: Job, ctx: Context) -> None:
    try:
        while not gate_is_open(job, ctx):
            await asyncio.sleep(0.02)
    except asyncio.CancelledError:
        tell("cancelled", job, ctx)
        raise


@hatchet.task(name="echo", input_validator=Job)
async def echo(job: Job, ctx: Context) -> Done:
    tell("start", job, ctx)
    return Done(key=job.key, number=job.number, retry_count=ctx.retry_count)


@hatchet.task(name="echo-sync", input_validator=Job)
def echo_sync(job: Job, ctx: Context) -> dict[str, Any]:
    tell("start", job, ctx)
    return {"key": job.key, "text": "ünïcode ✓", "nested": {"list": [1, None, 2.5]}}


@hatchet.task(name="nothing", input_validator=Job)
async def nothing(job: Job, ctx: Context) -> None:
    tell("start", job, ctx)


@hatchet.task(name="flaky", input_validator=Job, retries=3)
async def flaky(job: Job, ctx: Context) -> Done:
    tell("start", job, ctx, attempt=ctx.attempt_number)
    if ctx.retry_count < job.fails:
        raise RuntimeError(f"failure number {ctx.retry_count}")
    return Done(key=job.key, retry_count=ctx.retry_count)


@hatchet.task(name="hopeless", input_validator=Job, retries=3)
async def hopeless(job: Job, ctx: Context) -> None:
    tell("start", job, ctx)
    raise NonRetryableException("there is no hope")


@hatchet.task(
    name="backing-off", input_validator=Job, retries=2, backoff_factor=1.2, backoff_max_seconds=10
)
async def backing_off(job: Job, ctx: Context) -> Done:
    tell("start", job, ctx)
    if ctx.retry_count < job.fails:
        raise RuntimeError("not yet")
    return Done(key=job.key, retry_count=ctx.retry_count)


@hatchet.task(name="slow", input_validator=Job, retries=1, execution_timeout=timedelta(seconds=1))
async def slow(job: Job, ctx: Context) -> Done:
    tell("start", job, ctx)
    if ctx.retry_count < job.fails:
        await wait_for_gate(job, ctx)
    return Done(key=job.key, retry_count=ctx.retry_count)


@hatchet.task(name="extended", input_validator=Job, execution_timeout=timedelta(seconds=2))
async def extended(job: Job, ctx: Context) -> Done:
    tell("start", job, ctx)
    await asyncio.to_thread(ctx.refresh_timeout, timedelta(seconds=30))
    await asyncio.sleep(2.5)
    return Done(key=job.key, retry_count=ctx.retry_count)


@hatchet.task(name="hold", input_validator=Job, execution_timeout=timedelta(minutes=5))
async def hold(job: Job, ctx: Context) -> Done:
    tell("start", job, ctx)
    await wait_for_gate(job, ctx)
    tell("end", job, ctx)
    return Done(key=job.key, retry_count=ctx.retry_count)


@hatchet.task(name="talkative", input_validator=Job, retries=1)
async def talkative(job: Job, ctx: Context) -> Done:
    tell("start", job, ctx)
    ctx.log(f"first line of attempt {ctx.attempt_number}")
    ctx.log(f"second line of attempt {ctx.attempt_number}")
    if ctx.retry_count < job.fails:
        raise RuntimeError("once more")
    return Done(key=job.key, retry_count=ctx.retry_count)


@hatchet.task(name="telling", input_validator=Job)
async def telling(job: Job, ctx: Context) -> dict[str, Any]:
    tell("start", job, ctx)
    return {
        "key": job.key,
        "metadata": dict(ctx.additional_metadata),
        "priority": ctx.priority,
        "workflow_run_id": ctx.workflow_run_id,
    }


# These two belong to a worker with a single slot.


@hatchet.task(name="narrow-hold", input_validator=Job, execution_timeout=timedelta(minutes=5))
async def narrow_hold(job: Job, ctx: Context) -> Done:
    tell("start", job, ctx)
    if job.release_slot:
        await asyncio.to_thread(ctx.release_slot)
        tell("released", job, ctx)
    await wait_for_gate(job, ctx)
    return Done(key=job.key, retry_count=ctx.retry_count)


@hatchet.task(name="narrow", input_validator=Job)
async def narrow(job: Job, ctx: Context) -> Done:
    tell("start", job, ctx)
    return Done(key=job.key, number=job.number, retry_count=ctx.retry_count)


ALL = {
    "echo": echo,
    "echo-sync": echo_sync,
    "nothing": nothing,
    "flaky": flaky,
    "hopeless": hopeless,
    "backing-off": backing_off,
    "slow": slow,
    "extended": extended,
    "hold": hold,
    "talkative": talkative,
    "telling": telling,
}
NARROW = {"narrow-hold": narrow_hold, "narrow": narrow}
