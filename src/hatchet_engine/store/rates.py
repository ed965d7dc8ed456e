"""Rate limits: how many units there are, and how many are left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from hatchet_engine.domain.rates import Meter
from hatchet_engine.store.batch import Batch
from hatchet_engine.store.history import Row, columns
from hatchet_engine.store.sql import load

_SQL = load("rates")


async def list_all(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(_SQL["rate_limit_list"])
    return rows


def meter(row: asyncpg.Record) -> Meter:
    """The limit of a row."""
    return Meter(row["limit_value"], row["window_length"], row["remaining"], row["began_ms"])


def put_many(batch: Batch, rows: Sequence[Row], now: datetime) -> None:
    """``rows``: tenant id, key, limit, window, remaining, began ms."""
    batch.add(_SQL["rate_limit_put_many"], *columns(rows), now)


def delete_many(batch: Batch, keys: Sequence[tuple[UUID, str]]) -> None:
    batch.add(_SQL["rate_limit_delete_many"], *columns(keys))
