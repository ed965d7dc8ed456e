"""Workflows, workers and reasons of tests about routing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hatchet_engine.domain.definition import TaskDefinition, WorkflowDefinition
from hatchet_engine.domain.labels import Comparator, DesiredLabel
from hatchet_engine.domain.registration import check
from hatchet_engine.domain.states import EventKind
from hatchet_engine.turn.commands import (
    ChangeWorker,
    CloseStream,
    PutWorkflow,
)
from tests.support.engine import TENANT, FakeWorker, Harness

NOBODY = UUID("00000000-0000-4000-8000-0000000000aa")


def must(value: str | int, comparator: Comparator = Comparator.EQUAL) -> DesiredLabel:
    return DesiredLabel(value, required=True, comparator=comparator)


def likes(value: str | int, weight: int = 100) -> DesiredLabel:
    return DesiredLabel(value, weight=weight)


async def put(h: Harness, sticky: str | None = None, name: str = "hello", **task: Any) -> None:
    definition = WorkflowDefinition(
        name=name, tasks=[TaskDefinition(name=name, action=f"{name}:{name}", **task)], sticky=sticky
    )
    await h.engine.submit(PutWorkflow(TENANT, check(definition)))


async def change(h: Harness, worker: FakeWorker, **changes: Any) -> None:
    await h.engine.submit(ChangeWorker(TENANT, worker.id, **changes))
    await h.settle()


async def close(h: Harness, worker: FakeWorker) -> None:
    await h.engine.submit(CloseStream(TENANT, worker.id, worker))
    await h.settle()


async def reason(h: Harness, run: UUID) -> str:
    """Why the task has found no worker, told once."""
    rows = await h.fetch(
        "select message from task_event where task_id = $1 and kind = $2",
        run,
        EventKind.REQUEUED_NO_WORKER.value,
    )
    (row,) = rows
    return str(row["message"])


def ids(worker: FakeWorker) -> list[UUID]:
    return [task.task_id for task in worker.started]
