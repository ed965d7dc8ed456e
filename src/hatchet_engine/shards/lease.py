"""Who owns the shard: an advisory lock held by the writer's own connection, and a lease row.

The lock is the fence: it lives and dies with the connection that writes, so an owner that lost
it can't commit, at no cost per turn. The lease row only tells the others how long to be patient:
when it has run out, the connection that still holds the lock (its host may be cut off) is ended
first. Lock and row need a session of their own: no transaction-pooling proxy in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from hatchet_engine.store.sql import load

_SQL = load("shards")

LOCK_SPACE = 0x48415443  # the first half of the advisory lock's key; the second is the shard
SHARD = 0
LEASE_S = 10.0
RENEW_S = 5.0


@dataclass(frozen=True, slots=True)
class Lease:
    """Ownership of a shard, gained by ``take``."""

    epoch: int
    node_id: UUID


async def take(connection: asyncpg.Connection, node_id: UUID, node_name: str) -> Lease | None:
    """Try to become the owner; None while another node holds the shard."""
    if not await _lock(connection):
        row = await connection.fetchrow(_SQL["shard_lease"], SHARD)
        now = await database_now(connection)
        if row is None or row["lease_until"] is None or row["lease_until"] > now:
            return None
        await connection.execute(_SQL["shard_evict"], LOCK_SPACE, SHARD)
        if not await _lock(connection):
            return None
    until = await database_now(connection) + timedelta(seconds=LEASE_S)
    epoch: int = await connection.fetchval(_SQL["shard_take"], SHARD, node_id, node_name, until)
    return Lease(epoch, node_id)


async def renew(connection: asyncpg.Connection, lease: Lease) -> datetime | None:
    """Stay the owner for another ``LEASE_S``. Returns the database's time; None when the shard has
    changed hands."""
    length = timedelta(seconds=LEASE_S)
    at: datetime | None = await connection.fetchval(_SQL["shard_renew"], SHARD, lease.epoch, length)
    return at


async def give_back(connection: asyncpg.Connection, lease: Lease) -> None:
    """A clean stop: the next owner need not wait."""
    await connection.execute(_SQL["shard_give_back"], SHARD, lease.epoch)


async def database_now(connection: asyncpg.Connection) -> datetime:
    """The database's clock, which all nodes share."""
    now: datetime = await connection.fetchval(_SQL["clock"])
    return now.astimezone(UTC)


async def _lock(connection: asyncpg.Connection) -> bool:
    taken: bool = await connection.fetchval(_SQL["shard_try_lock"], LOCK_SPACE, SHARD)
    return taken
