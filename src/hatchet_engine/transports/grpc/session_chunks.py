"""Stream chunks of a session's frames: into their lane, and what waits until they are stored."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from uuid import UUID

import structlog

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.transports.engine_api import StreamLane
from hatchet_engine.transports.grpc.codecs.ids import id_of_bytes
from hatchet_protocol import session

log = structlog.get_logger("hatchet.session")

Attempt = tuple[UUID, int]  # task id, attempt


class SessionChunks:
    """Knows of which attempts chunks were taken that are not yet stored."""

    def __init__(self, lane: StreamLane, tenant_id: UUID) -> None:
        self._lane = lane
        self._tenant_id = tenant_id
        self._unstored: dict[Attempt, asyncio.Future[None]] = {}

    def unstored(self, task_id: UUID, attempt: int | None) -> asyncio.Future[None] | None:
        """Set when all chunks of the attempt are stored; None when they are."""
        if not self._unstored or attempt is None:
            return None
        return self._unstored.get((task_id, attempt))

    async def put(self, chunks: Iterable[session.StreamChunk]) -> asyncio.Future[None]:
        """Put chunks, one after the other; waits while the lane is full. The future is set when
        they are stored, and cancelled when they are not taken after all.

        One that the lane refuses is left out and named in the log: streams never break a connection
        that carries results. Raises ``Refused``: UNAVAILABLE when the lane takes no chunks now,
        INVALID_ARGUMENT for an id that is none, because the frame is malformed then.
        """
        attempts: set[Attempt] = set()
        put, tenant_id = self._lane.put, self._tenant_id
        for chunk in chunks:
            task_id = id_of_bytes(chunk.task_id, "chunks.task_id")
            try:
                await put(
                    tenant_id, task_id, chunk.data, chunk.index, chunk.attempt, again=chunk.again
                )
            except Refused as refused:
                if refused.code is Code.UNAVAILABLE:
                    raise
                log.warning("chunk_refused", task_id=str(task_id), reason=refused.message)
            else:
                attempts.add((task_id, chunk.attempt))
        future = self._lane.when_stored(attempts)
        if not future.done():
            for attempt in attempts:
                self._unstored[attempt] = future
            future.add_done_callback(lambda _: self._forget(attempts, future))
        return future

    def _forget(self, attempts: set[Attempt], future: asyncio.Future[None]) -> None:
        for attempt in attempts:
            if self._unstored.get(attempt) is future:
                del self._unstored[attempt]
