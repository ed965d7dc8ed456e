"""Rules, keys and runs of tests about concurrency."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from hatchet_engine.domain.definition import ConcurrencyRule, TaskDefinition
from tests.support.engine import FakeWorker, Harness
from tests.support.rules import status

ROUND_ROBIN = "GROUP_ROUND_ROBIN"


def rule(
    expression: str = "input.key", most: int = 1, strategy: str = ROUND_ROBIN, **more: object
) -> ConcurrencyRule:
    return ConcurrencyRule(expression, most, strategy, **more)  # type: ignore[arg-type]


def key(value: str) -> str:
    return f'{{"key":"{value}"}}'


async def statuses(h: Harness, runs: Sequence[UUID]) -> list[str]:
    return [(await status(h, run)).name for run in runs]


async def run_all(h: Harness, worker: FakeWorker) -> list[UUID]:
    """Complete whatever is started, until nothing more is; returns tasks in the order started."""
    order = []
    while worker.started:
        task = worker.started.pop(0)
        order.append(task.task_id)
        await worker.complete(task)
    return order


def two_steps(**more: object) -> list[TaskDefinition]:
    return [
        TaskDefinition(name="first", action="hello:first"),
        TaskDefinition(name="second", action="hello:second", parents=["first"], **more),  # type: ignore[arg-type]
    ]


async def dag_worker(h: Harness) -> FakeWorker:
    return await h.worker_of("hello:first", "hello:second")
