"""Slow, regular work beside the turns, on a connection of its own.

Every few seconds: the lease is renewed, together with the heartbeats of workers now and then, the
engine's clock is compared with the database's, and idempotency keys that have expired are removed.
Once an hour: partitions that are older than the retention are dropped, and scheduled runs that
fired before it.
"""

from __future__ import annotations

import asyncio

import asyncpg
import structlog

from hatchet_engine.shards import lease as leases
from hatchet_engine.store import idempotency, partitions, schedules, workers
from hatchet_engine.turn.engine import Engine
from hatchet_engine.turn.failed import ConnectionLost

log = structlog.get_logger("hatchet.upkeep")

HEARTBEAT_FLUSH_EVERY = 4  # renewals
RETENTION_EVERY = 720  # renewals: about an hour
DEFAULT_RETENTION_DAYS = 30
SWEEP_EVERY = 3  # renewals
SWEEP_KEYS = 1_000  # in one statement, which is short: a turn may need a page it has locked
SWEEP_STATEMENTS_MAX = 100  # in one round, so that renewals are not late


class Upkeep:
    """Runs while its node owns the shard."""

    def __init__(
        self,
        engine: Engine,
        dsn: str,
        lease: leases.Lease,
        retention_days: int = DEFAULT_RETENTION_DAYS,
    ) -> None:
        self._engine = engine
        self._dsn = dsn
        self._lease = lease
        self._retention_days = retention_days

    async def run(self) -> None:
        """Until cancelled; raises ``ConnectionLost`` when the shard has changed hands."""
        connection = await asyncpg.connect(self._dsn, command_timeout=leases.LEASE_S)
        try:
            rounds = 0
            while True:
                await asyncio.sleep(leases.RENEW_S)
                now_ms = self._engine.clock.now_ms()
                await self._renew(connection)
                rounds += 1
                if rounds % HEARTBEAT_FLUSH_EVERY == 0:
                    await self._flush_heartbeats(connection)
                if rounds % SWEEP_EVERY == 0:
                    await sweep_keys(connection, now_ms)
                if rounds % RETENTION_EVERY == 1:
                    await self._drop_old(connection, now_ms)
        finally:
            await connection.close(timeout=1)

    async def _renew(self, connection: asyncpg.Connection) -> None:
        clock = self._engine.clock
        sent_s = clock.host_s()
        database_time = await leases.renew(connection, self._lease)
        if database_time is None:
            raise ConnectionLost("another node has taken the shard over")
        clock.compare(database_time, sent_s, clock.host_s())

    async def _flush_heartbeats(self, connection: asyncpg.Connection) -> None:
        present = [worker for worker in self._engine.hot.workers.values() if worker.streamed]
        if present:
            await workers.set_heartbeat_many(
                connection,
                [worker.id for worker in present],
                [worker.heartbeat_ms for worker in present],
            )

    async def _drop_old(self, connection: asyncpg.Connection, now_ms: int) -> None:
        before_ms = now_ms - self._retention_days * partitions.DAY_MS
        dropped = await partitions.drop_before(connection, before_ms)
        if dropped:
            log.info("partitions_dropped", names=dropped)
        while await schedules.scheduled_drop_fired(connection, before_ms):
            await asyncio.sleep(0)


async def sweep_keys(connection: asyncpg.Connection, now_ms: int) -> None:
    """Remove idempotency keys that have expired. Nothing depends on it: a key is free by its time,
    whether its row is there or not (ID-10)."""
    for _ in range(SWEEP_STATEMENTS_MAX):
        if await idempotency.sweep(connection, now_ms, SWEEP_KEYS) < SWEEP_KEYS:
            return
