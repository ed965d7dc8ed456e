"""A worker whose task streams numbers: `stream_worker.py NAME SLOTS JOURNAL GATES`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from hatchet import Context, Hatchet

BURST = 20  # chunks between two pauses


class Talk(BaseModel):
    chunks: int
    pause_ms: float


async def _elsewhere(input: Talk, ctx: Context) -> dict[str, int]:
    raise AssertionError("runs in the worker's process")


def declare(
    hatchet: Hatchet, body: Callable[[Talk, Context], Awaitable[dict[str, int]]] = _elsewhere
) -> Any:
    """The task, for callers (without `body`) and workers."""
    return hatchet.task(name="talk", input_validator=Talk, execution_timeout=timedelta(minutes=2))(
        body
    )


async def talk(input: Talk, ctx: Context) -> dict[str, int]:
    for number in range(input.chunks):
        await ctx.aio_put_stream(f"{number};")
        if number % BURST == 0:
            await asyncio.sleep(input.pause_ms / 1_000)
    return {"chunks": input.chunks}


if __name__ == "__main__":
    hatchet = Hatchet()
    hatchet.worker(sys.argv[1], slots=int(sys.argv[2]), workflows=[declare(hatchet, talk)]).start()
