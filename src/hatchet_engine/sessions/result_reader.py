"""Results of runs that have ended, read from the table within bounds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from uuid import UUID

import asyncpg

from hatchet_engine.domain.states import Status, TaskKind
from hatchet_engine.store import history
from hatchet_engine.turn.deliveries import RunResult, TaskResult
from hatchet_engine.turn.times import to_ms

TaskNames = Callable[[UUID, int], Awaitable[str]]  # (version id, position) -> name

IDS_MAX = 1_000  # per read
BYTES_MAX = 16 * 1024 * 1024  # of outputs and errors per read; a single run is read whole


class ResultReader:
    def __init__(self, pool: asyncpg.Pool, task_name: TaskNames) -> None:
        self._pool = pool
        self._task_name = task_name

    async def read(self, tenant_id: UUID, ids: Sequence[UUID]) -> AsyncIterator[list[RunResult]]:
        """Results of those of these runs (or tasks) that have ended, some at a time."""
        for start in range(0, len(ids), IDS_MAX):
            some = ids[start : start + IDS_MAX]
            if len(some) > 1:
                sizes = await history.outcome_sizes(self._pool, tenant_id, some)
                groups = list(_groups(sizes))
            else:
                groups = [list(some)]  # whatever its size: it will not become smaller
            for group in groups:
                yield await self._read(tenant_id, group)

    async def _read(self, tenant_id: UUID, ids: Sequence[UUID]) -> list[RunResult]:
        rows = await history.outcome_results(self._pool, tenant_id, ids)
        runs = [row["id"] for row in rows if row["kind"] == TaskKind.DAG]
        members = await history.outcome_members(self._pool, tenant_id, runs)
        return [await self._result(row, members) for row in rows]

    async def _result(self, row: asyncpg.Record, members: list[asyncpg.Record]) -> RunResult:
        tasks = [await self._task(one) for one in members if one["run_id"] == row["id"]]
        if row["kind"] != TaskKind.DAG:
            tasks = [await self._task(row)]
        return RunResult(row["id"], Status(row["status"]), to_ms(row["finished_at"]), tasks)

    async def _task(self, row: asyncpg.Record) -> TaskResult:
        name = await self._task_name(row["version_id"], row["step"])
        # What cancelled a task stands in its events; its error is empty (CX-13) unless it is a run.
        return TaskResult(row["id"], name, Status(row["status"]), row["output"], row["error"])


def _groups(sizes: Iterable[tuple[UUID, int]]) -> Iterator[list[UUID]]:
    """Ids in groups of at most ``BYTES_MAX``, or of one id."""
    group: list[UUID] = []
    total = 0
    for id, size in sizes:
        if group and total + size > BYTES_MAX:
            yield group
            group, total = [], 0
        group.append(id)
        total += size
    if group:
        yield group
