"""Table ``stream_chunk``: pieces of what tasks say while they run, per run in order of their ids.

The ids are made where chunks are put into order, one after the other, so their order is the order
of the stream, and the number of chunks before one is its position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from hatchet_engine.domain import ids
from hatchet_engine.domain.index_ranges import RANGES_MAX
from hatchet_engine.store.sql import load

_SQL = load("streams")
_SHARDS = load("shards")
_COLUMNS = ("tenant_id", "id", "run_id", "task_id", "attempt", "index", "data")
NO_ID = UUID(int=0)
SHARD = 0
LOCK_SPACE = 0x48415453  # the first half of the advisory lock's key; the second is the shard
# A run's chunks are younger than the run; clocks of two nodes may differ by so much.
CLOCKS_APART_MS = 60_000


@dataclass(slots=True)
class Chunk:
    """One piece of a task's stream. ``index``: the producer's count, None when it gave none."""

    tenant_id: UUID
    run_id: UUID
    task_id: UUID
    attempt: int
    index: int | None
    data: bytes
    id: UUID = NO_ID  # given when its place in the stream is fixed

    @property
    def at_ms(self) -> int:
        """When the engine got it; epoch milliseconds."""
        return ids.time_ms(self.id)


class TaskPlace(NamedTuple):
    run_id: UUID
    attempt: int


class RunEnd(NamedTuple):
    status: int  # domain.states.Status
    finished_at: datetime


def before_run(run_id: UUID) -> UUID:
    """An id below those of all chunks of a run; spares Postgres the partitions before it."""
    return ids.lowest(max(ids.time_ms(run_id) - CLOCKS_APART_MS, 0))


async def claim(connection: asyncpg.Connection, epoch: int) -> bool:
    """Make this the only connection that stores chunks: whoever did it before can't any more, and
    what it has stored can be seen. False when the shard has had another owner since ``epoch``.

    What that one was storing is committed then, or never. Raises ``LockNotAvailableError`` when it
    does not end in time.
    """
    if await _epoch(connection) != epoch:
        return False
    if not await connection.fetchval(_SHARDS["shard_try_lock"], LOCK_SPACE, SHARD):
        await connection.execute(_SHARDS["shard_evict"], LOCK_SPACE, SHARD)
        if not await connection.fetchval(_SHARDS["shard_try_lock"], LOCK_SPACE, SHARD):
            raise asyncpg.LockNotAvailableError("another connection still stores chunks")
    return await _epoch(connection) == epoch


async def _epoch(connection: asyncpg.Connection) -> int:
    epoch: int = await connection.fetchval(_SHARDS["shard_lease"], SHARD)
    return epoch


async def insert_many(connection: asyncpg.Connection, chunks: Sequence[Chunk]) -> None:
    """All or none."""
    await connection.copy_records_to_table(
        "stream_chunk",
        columns=_COLUMNS,
        records=[
            (
                chunk.tenant_id,
                chunk.id,
                chunk.run_id,
                chunk.task_id,
                chunk.attempt,
                chunk.index,
                chunk.data,
            )
            for chunk in chunks
        ],
    )


async def existing(connection: asyncpg.Connection, chunks: Sequence[Chunk]) -> set[UUID]:
    """The ids of those of these chunks that are stored."""
    rows = await connection.fetch(
        _SQL["stream_existing"],
        [chunk.run_id for chunk in chunks],
        [chunk.id for chunk in chunks],
        min(chunk.id for chunk in chunks),
        max(chunk.id for chunk in chunks),
    )
    return {row["id"] for row in rows}


async def task_place(pool: asyncpg.Pool, tenant_id: UUID, task_id: UUID) -> TaskPlace | None:
    """The run of a task and its attempt; None for an unknown task."""
    row = await pool.fetchrow(_SQL["stream_task"], tenant_id, task_id)
    return None if row is None else TaskPlace(row["run_id"], row["attempt"])


async def run_end(pool: asyncpg.Pool, tenant_id: UUID, run_id: UUID) -> RunEnd | None:
    """How and when a run ended; None when it has not."""
    row = await pool.fetchrow(_SQL["stream_run_end"], tenant_id, run_id)
    return None if row is None else RunEnd(row["status"], row["finished_at"])


async def page(
    pool: asyncpg.Pool,
    tenant_id: UUID,
    run_id: UUID,
    after: UUID,
    chunks_max: int,
    bytes_max: int,
) -> list[Chunk]:
    """The chunks that follow ``after``; one at least if there is any. ``bytes_max`` is exceeded
    by less than one chunk."""
    rows = await pool.fetch(_SQL["stream_page"], tenant_id, run_id, after, chunks_max, bytes_max)
    return [
        Chunk(
            tenant_id,
            run_id,
            row["task_id"],
            row["attempt"],
            row["index"],
            row["data"],
            row["id"],
        )
        for row in rows
    ]


async def chunk_at(pool: asyncpg.Pool, tenant_id: UUID, run_id: UUID, position: int) -> UUID | None:
    """The id of the chunk at a position, 0 first; None when there are not so many."""
    found: UUID | None = await pool.fetchval(
        _SQL["stream_chunk_at"], tenant_id, run_id, before_run(run_id), position
    )
    return found


async def ranges(
    pool: asyncpg.Pool, tenant_id: UUID, run_id: UUID, task_id: UUID, attempt: int
) -> list[tuple[int, int]]:
    """Which indexes of an attempt are stored: from the first up to, but without, the second; in
    order. Of more than ``RANGES_MAX`` the lowest are taken for one."""
    rows = await pool.fetch(
        _SQL["stream_ranges"], tenant_id, run_id, before_run(run_id), task_id, attempt, RANGES_MAX
    )
    found = [(row["first"], row["after"]) for row in reversed(rows)]
    if len(found) == RANGES_MAX:
        found[0] = (0, found[0][1])
    return found


async def latest(pool: asyncpg.Pool, tenant_id: UUID, run_id: UUID) -> UUID | None:
    """The id of the last chunk of a run; None when it has none."""
    found: UUID | None = await pool.fetchval(
        _SQL["stream_latest"], tenant_id, run_id, before_run(run_id)
    )
    return found
