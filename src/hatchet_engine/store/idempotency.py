"""Idempotency keys that are taken: the idempotency_key table."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from hatchet_engine.store.batch import Batch
from hatchet_engine.store.history import Row, columns
from hatchet_engine.store.sql import load

_SQL = load("idempotency")


def claim(batch: Batch, rows: Sequence[Row]) -> None:
    """``rows``: tenant, workflow, key, run, until end, expires ms; each key once."""
    batch.add(_SQL["idempotency_key_claim"], *columns(rows))


def free(batch: Batch, run_ids: Sequence[UUID]) -> None:
    """Free the keys that these runs hold until their end."""
    batch.add(_SQL["idempotency_key_free"], run_ids)


async def holders(
    connection: asyncpg.Connection, keys: Sequence[tuple[UUID, str]]
) -> list[asyncpg.Record]:
    """The rows of these keys, by (workflow, key); free ones are missing or have expired."""
    rows: list[asyncpg.Record] = await connection.fetch(
        _SQL["idempotency_key_holders"], *columns(keys)
    )
    return rows


async def sweep(connection: asyncpg.Connection, now_ms: int, limit: int) -> int:
    """Remove expired rows, at most ``limit``; returns how many there were."""
    status: str = await connection.execute(_SQL["idempotency_key_sweep"], now_ms, limit)
    return int(status.rsplit(maxsplit=1)[-1])
