"""One client that watches one run (SubscribeToWorkflowEvents, B10.1).

It gets the whole stream of the run wherever it joins, from the position it names, and what happens
to the run and its tasks from now on; then the run's end with a hang-up. A task's chunks come
before the event of the task's end.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from uuid import UUID

from hatchet_engine.domain.errors import Code, Refused, not_found
from hatchet_engine.domain.states import Status
from hatchet_engine.observe import runs
from hatchet_engine.observe.stream_reader import ChunkReader
from hatchet_engine.store.streams import Chunk
from hatchet_engine.transports.grpc.caller import Caller, Stream
from hatchet_engine.transports.grpc.codecs.events import (
    RUN_ENDS,
    TASK_ENDS,
    chunk_event,
    workflow_event,
)
from hatchet_engine.turn.deliveries import RunEvent

APPEARS_POLLS = 10  # a run may be asked for before its trigger has returned
APPEARS_POLL_S = 1.0
# Chunks may travel by other calls than the end of the task, and come a little after it.
STRAGGLERS_S = 0.25
STRAGGLERS_WITH_GAP_S = 2.0
# Events that wait for a client that does not read. Beyond it the stream ends, and the client comes
# back with the position it has reached.
WAITING_MAX = 100_000


class EventStream:
    """Implements ``RunWatcher``. ``after``: chunks of the run that the client has seen already."""

    def __init__(self, caller: Caller, stream: Stream, run_id: UUID, after: int = 0) -> None:
        self._engine = caller.engine
        self._tenant_id = caller.tenant_id
        self._stream = stream
        self._run_id = run_id
        self._chunks = ChunkReader(caller.engine.read_pool, caller.tenant_id, run_id, after)
        self._events: deque[RunEvent] = deque()
        self._wake = asyncio.Event()
        self._closed = False
        self._settling: asyncio.Future[None] | None = None
        self._error: Refused | None = None

    def deliver_events(self, events: Sequence[RunEvent]) -> None:
        self._events.extend(events)
        if len(self._events) > WAITING_MAX:
            self._events.clear()
            self._error = Refused(Code.UNAVAILABLE, "too many events wait to be read: reconnect")
            self._close()
        self._wake.set()

    def deliver_chunks(self, chunks: Sequence[Chunk]) -> None:
        self._chunks.deliver(chunks)
        self._wake.set()

    async def serve(self) -> None:
        """Raises ``Refused`` NOT_FOUND when the run does not appear in time."""
        self._stream.ending.on_end(self._close)
        status = await self._appears()
        if status is None:
            return
        watchers = self._engine.watchers
        watchers.watch_run(self._tenant_id, self._run_id, self)
        try:
            if status.final:
                await self._hang_up(self._end_of(status))
            else:
                await self._watch(status)
        finally:
            watchers.unwatch(self)
        if self._error is not None:
            raise self._error

    def _close(self) -> None:
        self._closed = True
        self._wake.set()
        if self._settling is not None:
            self._settling.cancel()

    async def _status(self) -> Status | None:
        return await runs.run_status(self._engine.read_pool, self._tenant_id, self._run_id)

    async def _appears(self) -> Status | None:
        """The status of the run; None when the stream has ended before it was there."""
        for poll in range(APPEARS_POLLS):
            if poll:
                await self._wait(APPEARS_POLL_S)
            if self._closed:
                return None
            status = await self._status()
            if status is not None:
                return status
        raise not_found(f"workflow_run_id: there is no run {self._run_id}")

    def _end_of(self, status: Status) -> RunEvent:
        now_ms = self._engine.clock.now_ms()
        return RunEvent(self._run_id, None, f"RUN_{status.name}", "", 0, None, now_ms)

    # ------------------------------------------------------------ writing

    async def _watch(self, status: Status) -> None:
        # Looked at again: it may have ended before the watch began.
        status = await self._status() or status
        if status.final:
            await self._wait(STRAGGLERS_S)
            self._events.append(self._end_of(status))
        await self._write()

    async def _write(self) -> None:
        while not self._closed:
            while self._events:
                event = self._events.popleft()
                if event.kind in RUN_ENDS:
                    await self._wait_for_stragglers()
                    await self._hang_up(event)
                    return
                await self._pass_on(event)
            if not await self._send_chunks():
                await self._wait(None)

    async def _pass_on(self, event: RunEvent) -> None:
        if event.kind in TASK_ENDS:
            await self._settle(event.task_id)
        await self._send(event)

    async def _wait_for_stragglers(self) -> None:
        """The run has ended: wait a moment for chunks that are on their way, if it has any."""
        gap = self._engine.streams.has_gap(self._run_id)
        if not gap and not self._chunks.position:
            return
        loop = asyncio.get_running_loop()
        until_s = loop.time() + (STRAGGLERS_WITH_GAP_S if gap else STRAGGLERS_S)
        while not self._closed and (rest_s := until_s - loop.time()) > 0:
            await self._wait(rest_s)
            while self._events:
                event = self._events.popleft()
                if event.kind not in RUN_ENDS:
                    await self._pass_on(event)
            await self._send_chunks()

    async def _hang_up(self, end: RunEvent) -> None:
        await self._settle(None)
        if not self._closed:
            await self._send(end, hangup=True)

    async def _settle(self, task_id: UUID | None) -> None:
        """Send all chunks that have come up to now, of one task or of all."""
        streams = self._engine.streams
        if streams.has_waiting(self._run_id):
            self._settling = asyncio.ensure_future(streams.settle(self._run_id, task_id))
            await asyncio.wait({self._settling})
            self._settling = None
        while await self._send_chunks():
            pass

    async def _send_chunks(self) -> bool:
        """The next chunks; False when there are none now."""
        if self._closed:
            return False
        chunks = await self._chunks.take()
        for chunk in chunks:
            await self._stream.send(chunk_event(chunk).SerializeToString())
        return bool(chunks)

    async def _send(self, event: RunEvent, *, hangup: bool = False) -> None:
        await self._stream.send(workflow_event(event, hangup=hangup).SerializeToString())

    async def _wait(self, timeout_s: float | None) -> None:
        """For events, chunks or the end of the stream."""
        self._wake.clear()
        if self._events or self._closed:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        except TimeoutError:
            pass
