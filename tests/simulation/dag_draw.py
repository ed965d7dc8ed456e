"""Random workflows of several tasks, as the reference model understands them."""

from __future__ import annotations

import random

from hatchet_engine.domain.definition import Condition, TaskDefinition
from tests.simulation.reference_dag import SLEEPS_MS
from tests.support.dags import event, parent, sleep, step

TASKS_MAX = 7
ON_FAILURE = "oops"
NAMES = tuple(f"t{at}" for at in range(TASKS_MAX))
EVENT_KEYS = ("go", "stop", "other")
_OF_PARENTS = ("true", "output.n > 1", "output.n <= 1", "output.missing == 1")


def draw_tasks(draw: random.Random) -> list[TaskDefinition]:
    """Parents stand before their children, an on-failure task last."""
    tasks: list[TaskDefinition] = []
    for name in NAMES[: draw.randint(1, TASKS_MAX)]:
        before = [task.name for task in tasks]
        parents = draw.sample(before, min(len(before), draw.choice((0, 1, 1, 1, 2, 3))))
        conditions = [
            _condition(draw, parents) for _ in range(draw.choice((0, 0, 0, 1, 1, 2, 2, 3, 4)))
        ]
        retries = draw.choice((0, 0, 1))
        tasks.append(
            step(name, *sorted(parents), conditions=conditions, retries=retries, **_PATIENT)
        )
    if draw.random() < 0.4:
        tasks.append(step(ON_FAILURE, on_failure=True, retries=draw.choice((0, 1)), **_PATIENT))
    return tasks


# Timeouts are the matter of other tests.
_PATIENT = {"schedule_timeout_ms": 86_400_000, "execution_timeout_ms": 86_400_000}


def _condition(draw: random.Random, parents: list[str]) -> Condition:
    action = draw.choice(("QUEUE", "QUEUE", "SKIP", "CANCEL"))
    group = draw.choice(("", "", "g", "h"))
    kind = draw.choice(("sleep", "event", "parent") if parents else ("sleep", "event"))
    if kind == "sleep":
        return sleep(draw.choice(list(SLEEPS_MS)), action, group)
    if kind == "event":
        return event(draw.choice(EVENT_KEYS), action, group, draw.choice(("", "", "input.n > 1")))
    return parent(draw.choice(parents), draw.choice(_OF_PARENTS), action, group)
