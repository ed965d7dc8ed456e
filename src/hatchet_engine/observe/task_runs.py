"""Which run a task belongs to: of a workflow of several tasks the run has another id.

Tasks that run are known in memory; of others, the row tells.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol
from uuid import UUID

import asyncpg

from hatchet_engine.store import streams
from hatchet_engine.store.streams import TaskPlace


class RunningTask(Protocol):
    @property
    def tenant_id(self) -> UUID: ...

    @property
    def run_id(self) -> UUID: ...

    @property
    def attempt(self) -> int: ...


class TaskRuns:
    """``running``: what the engine knows of a task while a worker has it."""

    def __init__(self, running: Callable[[UUID], RunningTask | None], pool: asyncpg.Pool) -> None:
        self._running = running
        self._pool = pool

    def running(self, tenant_id: UUID, task_id: UUID) -> TaskPlace | None:
        """Of a task that runs now; costs nothing."""
        task = self._running(task_id)
        if task is None or task.tenant_id != tenant_id:
            return None
        return TaskPlace(task.run_id, task.attempt)

    async def find(self, tenant_id: UUID, task_id: UUID) -> TaskPlace | None:
        """Of any task of the tenant; None for an unknown one."""
        return self.running(tenant_id, task_id) or await streams.task_place(
            self._pool, tenant_id, task_id
        )

    async def stored(
        self, tenant_id: UUID, task_id: UUID, place: TaskPlace
    ) -> tuple[list[tuple[int, int]], UUID | None]:
        """Which indexes of this attempt's stream are stored (``store.streams.ranges``), and the
        id of the last chunk of the run."""
        run_id, attempt = place
        ranges = await streams.ranges(self._pool, tenant_id, run_id, task_id, attempt)
        return ranges, await streams.latest(self._pool, tenant_id, run_id)
