"""Who ran when: the tasks of a run and, level by level, of the runs that they have spawned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from hatchet_engine.domain.states import TaskKind
from hatchet_engine.observe.dags import ready_times
from hatchet_engine.observe.rows import TaskRow, child_rows, member_rows
from hatchet_engine.observe.runs import run_get

DEPTH_MAX = 10
SPAWNED_RUNS_MAX = 10_000  # of all levels together; what is more is left out

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True, frozen=True)
class Timing:
    task: TaskRow
    depth: int  # 0: a task of the run itself
    parent_task_id: UUID | None  # that spawned its run
    queued_at: datetime | None  # None: it still waits for its parents


async def run_timings(
    pool: asyncpg.Pool, tenant_id: UUID, run_id: UUID, depth: int
) -> list[Timing] | None:
    """The tasks of a run and of spawned runs down to ``depth``, without payloads, depth first;
    siblings in the order of queueing. None for an unknown run. Two reads per level."""
    view = await run_get(pool, tenant_id, run_id, payloads=False)
    if view is None:
        return None
    parent = view.run.parent_task_id
    level = _timings(view.tasks, 0, {view.run.id: parent})
    by_parent: dict[UUID | None, list[Timing]] = {None: level}
    left = SPAWNED_RUNS_MAX
    for number in range(1, depth + 1):
        spawned = await child_rows(pool, tenant_id, [entry.task.id for entry in level], left)
        if not spawned:
            break
        left -= len(spawned)
        level = await _level(pool, tenant_id, spawned, number)
        for entry in level:
            by_parent.setdefault(entry.parent_task_id, []).append(entry)
        if left <= 0:
            break
    return _depth_first(by_parent)


async def _level(
    pool: asyncpg.Pool, tenant_id: UUID, spawned: list[TaskRow], depth: int
) -> list[Timing]:
    parents = {run.id: run.parent_task_id for run in spawned}
    dags = [run.id for run in spawned if run.kind is TaskKind.DAG]
    members = await member_rows(pool, tenant_id, dags, payloads=False)
    found = _timings([run for run in spawned if run.kind is not TaskKind.DAG], depth, parents)
    for tasks in members.values():
        found += _timings(tasks, depth, parents)
    return found


def _timings(tasks: list[TaskRow], depth: int, parents: Mapping[UUID, UUID | None]) -> list[Timing]:
    ready = ready_times(tasks)
    return [Timing(task, depth, parents.get(task.run_id), ready.get(task.id)) for task in tasks]


def _depth_first(by_parent: dict[UUID | None, list[Timing]]) -> list[Timing]:
    ordered: list[Timing] = []
    stack = _last_first(by_parent[None])
    while stack:
        entry = stack.pop()
        ordered.append(entry)
        stack += _last_first(by_parent.get(entry.task.id, []))
    return ordered


def _last_first(entries: list[Timing]) -> list[Timing]:
    return sorted(
        entries, key=lambda entry: (entry.queued_at or _NEVER, entry.task.id), reverse=True
    )
