"""A worker that writes down every start and end of an attempt: `python worker_program.py NAME SLOTS
JOURNAL GATES`.

The tasks do what their input says. A line of the journal is one write with O_APPEND, so lines of
several workers never mix and survive the kill of their writer.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from pydantic import BaseModel

from hatchet import Context, Hatchet

GATE_CHECK_S = 0.02


class Work(BaseModel):
    """`failures`: so many attempts fail. `gated`: run until the gate of the worker is open."""

    number: int
    sleep_ms: int = 0
    failures: int = 0
    gated: bool = False


class Done(BaseModel):
    number: int
    attempt: int
    worker: str


name, slots, journal, gates = sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
hatchet = Hatchet()
pid = os.getpid()
out = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(what: str, ctx: Context) -> None:
    line = f"{what} {ctx.task_run_id} {ctx.retry_count} {pid} {name} {time.monotonic_ns()}\n"
    os.write(out, line.encode())


async def run(work: Work, ctx: Context) -> Done:
    note("start", ctx)
    try:
        if work.sleep_ms:
            await asyncio.sleep(work.sleep_ms / 1_000)
        while work.gated and not (gates / name).exists():
            await asyncio.sleep(GATE_CHECK_S)
        if work.failures > sum(1 for kind in failed_before(ctx) if kind):
            raise RuntimeError(f"attempt {ctx.retry_count} of {work.number} fails as told")
        return Done(number=work.number, attempt=ctx.retry_count, worker=name)
    finally:
        note("end", ctx)
