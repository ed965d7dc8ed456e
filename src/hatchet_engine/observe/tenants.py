"""Tenants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from hatchet_engine.store.sql import load

_SQL = load("read_workflows")


@dataclass(slots=True, frozen=True)
class TenantRow:
    id: UUID
    slug: str
    name: str
    created_at: datetime
    updated_at: datetime


async def tenant_get(pool: asyncpg.Pool, tenant_id: UUID) -> TenantRow | None:
    """None for unknown and deleted ones."""
    record = await pool.fetchrow(_SQL["tenant_get"], tenant_id)
    if record is None:
        return None
    return TenantRow(
        id=record["id"],
        slug=record["slug"],
        name=record["name"],
        created_at=record["created_at"],
        updated_at=record["updated_at"],
    )
