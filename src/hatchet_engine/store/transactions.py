"""What became of a transaction: Postgres knows it also when the connection broke during COMMIT."""

from __future__ import annotations

import asyncpg

from hatchet_engine.store.sql import load

_SQL = load("transactions")


async def current_id(connection: asyncpg.Connection) -> str:
    """Of the transaction that the connection is in."""
    found: str = await connection.fetchval(_SQL["transaction_id"])
    return found


async def committed(connection: asyncpg.Connection, id: str) -> bool:
    """Asked when the connection that was in it is known to have ended; ids are not used again."""
    found: bool = await connection.fetchval(_SQL["transaction_committed"], id)
    return found
