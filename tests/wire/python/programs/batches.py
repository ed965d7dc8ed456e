"""Batch tasks, with the official SDK alone; the old one has none."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from flows import OLD
from hatchet_sdk import Context
from tasks import Job, hatchet

BATCHES: dict[str, Any] = {}


def gathered(name: str, size: int, interval_ms: int, group_key: str | None = None) -> None:
    """A task that tells each member with which others it came."""

    @hatchet.batch_task(
        name=name,
        input_validator=Job,
        batch_max_size=size,
        batch_max_interval=timedelta(milliseconds=interval_ms),
        batch_group_key=group_key,
        execution_timeout=timedelta(seconds=30),
    )
    async def gather(jobs: dict[Any, Job], ctx: Context) -> dict[Any, dict[str, Any]]:
        return {
            id: {"number": job.number, "group": job.group, "size": len(jobs), "batch": min(jobs)}
            for id, job in jobs.items()
        }

    BATCHES[name] = gather


if not OLD:
    gathered("batch-three", 3, 1_000)
    gathered("batch-grouped", 2, 30_000, "input.group")
    gathered("batch-short", 3, 1_000)
    gathered("batch-bytes", 1_000, 3_000)
    gathered("batch-picky", 2, 300, "input.nothing")

    @hatchet.batch_task(
        name="batch-broadcast",
        input_validator=Job,
        batch_max_size=3,
        batch_max_interval=timedelta(seconds=2),
        broadcast_output=True,
    )
    async def broadcast(jobs: dict[Any, Job], ctx: Context) -> dict[str, int]:
        return {"sum": sum(job.number for job in jobs.values())}

    @hatchet.batch_task(
        name="batch-cancelled",
        input_validator=Job,
        batch_max_size=2,
        batch_max_interval=timedelta(seconds=2),
    )
    async def cancelled(jobs: dict[Any, Job], ctx: Context) -> dict[Any, dict[str, int]]:
        await ctx.aio_cancel()
        return {id: {"number": 0} for id in jobs}

    @hatchet.batch_task(
        name="batch-slow",
        input_validator=Job,
        batch_max_size=2,
        batch_max_interval=timedelta(seconds=2),
        execution_timeout=timedelta(seconds=1),
    )
    async def slow(jobs: dict[Any, Job], ctx: Context) -> dict[Any, dict[str, int]]:
        await asyncio.sleep(10)
        return {id: {"number": 0} for id in jobs}

    BATCHES |= {"batch-broadcast": broadcast, "batch-cancelled": cancelled, "batch-slow": slow}
