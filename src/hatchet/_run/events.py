"""Follows what happens in a run: reads on the I/O thread, hands over in batches.

The server sends as fast as the consumer takes: at most `READ_AHEAD` events wait here, then
nothing is read, and HTTP/2 holds the server back.

A stream that breaks is opened again, and says how many chunks are there already, so that the
server goes on with the next one. Chunks are counted from the first of the run on, because the
first subscription asks for all of them.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from hatchet._core.session import RunEvent
from hatchet._run.failures import pauses, unavailable
from hatchet._run.io_thread import IoThread
from hatchet.exceptions import HatchetCallError

if TYPE_CHECKING:
    from hatchet._wire.channel import CallFailure, EventCall
    from hatchet.config import ClientConfig

READ_AHEAD = 1000
PATIENCE_S = 60.0  # without any connection
STREAM = 6  # event type of the protocol
# A server that shuts down ends streams so; all others will not get better by trying again.
BREAKS = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "INTERNAL", "UNKNOWN"})


class _End(NamedTuple):
    error: Exception | None


class EventFeed:
    """One subscription. `take` and `aio_take` give what has gathered, [] at the end."""

    def __init__(
        self,
        io: IoThread,
        config: "ClientConfig",
        channel: Callable[[], Any],
        run_id: str,
        metadata: tuple[str, str] | None,
    ) -> None:
        self._io = io
        self._config = config
        self._channel = channel
        self._run_id = run_id
        self._metadata = metadata
        self._queue: asyncio.Queue[RunEvent | _End] = asyncio.Queue(READ_AHEAD)
        self._reader: asyncio.Task[None] | None = None
        self._chunks = 0  # of the stream of this run
        self._received = 0
        self._end: _End | None = None
        self._closed = False

    # ------------------------------------------------------------------ any thread

    def take(self) -> list[RunEvent]:
        """Wait for events; [] when the run has ended. Raises how the subscription failed."""
        future = self._io.submit(self._take())
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def aio_take(self) -> list[RunEvent]:
        """Like `take`, from async code."""
        return await asyncio.wrap_future(self._io.submit(self._take()))

    def close(self) -> None:
        """End the subscription. Whoever waits in `take` gets []."""
        self._io.loop.call_soon_threadsafe(self.end)

    # ------------------------------------------------------------------ I/O thread

    async def _take(self) -> list[RunEvent]:
        if self._closed:
            return []
        if self._end is not None:
            return self._ended()
        if self._reader is None:
            self._reader = asyncio.create_task(self._read())
        events: list[RunEvent] = []
        item = await self._queue.get()
        while isinstance(item, RunEvent):
            events.append(item)
            if self._queue.empty():
                return events
            item = self._queue.get_nowait()
        self._end = item
        return events or self._ended()

    def _ended(self) -> list[RunEvent]:
        if self._end is not None and self._end.error is not None:
            raise self._end.error
        return []

    def end(self) -> None:
        """The same as `close`, on the I/O thread."""
        self._closed = True
        if self._reader is not None:
            self._reader.cancel()
        with contextlib.suppress(asyncio.QueueFull):  # a full queue has nobody waiting
            self._queue.put_nowait(_End(None))

    async def _read(self) -> None:
        try:
            error = await self._follow()
        except Exception as problem:  # a defect here must not leave the consumer waiting
            error = problem
        await self._queue.put(_End(error))

    async def _follow(self) -> Exception | None:
        """Subscribe until the end of the run; why it can not go on, or None."""
        waits, last_sign = pauses(), time.monotonic()
        while True:
            before = self._received
            failure = await self._subscribe_once()
            if failure is None:
                return None
            if self._received != before:
                waits, last_sign = pauses(), time.monotonic()
            if failure.code not in BREAKS:
                return HatchetCallError(failure.code, failure.message)
            if time.monotonic() - last_sign > PATIENCE_S:
                return unavailable(self._config.host_port, failure.message)
            await asyncio.sleep(next(waits))

    async def _subscribe_once(self) -> "CallFailure | None":
        """One stream to its end; None if the run has ended."""
        from hatchet._wire import channel as wire

        after = self._chunks if self._metadata is None else None
        call = wire.subscribe_events(
            self._channel(), self._config.token, self._run_id, self._metadata, after
        )
        try:
            return await self._drain(call)
        except (Exception, asyncio.CancelledError) as error:
            failure = wire.failure(error)
            if failure is None:
                raise
            return failure
        finally:
            call.cancel()

    async def _drain(self, call: "EventCall") -> "CallFailure | None":
        from hatchet._wire import channel as wire

        before = self._received
        while not wire.is_end(message := await call.read()):
            event = wire.run_event(message)
            self._received += 1
            if event.event_type == STREAM:
                self._chunks += 1
            await self._queue.put(event)
            if event.hangup:
                return None
        if self._received == before:
            return None  # the run had ended before, and there is nothing to tell
        # Streams end with a hangup: this one was cut. The run may go on.
        return wire.CallFailure("UNAVAILABLE", "the stream ended before the run")
