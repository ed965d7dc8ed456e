"""Crons and scheduled runs whose time has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hatchet_engine.turn.plan import Plan

TASKS_MAX = 300  # tasks of the runs of either kind that one turn makes: about 20 ms of it


@dataclass(frozen=True, slots=True)
class Due:
    """A row that a turn is to fire: a cron, or a scheduled run."""

    row: Any
    is_cron: bool

    @property
    def id(self) -> UUID:
        id_: UUID = self.row["id"]
        return id_


class FiringFailed(Exception):
    """The firing of this row raised what nobody expected, which is the cause."""

    def __init__(self, due: Due) -> None:
        super().__init__(f"firing of {due.id}")
        self.due = due


class Made:
    """Counts the tasks of the runs that are made."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._count = 0
        self._tasks, self._dags = len(plan.tasks), len(plan.dags)

    def enough(self) -> bool:
        tasks, dags = self._plan.tasks, self._plan.dags
        self._count += len(tasks) - self._tasks
        self._count += sum(len(dag.task_ids) for dag in dags[self._dags :])
        self._tasks, self._dags = len(tasks), len(dags)
        return self._count >= TASKS_MAX
