"""One engine node: gets the shard, keeps it, and gets it again after any loss."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from uuid import UUID, uuid4

import asyncpg
import structlog

from hatchet_engine.shards import lease as leases
from hatchet_engine.turn.connection import prepare_writer
from hatchet_engine.turn.engine import Engine
from hatchet_engine.turn.failed import ConnectionLost
from hatchet_engine.upkeep.loop import DEFAULT_RETENTION_DAYS, Upkeep

log = structlog.get_logger("hatchet.node")

STANDBY_RETRY_S = 1.0  # how soon a waiting node looks again whether the shard is free
RECONNECT_DELAYS_S = (0.05, 0.2, 0.5, 1.0, 2.0)
PATIENCE_S = 5.0  # callers wait so long for a lost database before they are told
DATABASE_ERRORS = (
    ConnectionLost,
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
STATEMENTS_CACHED = 500  # a turn's statement is joined from parts: there are many combinations
COMMAND_TIMEOUT_S = 70.0  # a statement that hangs longer means a dead connection


class Node:
    """Runs an engine on a database. ``owner`` is set while this node owns the shard."""

    def __init__(
        self, engine: Engine, dsn: str, name: str, retention_days: int = DEFAULT_RETENTION_DAYS
    ) -> None:
        self.engine = engine
        self.id: UUID = uuid4()
        self.name = name
        self.owner = asyncio.Event()
        self.epoch = 0
        self._dsn = dsn
        self._stopping = False
        self._retention_days = retention_days
        self._owned_at: float | None = None

    async def run(self) -> None:
        """Own the shard whenever possible, until :meth:`stop`."""
        failures = 0
        while not self._stopping:
            try:
                owned = await self._own_once()
                failures = 0
                if not owned:
                    await asyncio.sleep(STANDBY_RETRY_S)
            except Exception as error:
                if self._owned_for_s() > PATIENCE_S:
                    failures = 0  # a new incident, not one more failure of the last
                if isinstance(error, DATABASE_ERRORS):
                    log.warning("database_lost", error=str(error), failures=failures)
                else:
                    # A defect. State that is read anew may help; a node that stands still never.
                    log.exception("node_failed", failures=failures)
                delay_s = RECONNECT_DELAYS_S[min(failures, len(RECONNECT_DELAYS_S) - 1)]
                failures += 1
                if failures * delay_s > PATIENCE_S or failures > len(RECONNECT_DELAYS_S):
                    self.engine.resign()
                await asyncio.sleep(delay_s * (0.5 + random.random()))

    def stop(self) -> None:
        self._stopping = True
        self.engine.stop()

    async def _own_once(self) -> bool:
        self._owned_at = None
        connection = await asyncpg.connect(
            self._dsn, command_timeout=COMMAND_TIMEOUT_S, statement_cache_size=STATEMENTS_CACHED
        )
        try:
            await prepare_writer(connection)
            lease = await leases.take(connection, self.id, self.name)
            if lease is None:
                self.engine.resign()
                return False
            self.epoch = lease.epoch
            await self.engine.take_over(connection)
            self._owned_at = time.monotonic()
            self.owner.set()
            log.info("shard_owned", epoch=lease.epoch)
            await self._serve(lease)
            await leases.give_back(connection, lease)
            return True
        finally:
            self.owner.clear()
            with suppress(Exception):
                await connection.close(timeout=1)

    def _owned_for_s(self) -> float:
        """How long ago the last try made this node the owner; 0 if it did not."""
        return 0.0 if self._owned_at is None else time.monotonic() - self._owned_at

    async def _serve(self, lease: leases.Lease) -> None:
        """The engine's loop with its upkeep beside it; ends with whichever ends first."""
        upkeep = Upkeep(self.engine, self._dsn, lease, self._retention_days)
        loop = asyncio.create_task(self.engine.run())
        beside = asyncio.create_task(upkeep.run())
        try:
            await asyncio.wait({loop, beside}, return_when=asyncio.FIRST_COMPLETED)
            if loop.done():
                await loop
            else:
                await beside  # raises why
        finally:
            for task in (loop, beside):
                task.cancel()
            await asyncio.gather(loop, beside, return_exceptions=True)
