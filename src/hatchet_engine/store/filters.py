"""Event filters."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg

from hatchet_engine.store.sql import load

_SQL = load("filters")


async def list_all(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(_SQL["filter_list"])
    return rows


async def insert(connection: asyncpg.Connection, *values: Any) -> None:
    """``values``: id, tenant, workflow, scope, expression, payload, declarative, now."""
    await connection.execute(_SQL["filter_insert"], *values)


async def update(connection: asyncpg.Connection, *values: Any) -> None:
    """``values``: id, scope, expression, payload, now."""
    await connection.execute(_SQL["filter_update"], *values)


async def delete(connection: asyncpg.Connection, filter_id: UUID) -> None:
    await connection.execute(_SQL["filter_delete"], filter_id)


async def delete_declarative(connection: asyncpg.Connection, workflow_id: UUID) -> None:
    """Those that came with a workflow's definition."""
    await connection.execute(_SQL["filter_delete_declarative"], workflow_id)
