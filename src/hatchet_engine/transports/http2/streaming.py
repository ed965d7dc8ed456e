"""Calls with any number of messages, both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from hatchet_engine.transports.http2.calls import Call, Metadata, cut_off
from hatchet_engine.transports.http2.messages import framed
from hatchet_engine.transports.http2.status import HEAD, GrpcError
from hatchet_engine.transports.http2.stream import Stream

if TYPE_CHECKING:
    from hatchet_engine.transports.http2.grpc import CallHead, GrpcApplication


class StreamCall(Call):
    """A call whose handler reads and writes messages, each when it likes.

    ``on_gone`` is how it learns that nobody listens any more; it should then return. One task at a
    time may receive, and one may send.
    """

    __slots__ = ("_on_gone", "_owed", "_peer_ended", "_readable", "_writable")

    def __init__(self, app: GrpcApplication, stream: Stream, head: CallHead) -> None:
        super().__init__(app, stream, head)
        self._on_gone: Callable[[], None] | None = None
        self._peer_ended = False
        self._owed = 0  # bytes that have come and were not credited to the window
        self._readable: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._start(self._finish())

    # ------------------------------------------------------------ for the handler

    @property
    def metadata(self) -> Metadata:
        return self._head.metadata

    def on_gone(self, callback: Callable[[], None]) -> None:
        """Call this once when the client has gone or its deadline has passed; at once if so."""
        self._on_gone = callback
        if self.is_gone:
            callback()

    async def receive(self) -> bytes | None:
        """The next message; None when the client has finished sending, or is gone."""
        while True:
            reader = self._reader
            if reader is not None and reader.ready and not self.is_gone:
                before = reader.kept_bytes
                message = reader.take()
                self._stream.release(before - reader.kept_bytes)
                if not reader.ready:
                    self._give_credit()
                return message
            if self._peer_ended or self.is_gone:
                return None
            self._readable = self._app.loop.create_future()
            await self._readable

    async def send(self, message: bytes) -> None:
        """Returns when there is room for more. To a client that is gone, nothing is sent."""
        if self.is_gone:
            return
        stream = self._stream
        if not self._begun:
            self._begun = True
            stream.send_headers(HEAD)
        stream.send_data(framed(message))
        if stream.clogged:
            self._writable = self._app.loop.create_future()
            await self._writable

    # ------------------------------------------------------------ for the stream

    def data(self, payload: bytes, ended: bool) -> None:
        if self.is_gone:
            return
        try:
            if payload:
                self._owed += len(payload)
                if not self._feed(payload).ready:
                    # A message may be larger than the window.
                    self._give_credit()
            if ended:
                self._peer_ended = True
                if self._reader is not None and self._reader.incomplete:
                    raise cut_off()
        except GrpcError as error:
            self._end(error)
            self._tell()
        _wake(self._readable)

    def _give_credit(self) -> None:
        """The handler has caught up: the client may send more."""
        self._stream.consumed(self._owed)
        self._owed = 0

    def writable(self) -> None:
        _wake(self._writable)

    def _give_up(self, error: GrpcError | None) -> None:
        if not self.is_gone:
            Call._give_up(self, error)
            self._tell()

    def _tell(self) -> None:
        """The handler shall return. It is cancelled when it does not."""
        _wake(self._readable)
        _wake(self._writable)
        if self._task is not None and not self._task.done():
            self._app.loop.call_later(self._app.peer_gone_grace_s, self._task.cancel)
        if self._on_gone is not None:
            self._on_gone()

    async def _finish(self) -> None:
        try:
            await self._head.stream(self)
        except (Exception, asyncio.CancelledError) as error:
            self._end(self._error_of(error))
        else:
            self._end(None)
        finally:
            self._app.running.discard(self)


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
