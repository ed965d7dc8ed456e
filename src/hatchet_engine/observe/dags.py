"""What a DAG run shows follows from its members: times, output, error, and who waits for whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import orjson

from hatchet_engine.domain.states import Status
from hatchet_engine.observe.rows import TaskRow


def with_members(run: TaskRow, members: Sequence[TaskRow]) -> TaskRow:
    """The run with what its members tell: the first start, all outputs, the first failure."""
    started = [task.started_at for task in members if task.started_at is not None]
    with_payloads = run.input is not None
    return replace(
        run,
        started_at=min(started, default=None),
        output=output_of(members) if with_payloads else None,
        error=run.error or _error(run, members),
    )


def output_of(members: Iterable[TaskRow]) -> str | None:
    """``{task name: output}`` of the completed members as JSON text, outputs as they were sent."""
    parts = []
    for task in members:
        if task.status is Status.COMPLETED:
            parts.append(f"{orjson.dumps(task.task_name).decode()}: {task.output or '{}'}")
    return "{" + ", ".join(parts) + "}" if parts else None


def parents_of(task: TaskRow, members: Sequence[TaskRow]) -> list[TaskRow]:
    """The tasks of the run that this one comes after."""
    names = set(task.parents)
    return [other for other in members if other.task_name in names]


def ready_times(members: Sequence[TaskRow]) -> Mapping[UUID, datetime]:
    """Since when each member waits for a worker or for conditions, as far as that is known: roots
    since their creation, others since the last of their parents ended."""
    ready = {}
    ended = {task.task_name: task.finished_at for task in members}
    for task in members:
        ends = [ended.get(name) for name in task.parents]
        known = [end for end in ends if end is not None]
        if task.begun and len(known) == len(ends):
            ready[task.id] = max([task.created_at, *known])
    return ready


def _error(run: TaskRow, members: Sequence[TaskRow]) -> str | None:
    if run.status is not Status.FAILED:
        return None
    failed = [task for task in members if task.status is Status.FAILED and task.error]
    first = min(failed, key=lambda task: task.finished_at or task.created_at, default=None)
    return first.error if first else None
