"""Sockets that listen, and the connections that came of them."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Sequence

from hatchet_engine.transports.http2.endpoint import Endpoint
from hatchet_engine.transports.http2.grpc import GrpcApplication
from hatchet_engine.transports.http2.limits import Limits, Times

CONNECTIONS_MAX = 20_000
BACKLOG = 1_024
PORT_ATTEMPTS = 10

_NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class Http2Server:
    def __init__(
        self,
        application: GrpcApplication,
        limits: Limits,
        times: Times,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.application = application
        self.limits = limits
        self.times = times
        self._tls = tls
        self._listeners: list[asyncio.Server] = []
        self._endpoints: set[Endpoint] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._draining = False

    async def start(self, host: str, port: int) -> int:
        """Listen on all addresses of a host; returns the port. Raises ``OSError``."""
        loop = asyncio.get_running_loop()
        sockets = await bind(host, port)
        try:
            for one in sockets:
                self._listeners.append(
                    await loop.create_server(
                        lambda: Endpoint(self, loop),
                        sock=one,
                        backlog=BACKLOG,
                        ssl=self._tls,
                        ssl_handshake_timeout=self.times.greeting_s if self._tls else None,
                        ssl_shutdown_timeout=self.times.flush_s if self._tls else None,
                    )
                )
        except BaseException:
            for one in sockets:
                one.close()
            raise
        bound: int = sockets[0].getsockname()[1]
        return bound

    def drain(self) -> None:
        """Listen no more, take no more calls."""
        self._draining = True
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for endpoint in list(self._endpoints):
            endpoint.drain()

    async def stop(self, grace_s: float) -> None:
        """Let calls under way end, for so long; then end them, and close everything."""
        self.drain()
        if not await self._wait_empty(grace_s):
            self.application.stop()
            await self._wait_empty(self.times.goodbye_s + self.times.flush_s)
        for endpoint in list(self._endpoints):
            endpoint.abort()
        await self._wait_empty(self.times.flush_s)
        self.application.close()

    async def _wait_empty(self, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    # ------------------------------------------------------------ endpoints call these

    def joined(self, endpoint: Endpoint) -> bool:
        """Whether there is room for one more."""
        self._endpoints.add(endpoint)
        self._empty.clear()
        if self._draining:
            endpoint.drain()
        return len(self._endpoints) <= CONNECTIONS_MAX

    def left(self, endpoint: Endpoint) -> None:
        self._endpoints.discard(endpoint)
        if not self._endpoints:
            self._empty.set()


async def bind(host: str, port: int) -> list[socket.socket]:
    """A socket for each address of a host, all on one port. Raises ``OSError``."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    addresses = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
    attempts = 1 if port else PORT_ATTEMPTS
    while True:
        attempts -= 1
        try:
            return _bind_all(addresses, port)
        except OSError:
            # The free port of one address may be taken on another.
            if not attempts:
                raise


def _bind_all(
    addresses: Sequence[tuple[int, tuple[object, ...]]], port: int
) -> list[socket.socket]:
    made: list[socket.socket] = []
    bound: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, address in addresses:
            try:
                one = socket.socket(family, socket.SOCK_STREAM)
                made.append(one)
                one.setblocking(False)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                one.bind((address[0], port, *address[2:]))
            except OSError as error:
                # A name may have addresses of a family that this machine does not have.
                if error.errno not in _NO_SUCH_ADDRESS:
                    raise
                missing = error
                continue
            port = one.getsockname()[1]
            bound.append(one)
        if missing is not None and not bound:
            raise missing
        return bound
    finally:
        failed = len(bound) < len(addresses) and missing is None
        for one in made:
            if failed or one not in bound:
                one.close()
