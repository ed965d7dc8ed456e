"""One client that watches all runs with a pair of metadata (SubscribeToWorkflowEvents, B10.2).

What happens from now on, live only; it ends when the last of the runs it has seen has ended,
however that ended.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from uuid import UUID

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.store.streams import Chunk
from hatchet_engine.transports.grpc.caller import Caller, Stream
from hatchet_engine.transports.grpc.codecs.events import (
    RUN_ENDS,
    TASK_ENDS,
    chunk_event,
    workflow_event,
)
from hatchet_engine.turn.deliveries import RunEvent

# What may wait for a client that does not read, before its stream is ended.
WAITING_EVENTS_MAX = 100_000
WAITING_BYTES_MAX = 64 * 1024 * 1024


class MetadataStream:
    """Implements ``RunWatcher``."""

    def __init__(self, caller: Caller, stream: Stream, key: str, value: str) -> None:
        self._engine = caller.engine
        self._tenant_id = caller.tenant_id
        self._stream = stream
        self._key = key
        self._value = value
        self._events: deque[RunEvent] = deque()
        self._chunks: deque[Chunk] = deque()
        self._chunk_bytes = 0
        self._alive: set[UUID] = set()
        self._wake = asyncio.Event()
        self._closed = False
        self._settling: asyncio.Future[None] | None = None
        self._error: Refused | None = None

    def deliver_events(self, events: Sequence[RunEvent]) -> None:
        self._events.extend(events)
        self._look_at_bounds()

    def deliver_chunks(self, chunks: Sequence[Chunk]) -> None:
        self._chunks.extend(chunks)
        self._chunk_bytes += sum(len(chunk.data) for chunk in chunks)
        self._look_at_bounds()

    async def serve(self) -> None:
        """Raises ``Refused`` when the client does not read what comes."""
        watchers = self._engine.watchers
        self._stream.ending.on_end(self._close)
        watchers.watch_metadata(self._tenant_id, self._key, self._value, self)
        try:
            await self._write()
        finally:
            watchers.unwatch(self)
        if self._error is not None:
            raise self._error

    def _look_at_bounds(self) -> None:
        waiting = len(self._events) + len(self._chunks)
        if waiting > WAITING_EVENTS_MAX or self._chunk_bytes > WAITING_BYTES_MAX:
            self._events.clear()
            self._chunks.clear()
            self._chunk_bytes = 0
            self._error = Refused(
                Code.RESOURCE_EXHAUSTED,
                "events come faster than they are read: some are lost; watch single runs, whose "
                "streams can be resumed",
            )
            self._close()
        self._wake.set()

    def _close(self) -> None:
        self._closed = True
        self._wake.set()
        if self._settling is not None:
            self._settling.cancel()

    async def _write(self) -> None:
        alive = self._alive
        while not self._closed:
            while self._events and not self._closed:
                event = self._events.popleft()
                if event.kind not in RUN_ENDS:
                    alive.add(event.run_id)
                    await self._pass_on(event)
                    continue
                await self._settle(event)
                seen = event.run_id in alive
                alive.discard(event.run_id)
                hangup = seen and not alive
                await self._send(event, hangup=hangup)
                if hangup:
                    return
            await self._send_chunks()
            self._wake.clear()
            if not (self._events or self._chunks or self._closed):
                await self._wake.wait()

    async def _pass_on(self, event: RunEvent) -> None:
        if event.kind in TASK_ENDS:
            await self._settle(event)
        await self._send(event)

    async def _settle(self, end: RunEvent) -> None:
        """What a task has said comes before its end."""
        streams = self._engine.streams
        if streams.has_waiting(end.run_id):
            self._settling = asyncio.ensure_future(streams.settle(end.run_id, end.task_id))
            await asyncio.wait({self._settling})
            self._settling = None
        await self._send_chunks()

    async def _send_chunks(self) -> None:
        while self._chunks:
            chunk = self._chunks.popleft()
            self._chunk_bytes -= len(chunk.data)
            self._alive.add(chunk.run_id)
            await self._stream.send(chunk_event(chunk).SerializeToString())

    async def _send(self, event: RunEvent, *, hangup: bool = False) -> None:
        if not self._closed:
            await self._stream.send(workflow_event(event, hangup=hangup).SerializeToString())
