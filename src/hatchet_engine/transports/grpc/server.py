"""The gRPC port: options, encryption, start and graceful stop."""

from __future__ import annotations

import asyncio
import errno
import ssl

from hatchet_engine.transports.auth import Authenticator
from hatchet_engine.transports.engine_api import EngineApi
from hatchet_engine.transports.grpc.binding import Binding
from hatchet_engine.transports.grpc.settings import GrpcSettings, WireLimits
from hatchet_engine.transports.grpc.streams import OpenStreams
from hatchet_engine.transports.http2.grpc import GrpcApplication
from hatchet_engine.transports.http2.limits import Limits, Times
from hatchet_engine.transports.http2.server import Http2Server
from hatchet_engine.transports.http2.tls import server_context

# Our own pings find dead connections: a worker behind a cut cable is gone after their sum. Clients
# ping every 10 s too, also without calls (C5); the bound on their pings is far above that.
TIMES = Times(keepalive_idle_s=10.0, keepalive_timeout_s=10.0)


class GrpcServer:
    """Serves the protocol for one node.

    ``engine`` may lose its database or its shard meanwhile: calls then get UNAVAILABLE, and
    streams stay open.
    """

    def __init__(
        self, engine: EngineApi, authenticator: Authenticator, settings: GrpcSettings
    ) -> None:
        self._settings = settings
        self._streams = OpenStreams(authenticator)
        limits = WireLimits.of(settings)
        self._binding = Binding(engine, authenticator, limits, self._streams)
        self._server: Http2Server | None = None

    async def start(self) -> int:
        """Bind and serve; returns the port. Raises ``OSError`` when the port can't be bound or a
        certificate can't be used."""
        settings = self._settings
        application = GrpcApplication(
            self._binding.methods(),
            settings.grpc_receive_bytes_max,
            asyncio.get_running_loop(),
            TIMES,
        )
        server = Http2Server(application, Limits(), TIMES, _tls(settings))
        try:
            port = await server.start(settings.host, settings.grpc_port)
        except OSError as error:
            address = f"{settings.host}:{settings.grpc_port}"
            raise OSError(
                error.errno or errno.EADDRINUSE, f"gRPC can't listen on {address}: {error}"
            ) from None
        self._server = server
        self._streams.start()
        return port

    async def stop(self, grace_s: float) -> None:
        """End streams with OK, let calls under way finish for at most ``grace_s`` seconds.

        New calls are refused from the first moment. Streams end by their handlers' return: a
        cancelled one could not say all that it has to (C6.3).
        """
        server, self._server = self._server, None
        if server is None:
            return
        server.drain()
        await self._streams.stop()
        await server.stop(grace_s)


def _tls(settings: GrpcSettings) -> ssl.SSLContext | None:
    """TLS when there is a certificate, mTLS when there are authorities for clients too."""
    if settings.tls_cert_file is None or settings.tls_key_file is None:
        return None
    return server_context(
        settings.tls_cert_file, settings.tls_key_file, settings.tls_client_ca_file
    )
