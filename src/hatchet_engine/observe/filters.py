"""Event filters: which workflows an event of a scope triggers."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from hatchet_engine.observe.pieces import statements
from hatchet_engine.observe.times import to_ms
from hatchet_engine.turn.commands import Filter

COUNT_MAX = 20_000  # totals stop here

_SQL = statements("read_events")


async def filter_get(pool: asyncpg.Pool, tenant_id: UUID, filter_id: UUID) -> Filter | None:
    record = await pool.fetchrow(_SQL["filter_get"], tenant_id, filter_id)
    return None if record is None else _filter(record)


async def filter_list(
    pool: asyncpg.Pool,
    tenant_id: UUID,
    *,
    workflow_ids: Sequence[UUID],
    scopes: Sequence[str],
    offset: int,
    limit: int,
) -> tuple[list[Filter], int]:
    """One page, newest first, and how many there are (at most ``COUNT_MAX``). Empty: all."""
    wanted = (list(workflow_ids) or None, list(scopes) or None)
    records = await pool.fetch(_SQL["filter_list"], tenant_id, *wanted, offset, limit)
    total: int = await pool.fetchval(_SQL["filter_count"], tenant_id, *wanted, COUNT_MAX)
    return [_filter(record) for record in records], total


def _filter(record: asyncpg.Record) -> Filter:
    return Filter(
        id=record["id"],
        tenant_id=record["tenant_id"],
        workflow_id=record["workflow_id"],
        scope=record["scope"],
        expression=record["expression"],
        payload=record["payload"],
        declarative=record["declarative"],
        created_ms=to_ms(record["created_at"]),
        updated_ms=to_ms(record["updated_at"]),
    )
