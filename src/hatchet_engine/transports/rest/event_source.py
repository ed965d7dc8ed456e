"""A run's stream as server-sent events: from any position, live to the end of the run.

Each chunk is an event ``chunk`` whose id is its position, so a client that reconnects with
``Last-Event-ID`` goes on where it was; the last event is ``end``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from hatchet_engine.domain.states import Status
from hatchet_engine.observe import runs
from hatchet_engine.observe.stream_reader import ChunkReader
from hatchet_engine.store.streams import Chunk
from hatchet_engine.transports.rest.codecs.streams import stream_chunk
from hatchet_engine.transports.rest.engine_api import EngineApi
from hatchet_engine.transports.rest.responses import encode
from hatchet_engine.transports.rest.schemas.streams import StreamEnd
from hatchet_engine.turn.deliveries import RunEvent

KEEP_ALIVE_S = 15.0  # a comment line, so that proxies keep a quiet connection
STRAGGLERS_S = 0.25  # chunks may come a little after the end of their run


class EventSource:
    """Implements ``RunWatcher`` for one client."""

    def __init__(self, engine: EngineApi, tenant_id: UUID, run_id: UUID, after: int) -> None:
        self._engine = engine
        self._tenant_id = tenant_id
        self._run_id = run_id
        self._chunks = ChunkReader(engine.read_pool, tenant_id, run_id, after)
        self._end: Status | None = None
        self._wake = asyncio.Event()

    def deliver_events(self, events: Sequence[RunEvent]) -> None:
        for event in events:
            if event.task_id is None and event.kind.startswith("RUN_"):
                self._end = Status[event.kind.removeprefix("RUN_")]
                self._wake.set()

    def deliver_chunks(self, chunks: Sequence[Chunk]) -> None:
        self._chunks.deliver(chunks)
        self._wake.set()

    async def lines(self) -> AsyncIterator[bytes]:
        watchers = self._engine.watchers
        watchers.watch_run(self._tenant_id, self._run_id, self)
        try:
            status = await runs.run_status(self._engine.read_pool, self._tenant_id, self._run_id)
            if status is not None and status.final:
                self._end = status
            while self._end is None:
                async for line in self._stored():
                    yield line
                if not await self._woken(KEEP_ALIVE_S):
                    yield b": still here\n\n"
            if status is None or not status.final:
                await asyncio.sleep(STRAGGLERS_S)
            await self._engine.streams.settle(self._run_id)
            async for line in self._stored():
                yield line
            yield b"event: end\ndata: " + encode(StreamEnd(status=self._end.name)) + b"\n\n"
        finally:
            watchers.unwatch(self)

    async def _stored(self) -> AsyncIterator[bytes]:
        """All there is now."""
        self._wake.clear()
        while chunks := await self._chunks.take():
            first = self._chunks.position - len(chunks) + 1
            yield b"".join(_event(chunk, at) for at, chunk in enumerate(chunks, first))

    async def _woken(self, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        except TimeoutError:
            return False
        return True


def _event(chunk: Chunk, position: int) -> bytes:
    data = encode(stream_chunk(chunk, position))
    return b"id: %d\nevent: chunk\ndata: %b\n\n" % (position, data)
