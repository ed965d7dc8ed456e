"""Writes batches of stream chunks on a connection of its own, however long Postgres is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import asyncpg

from hatchet_engine.store import streams
from hatchet_engine.store.streams import Chunk

RETRY_S_MIN = 0.1
RETRY_S_MAX = 5.0
SURPRISES_MAX = 3  # tries of a batch that fails for a reason other than the connection
AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
# Data that Postgres, or before it the client library's encoder, does not take.
_REFUSED = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    ValueError,
    TypeError,
    ArithmeticError,
)
_log = logging.getLogger(__name__)


class ChunkStore:
    """One connection. A batch is committed as the database's default says: what a reader has
    seen stays, whatever breaks."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: asyncpg.Connection | None = None

    async def store(self, batch: Sequence[Chunk]) -> list[Chunk]:
        """Returns what is stored: all, but for chunks that Postgres refuses."""
        wait_s = RETRY_S_MIN
        surprises = 0
        while True:
            try:
                return await self._insert(batch)
            except AWAY as error:
                _log.warning("stream lane: %s; %d chunks wait", error, len(batch))
            except Exception:
                # A connection that breaks inside of a COPY also shows as an error of the client
                # library's own state.
                surprises += 1
                if surprises >= SURPRISES_MAX:
                    _log.exception("stream lane: %d chunks are lost", len(batch))
                    return []
            await self.close()
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, RETRY_S_MAX)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _insert(self, batch: Sequence[Chunk]) -> list[Chunk]:
        """COPY all; when Postgres refuses the data, halve until the culprit stands alone."""
        connection = await self._connect()
        try:
            await streams.insert_many(connection, batch)
        except asyncpg.UniqueViolationError:
            # Of an earlier try whose answer was lost.
            known = await streams.existing(connection, batch)
            rest = [chunk for chunk in batch if chunk.id not in known]
            stored = await self._insert(rest) if rest else []
            lost = {chunk.id for chunk in rest} - {chunk.id for chunk in stored}
            return [chunk for chunk in batch if chunk.id not in lost]
        except _REFUSED as error:
            if len(batch) == 1:
                _log.warning("stream lane: a chunk was refused: %s", error)
                return []
            middle = len(batch) // 2
            return await self._insert(batch[:middle]) + await self._insert(batch[middle:])
        return list(batch)

    async def _connect(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                self._dsn, server_settings={"application_name": "hatchet streams"}
            )
        return self._connection
