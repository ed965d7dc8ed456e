"""A worker for all of flow control: `flow_worker.py NAME SLOTS JOURNAL GATES`."""

from __future__ import annotations

import asyncio
import os
import sys
import time

from hatchet import BatchContext, BatchMemberId, Context, Hatchet
from tests.chaos.flow import Done, Job, declare_flow

name, slots, journal = sys.argv[1], int(sys.argv[2]), sys.argv[3]
out = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(what: str, *contexts: Context) -> None:
    """One write for all of them, so that the lines of several workers never mix."""
    lines = [
        f"{what} {ctx.task_run_id} {ctx.retry_count} {name} {time.monotonic_ns()}\n"
        for ctx in contexts
    ]
    os.write(out, "".join(lines).encode())


async def body(input: Job, ctx: Context) -> Done:
    note("start", ctx)
    try:
        await asyncio.sleep(input.sleep_ms / 1_000)
        if ctx.retry_count in input.fail_on:
            raise RuntimeError(f"attempt {ctx.retry_count} fails as told")
        return Done(number=input.number, attempt=ctx.retry_count)
    finally:
        note("end", ctx)


async def batch_body(
    inputs: dict[BatchMemberId, Job], ctx: BatchContext
) -> dict[BatchMemberId, Done | Exception]:
    members = [ctx.members[member] for member in inputs]
    note("start", *members)
    await asyncio.sleep(max(job.sleep_ms for job in inputs.values()) / 1_000)
    results: dict[BatchMemberId, Done | Exception] = {}
    for member, job in inputs.items():
        attempt = ctx.members[member].retry_count
        if attempt in job.fail_on:
            results[member] = RuntimeError(f"attempt {attempt} fails as told")
        else:
            results[member] = Done(number=job.number, attempt=attempt, batch=ctx.batch_id)
    note("end", *members)
    return results


if __name__ == "__main__":
    hatchet = Hatchet()
    workflows = list(declare_flow(hatchet, body, batch_body).values())
    hatchet.worker(name, slots=slots, labels={"name": name}, workflows=workflows).start()
