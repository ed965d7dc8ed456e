"""A TCP proxy that breaks things: cuts, loses what goes one way, holds everything back.

Runs in a thread of its own, so that it goes on whatever the test does meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from enum import Enum

CHUNK_BYTES = 64 * 1024


class Fault(Enum):
    CUT = "both ends get a reset at once"
    LOSE_UP = "what goes to the server vanishes for a while, then a reset"
    LOSE_DOWN = "what comes from the server vanishes for a while, then a reset"
    HOLD = "nothing passes for a while, then everything does"
    HOLD_CUT = "nothing passes for a while, without any sign of it; then a reset"


class Way:
    """One direction of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.loses = False
        self._reader = reader
        self._writer = writer

    async def pump(self, passing: asyncio.Event) -> None:
        while data := await self._reader.read(CHUNK_BYTES):
            await passing.wait()
            if not self.loses:
                self._writer.write(data)
                await self._writer.drain()


class Link:
    """One connection through the proxy."""

    def __init__(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.up = Way(client[0], server[1])
        self.down = Way(server[0], client[1])
        self._writers = (client[1], server[1])

    async def run(self, passing: asyncio.Event) -> None:
        pumps = [asyncio.create_task(way.pump(passing)) for way in (self.up, self.down)]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self.cut()

    def cut(self) -> None:
        for writer in self._writers:
            if not writer.transport.is_closing():
                peer = writer.get_extra_info("socket")
                # Lingering for no time makes a close a reset, and drops what was not yet sent.
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()


class Proxy:
    """Passes connections on to a port of this machine, and breaks them on demand."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self._target_port = target_port
        self._links: set[Link] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def disturb(self, fault: Fault, seconds: float = 0.0) -> None:
        """Do this to all connections; returns when it is over."""
        future = asyncio.run_coroutine_threadsafe(self._disturb(fault, seconds), self._loop)
        await asyncio.wrap_future(future)

    async def _listen(self) -> None:
        self._passing = asyncio.Event()
        self._passing.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        for link in self._links:
            link.cut()
        while self._links:
            await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:  # the server is away: so are we
            writer.transport.abort()
            return
        link = Link((reader, writer), server)
        self._links.add(link)
        try:
            await link.run(self._passing)
        finally:
            self._links.discard(link)

    async def _disturb(self, fault: Fault, seconds: float) -> None:
        if fault in (Fault.HOLD, Fault.HOLD_CUT):
            self._passing.clear()
        links = list(self._links)
        for link in links:
            link.up.loses = fault is Fault.LOSE_UP
            link.down.loses = fault is Fault.LOSE_DOWN
        if fault is not Fault.CUT:
            await asyncio.sleep(seconds)
        if fault is not Fault.HOLD:
            for link in links:
                link.cut()
        self._passing.set()


@contextlib.contextmanager
def proxied(target_port: int) -> Iterator[Proxy]:
    proxy = Proxy(target_port)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
