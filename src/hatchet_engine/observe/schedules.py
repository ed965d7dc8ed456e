"""Crons and scheduled runs."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from hatchet_engine.observe.pieces import statements

COUNT_MAX = 20_000  # totals stop here

_SQL = statements("read_schedules")
_CRON_ORDER = {"name": "c.name {way}, c.id {way}", "createdAt": "c.id {way}"}
_SCHEDULED_ORDER = {"triggerAt": "s.due_ms {way}, s.id {way}", "createdAt": "s.id {way}"}


async def cron_get(pool: asyncpg.Pool, tenant_id: UUID, cron_id: UUID) -> asyncpg.Record | None:
    return await pool.fetchrow(_SQL["cron_rows"] + " and c.id = $2", tenant_id, cron_id)


async def cron_list(
    pool: asyncpg.Pool,
    tenant_id: UUID,
    *,
    workflow_id: UUID | None,
    workflow: str | None,
    name: str | None,
    metadata: str | None,
    order: str,
    ascending: bool,
    offset: int,
    limit: int,
) -> tuple[list[asyncpg.Record], int]:
    """One page and how many there are (at most ``COUNT_MAX``). ``metadata``: JSON that theirs must
    contain; ``order``: name or createdAt."""
    wanted = (tenant_id, workflow_id, workflow, name, metadata)
    text = _SQL["cron_list"].replace("{rows}", _SQL["cron_rows"])
    text = text.replace("{order}", _ordered(_CRON_ORDER[order], ascending))
    records = await pool.fetch(text, *wanted, offset, limit)
    total: int = await pool.fetchval(_SQL["cron_count"], *wanted, COUNT_MAX)
    return records, total


async def scheduled_get(
    pool: asyncpg.Pool, tenant_id: UUID, scheduled_id: UUID
) -> asyncpg.Record | None:
    return await pool.fetchrow(
        _filled("scheduled_rows") + " and s.id = $2", tenant_id, scheduled_id
    )


async def scheduled_list(
    pool: asyncpg.Pool,
    tenant_id: UUID,
    *,
    workflow_id: UUID | None,
    parent_run_id: UUID | None,
    parent_task_id: UUID | None,
    metadata: str | None,
    statuses: Sequence[str] | None,
    order: str,
    ascending: bool,
    offset: int,
    limit: int,
) -> tuple[list[asyncpg.Record], int]:
    """As :func:`cron_list`; ``order``: triggerAt or createdAt."""
    wanted = (
        tenant_id,
        workflow_id,
        parent_run_id,
        parent_task_id,
        metadata,
        list(statuses) if statuses else None,
    )
    text = _filled("scheduled_list").replace(
        "{order}", _ordered(_SCHEDULED_ORDER[order], ascending)
    )
    records = await pool.fetch(text, *wanted, offset, limit)
    total: int = await pool.fetchval(_filled("scheduled_count"), *wanted, COUNT_MAX)
    return records, total


def _filled(name: str) -> str:
    text = _SQL[name]
    for piece in ("rows", "filters", "joins", "status"):
        text = text.replace(f"{{{piece}}}", _SQL[f"scheduled_{piece}"])
    return text


def _ordered(columns: str, ascending: bool) -> str:
    return columns.replace("{way}", "asc" if ascending else "desc")
