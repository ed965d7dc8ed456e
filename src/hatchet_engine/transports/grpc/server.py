"""The gRPC port: options, encryption, start and graceful stop."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import grpc
import structlog

from hatchet_engine.transports.auth import Authenticator
from hatchet_engine.transports.engine_api import EngineApi
from hatchet_engine.transports.grpc.binding import Binding
from hatchet_engine.transports.grpc.settings import GrpcSettings, WireLimits
from hatchet_engine.transports.grpc.streams import OpenStreams

log = structlog.get_logger("hatchet.grpc")

# Clients ping every 10 s, also without calls. With the library's defaults they would be thrown out
# after a few pings (C5).
PING_INTERVAL_MIN_MS = 5_000
# Our own pings find dead connections: a worker behind a cut cable is gone after their sum.
KEEPALIVE_INTERVAL_MS = 10_000
KEEPALIVE_TIMEOUT_MS = 10_000
# A message may be larger than what we accept as a payload by its envelope; refused ones get a
# proper status from the library.
METADATA_BYTES_MAX = 64 * 1024


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
        self._server: grpc.aio.Server | None = None

    async def start(self) -> int:
        """Bind and serve; returns the port. Raises ``OSError`` when the port can't be bound."""
        settings = self._settings
        server = grpc.aio.server(options=_options(settings))
        server.add_generic_rpc_handlers(self._binding.handlers())
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        address = f"{host}:{settings.grpc_port}"
        try:
            credentials = _credentials(settings)
            if credentials is None:
                port = server.add_insecure_port(address)
            else:
                port = server.add_secure_port(address, credentials)
        except RuntimeError as error:
            raise OSError(errno.EADDRINUSE, f"gRPC can't listen on {address}: {error}") from None
        await server.start()
        self._server = server
        self._streams.start()
        return port

    async def stop(self, grace_s: float) -> None:
        """End streams with OK, let calls under way finish for at most ``grace_s`` seconds.

        New calls are refused from the first moment. Streams end by their handlers' return: a
        cancelled handler would leave its client without a status (C6.3).
        """
        server, self._server = self._server, None
        if server is None:
            return
        stopping = asyncio.create_task(server.stop(grace_s))
        await asyncio.sleep(0)
        await self._streams.stop()
        await stopping


def _options(settings: GrpcSettings) -> list[tuple[str, Any]]:
    return [
        # Two servers must not share a port without knowing of each other.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", settings.grpc_receive_bytes_max),
        ("grpc.max_send_message_length", -1),  # bounded where messages are made
        ("grpc.max_metadata_size", METADATA_BYTES_MAX),
        ("grpc.http2.min_ping_interval_without_data_ms", PING_INTERVAL_MIN_MS),
        ("grpc.http2.max_ping_strikes", 0),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.keepalive_time_ms", KEEPALIVE_INTERVAL_MS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    ]


def _credentials(settings: GrpcSettings) -> grpc.ServerCredentials | None:
    """TLS when there is a certificate, mTLS when there are authorities for clients too."""
    if settings.tls_cert_file is None or settings.tls_key_file is None:
        return None
    pair = (settings.tls_key_file.read_bytes(), settings.tls_cert_file.read_bytes())
    authorities = None
    if settings.tls_client_ca_file is not None:
        authorities = settings.tls_client_ca_file.read_bytes()
    return grpc.ssl_server_credentials([pair], authorities, authorities is not None)
