"""A worker that writes down every start and end: `worker_program.py NAME SLOTS JOURNAL GATES`.

A line of the journal is one write with O_APPEND: lines of several workers never mix, and what was
written survives the kill of its writer.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from hatchet import Context, Hatchet
from tests.chaos.tasks import Done, Work, declare

GATE_CHECK_S = 0.02

name, slots, journal, gates = sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
out = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(what: str, ctx: Context) -> None:
    at_ns = time.monotonic_ns()
    os.write(out, f"{what} {ctx.task_run_id} {ctx.retry_count} {name} {at_ns}\n".encode())


async def run(input: Work, ctx: Context) -> Done:
    note("start", ctx)
    try:
        if input.sleep_ms:
            await asyncio.sleep(input.sleep_ms / 1_000)
        while input.gated and not (gates / name).exists():
            await asyncio.sleep(GATE_CHECK_S)
        if ctx.retry_count in input.fail_on:
            raise RuntimeError(f"attempt {ctx.retry_count} fails as told")
        return Done(number=input.number, attempt=ctx.retry_count, worker=name)
    finally:
        note("end", ctx)


if __name__ == "__main__":
    hatchet = Hatchet()
    hatchet.worker(name, slots=slots, workflows=[declare(hatchet, run)]).start()
