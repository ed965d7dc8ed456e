"""Random parts of workflows that all worlds draw in the same way."""

from __future__ import annotations

import random

from hatchet_engine.domain.definition import TaskDefinition


def draw_task(draw: random.Random, workflow: str, name: str) -> TaskDefinition:
    """A task with its retries, times and slots."""
    backoff = draw.choice((None, None, 1.0, 2.0))
    return TaskDefinition(
        name=name,
        action=f"{workflow}:{name}",
        retries=draw.choice((0, 1, 2, 5)),
        backoff_factor=backoff,
        backoff_max_s=draw.choice((1, 10)) if backoff else None,
        execution_timeout_ms=draw.choice((2_000, 30_000, 300_000)),
        schedule_timeout_ms=draw.choice((1_000, 20_000, 120_000)),
        slots=draw.choice(({}, {}, {"default": 2}, {"gpu": 1}, {"default": 1, "gpu": 1})),
    )
