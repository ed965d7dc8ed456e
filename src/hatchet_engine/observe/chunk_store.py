"""Writes batches of stream chunks on a connection of its own, however long Postgres is away.

That connection holds a lock, like the one of the turn (decision 4): a node that has lost the shard,
or a server that was killed, can't commit chunks any more once the next owner looks for what is
stored. Otherwise a chunk that is sent again could be stored by both.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

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


class Superseded(Exception):
    """Another node has owned the shard since chunks were taken here; it may have them, too."""


class ChunkStore:
    """One connection. A batch is committed as the database's default says: what a reader has
    seen stays, whatever breaks. ``epoch``: of this node's last ownership of the shard."""

    def __init__(self, dsn: str, epoch: Callable[[], int]) -> None:
        self._dsn = dsn
        self._epoch = epoch
        self._since: int | None = None  # nobody else has owned the shard since this epoch
        self._owners = 0  # others that were noticed
        self._connection: asyncpg.Connection | None = None
        self._connecting = asyncio.Lock()

    def begin(self) -> None:
        """A chunk is taken, to be stored some time."""
        if self._since is None:
            self._since = self._epoch()

    async def claim(self) -> None:
        """Nobody else stores chunks from now on, and what others have stored can be seen. Raises
        ``Superseded``, or one of ``AWAY``."""
        await self._connect()

    async def store(self, batch: Sequence[Chunk]) -> list[Chunk]:
        """Returns what is stored: all, but for chunks that Postgres refuses. Raises
        ``Superseded``: nothing of it may be stored."""
        wait_s = RETRY_S_MIN
        surprises = 0
        owners = self._owners
        while True:
            try:
                if owners != self._owners:
                    raise Superseded
                return await self._insert(batch)
            except Superseded:
                raise
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
        async with self._connecting:
            epoch = self._epoch()
            connection = self._connection
            if connection is not None and not connection.is_closed() and self._since == epoch:
                return connection
            await self.close()
            if self._since is not None and epoch > self._since + 1:
                raise self._superseded()
            connection = await asyncpg.connect(
                self._dsn, server_settings={"application_name": "hatchet streams"}
            )
            try:
                if not await streams.claim(connection, epoch):
                    raise self._superseded()
            except BaseException:
                connection.terminate()
                raise
            self._since, self._connection = epoch, connection
            return connection

    def _superseded(self) -> Superseded:
        self._since = None
        self._owners += 1
        return Superseded()
