"""One connection of the server: a socket, the protocol on it, and their clocks."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, cast

import structlog

from hatchet_engine.transports.http2.connection import Connection
from hatchet_engine.transports.http2.errors import ErrorCode
from hatchet_engine.transports.http2.limits import MIB
from hatchet_engine.transports.http2.sending import OUTPUT_BYTES

if TYPE_CHECKING:
    from hatchet_engine.transports.http2.server import Http2Server

log = structlog.get_logger("http2")

WRITE_BUFFER_BYTES = MIB  # in the transport, before producers are asked to wait


class Endpoint(asyncio.Protocol):
    def __init__(self, server: Http2Server, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self._times = server.times
        self._transport: asyncio.Transport | None = None
        self.connection = Connection(server.application, server.limits, loop.time, self._wake)
        self._unsent: list[bytes] = []  # while the transport takes no more
        self._unsent_bytes = 0
        self._closing = False
        self._heard_s = 0.0
        self._pinged_s = 0.0
        self._clock: asyncio.TimerHandle | None = None
        self._end: asyncio.TimerHandle | None = None

    # ------------------------------------------------------------ asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        found = transport.get_extra_info("socket")
        if found is not None and found.family in (socket.AF_INET, socket.AF_INET6):
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._heard_s = self._loop.time()
        self._clock = self._loop.call_later(self._times.greeting_s, self._tick)
        if not self._server.joined(self):
            self.abort()

    def data_received(self, data: bytes) -> None:
        self._heard_s = self._loop.time()
        connection = self.connection
        # Until here nobody need wake us: what comes of this data is written at the end, at once.
        before, connection.awake = connection.awake, True
        connection.receive(data)
        connection.awake = before
        self.flush()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.connection.lost()
        for timer in (self._clock, self._end):
            if timer is not None:
                timer.cancel()
        self._transport = None
        self._server.left(self)

    def pause_writing(self) -> None:
        self.connection.paused = True

    def resume_writing(self) -> None:
        unsent, self._unsent, self._unsent_bytes = self._unsent, [], 0
        self.connection.paused = False
        if unsent:
            self._write(b"".join(unsent))
        if not self.connection.paused:
            self.connection.resume()
        self.flush()

    # ------------------------------------------------------------ output

    def _wake(self) -> None:
        self._loop.call_soon(self._woken)

    def _woken(self) -> None:
        self.connection.awake = False
        self.flush()

    def flush(self) -> None:
        """Write all output of this turn of the loop at once."""
        connection = self.connection
        data = connection.take()
        if data:
            if connection.paused:
                self._unsent.append(data)
                self._unsent_bytes += len(data)
                if self._unsent_bytes > connection.limits.unsent_bytes:
                    log.warning("peer_does_not_read", unsent_bytes=self._unsent_bytes)
                    self.abort()
            else:
                self._write(data)
            connection.unclog_after_output()
        if connection.finished and not self._closing:
            self._finish()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    # ------------------------------------------------------------ ends

    def drain(self) -> None:
        """Take no more calls; close when those under way have ended."""
        self.connection.drain()
        self.flush()

    def fail(self, code: ErrorCode, text: str) -> None:
        self.connection.fail(code, text)
        self.flush()

    def _finish(self) -> None:
        self._closing = True
        if self.connection.failure:
            log.info("connection_refused", reason=self.connection.failure)
        if self.connection.closed:
            self._close()
        else:
            # Clients close when they have read everything; we would throw away what they send.
            self._end = self._loop.call_later(self._times.goodbye_s, self._close)

    def _close(self) -> None:
        self.connection.lost()
        if self._transport is None:
            return
        if self._unsent:
            self._transport.write(b"".join(self._unsent))
            self._unsent.clear()
        self._transport.close()
        self._end = self._loop.call_later(self._times.flush_s, self.abort)

    def abort(self) -> None:
        self._closing = True
        if self._transport is not None:
            self._transport.abort()

    # ------------------------------------------------------------ keepalive

    def _tick(self) -> None:
        """Look whether the peer is still there."""
        now_s, times = self._loop.time(), self._times
        silent_s = now_s - self._heard_s
        if not self.connection.greeted:
            self._closing = True
            self._close()
            return
        if self._heard_s < self._pinged_s:
            log.info("peer_silent", silent_s=round(silent_s, 1))
            self.abort()
            return
        if silent_s < times.keepalive_idle_s:
            wait_s = times.keepalive_idle_s - silent_s
        else:
            self._pinged_s = now_s
            self.connection.send_ping()
            wait_s = times.keepalive_timeout_s
        self._clock = self._loop.call_later(max(wait_s, 0.001), self._tick)


assert OUTPUT_BYTES < WRITE_BUFFER_BYTES
