"""Workflows and their versions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from hatchet_engine.store.sql import load

_SQL = load("workflows")


async def latest_list(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """The newest version of every workflow."""
    rows: list[asyncpg.Record] = await connection.fetch(_SQL["workflow_latest_list"])
    return rows


async def version_get_many(
    connection: asyncpg.Connection, version_ids: Sequence[UUID]
) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(
        _SQL["workflow_version_get_many"], version_ids
    )
    return rows


async def insert(connection: asyncpg.Connection, *values: Any) -> None:
    """``values``: id, tenant id, name, description, now."""
    await connection.execute(_SQL["workflow_insert"], *values)


async def touch(
    connection: asyncpg.Connection, workflow_id: UUID, description: str, now: datetime
) -> None:
    await connection.execute(_SQL["workflow_touch"], workflow_id, description, now)


async def version_insert(connection: asyncpg.Connection, *values: Any) -> None:
    """``values``: id, tenant id, workflow id, number, digest, definition, now."""
    await connection.execute(_SQL["workflow_version_insert"], *values)


async def delete(
    connection: asyncpg.Connection,
    tenant_id: UUID,
    workflow_id: UUID,
    now: datetime,
    suffix: str,
) -> bool:
    """Soft delete: the name becomes free again. False when there is no such workflow."""
    found = await connection.fetchval(_SQL["workflow_delete"], tenant_id, workflow_id, now, suffix)
    return found is not None
