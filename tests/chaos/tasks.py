"""The task of all these tests: it does what its input says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from hatchet import Context, Hatchet

RETRIES = 2


class Work(BaseModel):
    """Attempts in `fail_on` fail. A gated one runs until the gate of its worker is open."""

    number: int
    sleep_ms: int = 0
    fail_on: list[int] = []
    gated: bool = False


class Done(BaseModel):
    number: int
    attempt: int
    worker: str


async def _elsewhere(input: Work, ctx: Context) -> Done:
    raise AssertionError("runs in worker_program.py")


def declare(hatchet: Hatchet, body: Callable[[Work, Context], Awaitable[Done]] = _elsewhere) -> Any:
    """The task, for callers (without `body`) and workers."""
    return hatchet.task(
        name="work",
        input_validator=Work,
        retries=RETRIES,
        execution_timeout=timedelta(minutes=2),
        schedule_timeout=timedelta(minutes=2),
    )(body)
