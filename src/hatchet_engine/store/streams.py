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
from hatchet_engine.store.sql import load

_SQL = load("streams")
_COLUMNS = ("tenant_id", "id", "run_id", "task_id", "attempt", "index", "data")
NO_ID = UUID(int=0)
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


async def last_index(
    pool: asyncpg.Pool, tenant_id: UUID, run_id: UUID, task_id: UUID, attempt: int
) -> int | None:
    """The highest index that is stored of an attempt; None when there is none."""
    found: int | None = await pool.fetchval(
        _SQL["stream_last_index"], tenant_id, run_id, before_run(run_id), task_id, attempt
    )
    return found
