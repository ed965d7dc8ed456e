"""What the gRPC server must be told; ``app.settings.Settings`` has all of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

MIB = 1024 * 1024
# A message repeats ids and names beside the payload and its metadata.
ENVELOPE_BYTES = 64 * 1024


class GrpcSettings(Protocol):
    @property
    def host(self) -> str: ...
    @property
    def grpc_port(self) -> int: ...
    @property
    def tls_cert_file(self) -> Path | None: ...
    @property
    def tls_key_file(self) -> Path | None: ...
    @property
    def tls_client_ca_file(self) -> Path | None: ...
    @property
    def grpc_receive_bytes_max(self) -> int: ...
    @property
    def grpc_send_bytes_max(self) -> int: ...
    @property
    def payload_bytes_max(self) -> int: ...
    @property
    def metadata_bytes_max(self) -> int: ...


@dataclass(slots=True, frozen=True)
class WireLimits:
    """Bounds that servicers know of; bytes."""

    receive_bytes_max: int = 16 * MIB
    send_bytes_max: int = 4 * MIB
    payload_bytes_max: int = 4 * MIB - ENVELOPE_BYTES
    metadata_bytes_max: int = 64 * 1024

    @classmethod
    def of(cls, settings: GrpcSettings) -> WireLimits:
        fits = settings.grpc_send_bytes_max - ENVELOPE_BYTES
        return cls(
            settings.grpc_receive_bytes_max,
            settings.grpc_send_bytes_max,
            min(settings.payload_bytes_max, fits),
            settings.metadata_bytes_max,
        )
