"""Lanes of stream chunks over a database, for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import asyncpg

from hatchet_engine.observe.chunk_store import ChunkStore
from hatchet_engine.observe.stream_lane import StreamLane
from hatchet_engine.observe.stream_reader import ChunkReader
from hatchet_engine.observe.task_runs import TaskRuns
from hatchet_engine.sessions.watchers import RunWatchers
from tests.support.rows import NOW_MS, Rows


@dataclass
class World:
    """A lane over a database, with tasks that run and watchers."""

    rows: Rows
    pool: asyncpg.Pool
    running: dict[UUID, Any]
    watchers: RunWatchers
    dsn: str
    now_ms: int = NOW_MS
    owner: bool = True
    epoch: int = 0

    def new_lane(self) -> StreamLane:
        return StreamLane(
            ChunkStore(self.dsn, lambda: self.epoch),
            TaskRuns(self.running.get, self.pool),
            self.watchers.deliver_chunks,
            lambda: self.now_ms,
            owner=lambda: self.owner,
        )

    @asynccontextmanager
    async def lane(self) -> AsyncIterator[StreamLane]:
        lane = self.new_lane()
        await lane.start()
        try:
            yield lane
        finally:
            await lane.stop()

    def start(self, run_id: UUID | None = None, attempt: int = 0) -> UUID:
        """A task that runs, as the engine's memory knows it."""
        task_id = self.rows.ids.new(self.now_ms)
        self.running[task_id] = SimpleNamespace(
            tenant_id=self.rows.tenant_id, run_id=run_id or task_id, attempt=attempt
        )
        return task_id

    async def put(
        self,
        lane: StreamLane,
        task_id: UUID,
        *indexes: int | None,
        attempt: int | None = None,
        again: bool = False,
    ) -> None:
        for index in indexes:
            data = f"{attempt or ''}:{index}".encode()
            await lane.put(self.rows.tenant_id, task_id, data, index, attempt, again=again)

    def beside(self, epoch: int) -> World:
        """Another node."""
        return replace(self, epoch=epoch)

    async def indexes(self, run_id: UUID) -> list[tuple[int, int]]:
        """Attempt and index of the run's chunks."""
        rows = await self.rows.connection.fetch(
            "select attempt, index from stream_chunk where run_id = $1 order by id", run_id
        )
        return [(row["attempt"], row["index"]) for row in rows]

    async def all(self, run_id: UUID, skip: int = 0) -> list[str]:
        reader = ChunkReader(self.pool, self.rows.tenant_id, run_id, skip)
        return await rest(reader)


async def rest(reader: ChunkReader) -> list[str]:
    found: list[str] = []
    while chunks := await reader.take():
        found += [chunk.data.decode() for chunk in chunks]
    return found
