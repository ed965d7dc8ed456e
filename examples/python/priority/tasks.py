"""A task with a priority: what is more urgent overtakes what waits."""

import asyncio
import time

from pydantic import BaseModel

from hatchet import Context, Hatchet, Priority

hatchet = Hatchet()


class Letter(BaseModel):
    title: str


class Printed(BaseModel):
    title: str
    at: float


# Runs that say nothing have this priority. Among equal ones the oldest goes first.
@hatchet.task(name="print", input_validator=Letter, default_priority=Priority.LOW)
async def print_letter(input: Letter, ctx: Context) -> Printed:
    at = time.time()
    await asyncio.sleep(0.3)
    return Printed(title=input.title, at=at)
