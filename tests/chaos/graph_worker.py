"""A worker for runs of several tasks: `graph_worker.py NAME SLOTS JOURNAL GATES`."""

from __future__ import annotations

import asyncio
import os
import sys
import time

from hatchet import Context, Hatchet
from tests.chaos.graph import declare_graph

name, slots, journal = sys.argv[1], int(sys.argv[2]), sys.argv[3]
out = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(what: str, ctx: Context) -> None:
    at_ns = time.monotonic_ns()
    os.write(out, f"{what} {ctx.task_run_id} {ctx.retry_count} {name} {at_ns}\n".encode())


async def body(ctx: Context) -> None:
    note("start", ctx)
    await asyncio.sleep(0.02)
    note("end", ctx)


if __name__ == "__main__":
    hatchet = Hatchet()
    hatchet.worker(name, slots=slots, workflows=[declare_graph(hatchet, body)]).start()
