"""Workflows of several tasks in tests, and a worker that does what a table says."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import orjson

from hatchet_engine.domain.definition import Condition, TaskDefinition
from hatchet_engine.domain.states import Status
from hatchet_engine.turn.commands import NewEvent, PushedEvent, PushEvents
from hatchet_engine.turn.deliveries import Assigned
from tests.support.engine import TENANT, FakeWorker, Harness


def step(name: str, *parents: str, **more: object) -> TaskDefinition:
    return TaskDefinition(name=name, action=f"{name}:{name}", parents=list(parents), **more)  # type: ignore[arg-type]


def sleep(duration: str, action: str = "QUEUE", group: str = "") -> Condition:
    return Condition("sleep", action, f"sleep:{duration}", group, sleep=duration)


def event(key: str, action: str = "QUEUE", group: str = "", expression: str = "") -> Condition:
    return Condition("event", action, key, group, expression, event_key=key)


def parent(name: str, expression: str, action: str = "QUEUE", group: str = "") -> Condition:
    return Condition("parent", action, name, group, expression, parent=name)


async def push(h: Harness, key: str, payload: str = "{}", **more: object) -> PushedEvent:
    new = NewEvent(key, payload, **more)  # type: ignore[arg-type]
    (pushed,) = await h.engine.submit(PushEvents(TENANT, [new]))
    return pushed


async def statuses(h: Harness, run_id: UUID) -> dict[str, str]:
    """Names of the tasks of a run with how they ended; those that have not are missing."""
    rows = await h.fetch(
        "select t.version_id, t.step, o.status, o.skipped from task t "
        "join outcome o on o.id = t.id where t.run_id = $1 and t.kind = 2 order by t.step",
        run_id,
    )
    versions = h.engine.hot.definitions.versions
    return {
        versions[row["version_id"]].steps[row["step"]].name: (
            "SKIPPED" if row["skipped"] else Status(row["status"]).name
        )
        for row in rows
    }


async def work(
    h: Harness, worker: FakeWorker, do: Callable[[Assigned], str | None] | None = None
) -> list[str]:
    """Run whatever the worker gets until nothing comes any more; ``do`` gives the output, or None
    to fail. Returns the names in the order of their starts."""
    names: list[str] = []
    while True:
        await h.settle()
        waiting = worker.started[worker._seen :]
        if not waiting:
            return names
        for task in await worker.next(len(waiting)):
            names.append(task.task_name)
            output = do(task) if do is not None else "{}"
            if output is None:
                await worker.fail(task, f"{task.task_name} failed")
            else:
                await worker.complete(task, output)


def context(task: Assigned) -> dict[str, dict[str, object]]:
    data: dict[str, dict[str, object]] = orjson.loads(task.context or "{}")
    return data
