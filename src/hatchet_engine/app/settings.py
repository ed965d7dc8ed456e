"""Every setting of the server: name with unit, environment variable, default, meaning.

A setting `http_port` is read from `HATCHET_HTTP_PORT`; flags of the command line win over the
environment. Example::

    settings = Settings.load(http_port=9000)

A value that cannot be used raises `SettingsError`, whose text names each variable and its remedy.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

ENV_PREFIX = "HATCHET_"
MIB = 1024 * 1024
ANY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104 (compared with, not bound to)
REACHABLE_LOCALLY = "localhost"


class SettingsError(ValueError):
    """One or more settings cannot be used; the text has one line for each."""


def default_data_dir() -> Path:
    """The directory for data of the current user's programs."""
    return platformdirs.user_data_path("hatchet", appauthor=False)


class Settings(BaseModel):
    """Settings of one server, checked and unchangeable."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    # --- database ---------------------------------------------------------------------------
    database_url: str | None = Field(
        None, description="Your own Postgres. Without it an embedded one starts in the data_dir."
    )
    data_dir: Path = Field(
        default_factory=default_data_dir, description="Where the embedded Postgres keeps its files."
    )
    database_connections_max: int = Field(
        10, ge=2, le=1_000, description="Connections of one node for reads and bulk writes."
    )
    database_connect_timeout_s: float = Field(
        10.0, gt=0, le=300, description="How long one attempt to connect may take."
    )

    # --- addresses --------------------------------------------------------------------------
    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for all.")
    http_port: int = Field(
        8080, ge=0, le=65_535, description="Port of REST and dashboard; 0 takes a free one."
    )
    grpc_port: int = Field(
        7077, ge=0, le=65_535, description="Port for workers and clients; 0 takes a free one."
    )
    grpc_broadcast_address: str | None = Field(
        None,
        description="HOST:PORT written into tokens, under which workers reach the gRPC port. "
        "Default: host and grpc_port.",
    )
    server_url: str | None = Field(
        None,
        description="URL written into tokens, under which clients reach REST. "
        "Default: host and http_port.",
    )

    # --- encryption -------------------------------------------------------------------------
    tls_cert_file: Path | None = Field(None, description="PEM certificate chain of the gRPC port.")
    tls_key_file: Path | None = Field(None, description="PEM private key of tls_cert_file.")
    tls_client_ca_file: Path | None = Field(
        None, description="PEM authorities; with it, workers must show a certificate (mTLS)."
    )

    # --- limits -----------------------------------------------------------------------------
    grpc_receive_bytes_max: int = Field(
        16 * MIB, ge=MIB, le=1024 * MIB, description="Largest gRPC message accepted."
    )
    grpc_send_bytes_max: int = Field(
        4 * MIB,
        ge=MIB,
        le=1024 * MIB,
        description="Largest gRPC message sent; official SDKs refuse more than 4 MiB.",
    )
    http_body_bytes_max: int = Field(
        16 * MIB, ge=64 * 1024, le=1024 * MIB, description="Largest body of a REST request."
    )
    payload_bytes_max: int = Field(
        4 * MIB,
        ge=1024,
        le=256 * MIB,
        description="Largest input or output of one task, as JSON text.",
    )
    metadata_bytes_max: int = Field(
        64 * 1024, ge=1024, le=MIB, description="Largest additional metadata of one run."
    )
    bulk_trigger_runs_max: int = Field(
        10_000, ge=1, le=100_000, description="Most runs in one bulk trigger call."
    )

    # --- shards and workers -----------------------------------------------------------------
    node_name: str = Field(
        default_factory=socket.gethostname,
        min_length=1,
        max_length=255,
        description="Name of this node in leases, logs and the dashboard.",
    )
    lease_duration_s: float = Field(
        8.0, ge=2, le=60, description="A node silent for so long loses its shards to others."
    )
    worker_heartbeat_timeout_s: float = Field(
        30.0, ge=5, le=600, description="A worker silent for so long is lost; its tasks move on."
    )
    worker_reconnect_timeout_s: float = Field(
        5.0,
        ge=0,
        le=600,
        description="How long a worker whose stream broke keeps its tasks while it reconnects.",
    )

    # --- upkeep -----------------------------------------------------------------------------
    priority_ageing_s: int | None = Field(
        None,
        ge=1,
        le=30 * 86_400,
        description="Waiting so long in a queue is worth one priority, so that urgent tasks do "
        "not starve others for ever. Without it priorities are strict.",
    )
    retention_days: int = Field(
        30, ge=1, le=3_650, description="Finished runs older than this are dropped."
    )
    stop_timeout_s: float = Field(
        10.0, ge=0, le=600, description="How long a stop waits for calls and turns under way."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log lines written."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="auto: coloured text on a terminal, else JSON lines."
    )

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, /, **overrides: Any) -> Self:
        """Settings from the environment; `overrides` win, those that are None are left out."""
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {
            name: environ[env_name(name)]
            for name in cls.model_fields
            # An empty variable counts as unset: compose files produce those.
            if environ.get(env_name(name), "") != ""
        }
        values |= {name: value for name, value in overrides.items() if value is not None}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise SettingsError(_explain(error)) from None

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("postgres://", "postgresql://")):
            raise ValueError("must look like postgresql://USER:PASSWORD@HOST:5432/DATABASE")
        return url

    @field_validator("data_dir")
    @classmethod
    def _expand(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @field_validator("server_url")
    @classmethod
    def _check_server_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        if not url.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return url.rstrip("/")

    @field_validator("grpc_broadcast_address")
    @classmethod
    def _check_broadcast_address(cls, address: str | None) -> str | None:
        if address is not None and not address.rpartition(":")[2].isdigit():
            raise ValueError("must look like HOST:PORT, without a scheme")
        return address

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("HATCHET_TLS_CERT_FILE and HATCHET_TLS_KEY_FILE go together: set both")
        if self.tls_client_ca_file is not None and self.tls_cert_file is None:
            raise ValueError("HATCHET_TLS_CLIENT_CA_FILE needs HATCHET_TLS_CERT_FILE")
        if self.http_port == self.grpc_port != 0:
            raise ValueError(
                f"HATCHET_HTTP_PORT and HATCHET_GRPC_PORT are both {self.http_port}: "
                "choose two ports (--http-port, --grpc-port)"
            )
        return self

    @property
    def embedded(self) -> bool:
        """Whether the server runs its own Postgres."""
        return self.database_url is None

    def public_server_url(self, http_port: int) -> str:
        """URL of REST for clients, given the port really bound."""
        return self.server_url or f"http://{self._public_host()}:{http_port}"

    def public_grpc_address(self, grpc_port: int) -> str:
        """HOST:PORT of gRPC for clients, given the port really bound."""
        return self.grpc_broadcast_address or f"{self._public_host()}:{grpc_port}"

    def _public_host(self) -> str:
        if self.host in ANY_ADDRESS:
            return REACHABLE_LOCALLY
        return f"[{self.host}]" if ":" in self.host else self.host


def env_name(setting: str) -> str:
    """The environment variable of a setting: `http_port` → `HATCHET_HTTP_PORT`."""
    return ENV_PREFIX + setting.upper()


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        text = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
        if not problem["loc"]:
            lines.append(text)
            continue
        setting = str(problem["loc"][0])
        if problem["type"] == "extra_forbidden":
            lines.append(f"there is no setting {setting!r}")
            continue
        flag = setting.replace("_", "-")
        lines.append(f"{env_name(setting)} (--{flag}): {text}")
    return "\n".join(lines)
