"""Operations on many runs and how far they have come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from hatchet_engine.store.sql import load

_SQL = load("read_bulk")


@dataclass(slots=True, frozen=True)
class BulkRow:
    id: UUID
    kind: str  # CANCEL, REPLAY
    filter: str  # JSON object text
    children: bool
    reason: str | None
    total: int
    done: int
    changed: int
    created_at: datetime
    finished_at: datetime | None
    error: str | None  # why it was given up


async def bulk_get(pool: asyncpg.Pool, tenant_id: UUID, id: UUID) -> BulkRow | None:
    record = await pool.fetchrow(_SQL["bulk_get"], tenant_id, id)
    return None if record is None else BulkRow(**record)


async def bulk_list(
    pool: asyncpg.Pool, tenant_id: UUID, *, offset: int, limit: int, most: int
) -> tuple[list[BulkRow], int]:
    """One page, newest first, and how many there are (at most ``most``)."""
    records = await pool.fetch(_SQL["bulk_list"], tenant_id, offset, limit)
    total: int = await pool.fetchval(_SQL["bulk_count"], tenant_id, most)
    return [BulkRow(**record) for record in records], total
