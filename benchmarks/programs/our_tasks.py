"""The tasks that the bench runs with our SDK: they do nothing and return something small."""

import time
from datetime import timedelta

from hatchet import Context, EmptyModel, Hatchet

hatchet = Hatchet()


@hatchet.task(name="bench-noop")
async def noop(input: EmptyModel, ctx: Context) -> dict[str, bool]:
    return {"done": True}


@hatchet.task(name="bench-official")
async def official_noop(input: EmptyModel, ctx: Context) -> dict[str, bool]:
    """Only called from here: the worker of the official SDK runs its own function of this name."""
    raise NotImplementedError


class Counter:
    """Prints when `wanted` attempts have run, then counts anew.

    The line holds the seconds from the first of them to the last, and the clock at the last.
    """

    def __init__(self) -> None:
        self.wanted = 0
        self.count = 0
        self.began_s = 0.0

    def add(self) -> None:
        self.count += 1
        if self.count == 1:
            self.began_s = time.perf_counter()
        if self.count == self.wanted:
            ended_s = time.perf_counter()
            print(f"counted {ended_s - self.began_s} {ended_s}", flush=True)
            self.count = 0


counter = Counter()


# A million of them wait for minutes, longer than the default schedule timeout.
@hatchet.task(name="bench-queued", schedule_timeout=timedelta(hours=6))
async def queued(input: EmptyModel, ctx: Context) -> dict[str, bool]:
    counter.add()
    return {"done": True}


TASKS = {task.name: task for task in (noop, official_noop, queued)}
