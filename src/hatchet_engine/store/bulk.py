"""Operations on many runs, done in steps."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from hatchet_engine.store.batch import Batch
from hatchet_engine.store.sql import load

_SQL = load("bulk")


async def insert(connection: asyncpg.Connection, *values: Any) -> None:
    """``values``: id, tenant, kind, filter as JSON, children, reason, total, created at,
    finished at."""
    await connection.execute(_SQL["bulk_insert"], *values)


async def open_list(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """Those that are not done, oldest first."""
    rows: list[asyncpg.Record] = await connection.fetch(_SQL["bulk_open_list"])
    return rows


async def give_up(
    connection: asyncpg.Connection, id: UUID, finished_at: datetime, error: str
) -> None:
    """It can't go on."""
    await connection.execute(_SQL["bulk_give_up"], id, finished_at, error)


def advance(batch: Batch, *values: Any) -> None:
    """``values``: id, cursor, done, changed, finished at or None."""
    batch.add(_SQL["bulk_advance"], *values)
