"""Pauses that are on."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from hatchet_engine.store.batch import Batch
from hatchet_engine.store.history import Row, columns
from hatchet_engine.store.sql import load

_SQL = load("pauses")


async def list_all(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(_SQL["pause_list"])
    return rows


def put_many(batch: Batch, rows: Sequence[Row]) -> None:
    """``rows``: the columns of the table, in order."""
    batch.add(_SQL["pause_put_many"], *columns(rows))


def delete_many(batch: Batch, keys: Sequence[Row]) -> None:
    """``keys``: tenant id, kind, target."""
    batch.add(_SQL["pause_delete_many"], *columns(keys))
