"""Configuration of the client.

Order: keyword > environment variable > dotenv file > token claim or local profile > default.
Environment names are the upper-case field names after a prefix, `HATCHET_CLIENT_` for
`ClientConfig`; lists and dicts are written there as JSON.
"""

import logging
import warnings
from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from hatchet._core.environment import read_environment
from hatchet._core.naming import apply_namespace, normalize_namespace
from hatchet._core.profile import load_profile
from hatchet._core.token import read_claims

__all__ = [
    "ClientConfig",
    "ClientTLSConfig",
    "HTTPMethod",
    "HealthcheckConfig",
    "OTelAttribute",
    "OpenTelemetryConfig",
    "TenacityConfig",
]


# Settings of the official SDK that a program may carry over although nothing here needs them.
_WITHOUT_EFFECT = {
    "listener_v2_timeout": "the stream is kept alive by heartbeats, not by a deadline",
    "enable_force_kill_sync_threads": "a thread can't be ended safely from outside; look at "
    "ctx.exit_flag in long loops",
    "enable_thread_pool_monitoring": "threads are made on demand, there is no pool to watch",
    "sync_result_poll_interval": "results are pushed, never polled",
}


class HTTPMethod(StrEnum):
    GET = "GET"
    DELETE = "DELETE"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    HEAD = "HEAD"
    OPTIONS = "OPTIONS"


class OTelAttribute(StrEnum):
    """Attributes of spans, for `OpenTelemetryConfig.excluded_attributes`."""

    NAMESPACE = "namespace"
    ADDITIONAL_METADATA = "additional_metadata"
    WORKFLOW_NAME = "workflow_name"
    PRIORITY = "priority"
    ACTION_PAYLOAD = "payload"
    ACTION_NAME = "action_name"
    CHILD_WORKFLOW_INDEX = "child_workflow_index"
    CHILD_WORKFLOW_KEY = "child_workflow_key"
    PARENT_WORKFLOW_RUN_ID = "parent_workflow_run_id"
    RETRY_COUNT = "retry_count"
    STEP_ID = "step_id"
    STEP_NAME = "step_name"
    STEP_RUN_ID = "step_run_id"
    TENANT_ID = "tenant_id"
    WORKER_ID = "worker_id"
    WORKFLOW_ID = "workflow_id"
    WORKFLOW_RUN_ID = "workflow_run_id"
    WORKFLOW_VERSION_ID = "workflow_version_id"
    TRIGGERING_EVENT_EXTERNAL_ID = "triggering_event_external_id"
    TRIGGERING_EVENT_KEY = "triggering_event_key"
    EVENT_KEY = "event_key"
    FILTER_SCOPE = "scope"
    PARENT_ID = "parent_id"
    PARENT_STEP_RUN_ID = "parent_step_run_id"
    CHILD_INDEX = "child_index"
    CHILD_KEY = "child_key"
    DESIRED_WORKER_ID = "desired_worker_id"
    STICKY = "sticky"
    KEY = "key"
    RUN_AT_TIMESTAMPS = "run_at_timestamps"
    SIGNAL_KEY = "signal_key"
    NUM_CONDITIONS = "num_conditions"
    MEMO_FN_NAME = "memo_fn_name"


class _Settings(BaseModel):
    """A model whose absent fields are looked up in the environment."""

    model_config = ConfigDict(extra="ignore", arbitrary_types_allowed=True, validate_default=True)

    env_prefix: ClassVar[str] = ""
    env_skip: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _fill_from_environment(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        environment = read_environment()
        values = dict(data)
        for name, field in cls.model_fields.items():
            text = environment.get(cls.env_prefix + name.upper())
            if name in values or text is None or name in cls.env_skip:
                continue
            values[name] = _parse(text, field.annotation)
        return cls._complete(values, environment)

    @classmethod
    def _complete(cls, values: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
        """Fill what keywords and environment left open."""
        return values


def _parse(text: str, annotation: Any) -> Any:
    """Lists, dicts and nested settings are JSON; anything else is left to pydantic."""
    if text.lstrip()[:1] in ("{", "[") and annotation not in (str, str | None):
        import json

        try:
            return json.loads(text)
        except ValueError as error:
            raise ValueError(f"not valid JSON: {text[:80]!r}") from error
    return text


class ClientTLSConfig(_Settings):
    """TLS of the gRPC connection; prefix `HATCHET_CLIENT_TLS_`.

    `strategy`: `tls`, `mtls` (needs all three files) or `none` (plain text). Default: `tls`, but
    `none` when the server's own URL is plain `http://`.
    `server_name`: the name expected in the certificate; default: host of `host_port`.
    """

    env_prefix: ClassVar[str] = "HATCHET_CLIENT_TLS_"

    strategy: str = ""
    cert_file: str | None = None
    key_file: str | None = None
    root_ca_file: str | None = None
    server_name: str = ""


class HealthcheckConfig(_Settings):
    """The worker's health server; prefix `HATCHET_CLIENT_WORKER_HEALTHCHECK_`.

    Off by default. `bind_address` None listens on all interfaces. The worker is unhealthy when
    its event loop was blocked longer than `event_loop_block_threshold_seconds`.
    """

    env_prefix: ClassVar[str] = "HATCHET_CLIENT_WORKER_HEALTHCHECK_"

    port: int = 8001
    enabled: bool = False
    event_loop_block_threshold_seconds: timedelta = timedelta(seconds=5)
    bind_address: str | None = "0.0.0.0"  # noqa: S104 - as the official SDK; only when enabled

    @field_validator("event_loop_block_threshold_seconds", mode="before")
    @classmethod
    def _parse_seconds(cls, value: Any) -> Any:
        if isinstance(value, str):
            return timedelta(seconds=float(value.strip().removesuffix("s")))
        return timedelta(seconds=value) if isinstance(value, (int, float)) else value

    @field_validator("bind_address", mode="before")
    @classmethod
    def _parse_address(cls, value: Any) -> Any:
        if isinstance(value, str) and value.strip().lower() in ("", "none"):
            return None
        return value


class OpenTelemetryConfig(_Settings):
    """Tracing; prefix `HATCHET_CLIENT_OPENTELEMETRY_`."""

    env_prefix: ClassVar[str] = "HATCHET_CLIENT_OPENTELEMETRY_"

    excluded_attributes: list[OTelAttribute] = Field(default_factory=list)
    include_task_name_in_start_step_run_span_name: bool = False
    individual_run_spans_for_bulk_run: bool = False


class TenacityConfig(_Settings):
    """Retries of REST calls; prefix `HATCHET_CLIENT_TENACITY_`.

    Only reads are retried: on 5xx, on 429 if `retry_429`, on 404 if `retry_not_found`, and on
    transport errors if `retry_transport_errors` and the method is listed. Waits grow from 1 s,
    doubling, with up to 1 s of jitter. `wait` and `before_sleep` are accepted and not used.
    """

    env_prefix: ClassVar[str] = "HATCHET_CLIENT_TENACITY_"
    env_skip: ClassVar[frozenset[str]] = frozenset({"wait", "before_sleep"})

    max_attempts: int = 5
    retry_429: bool = False
    retry_not_found: bool = False
    retry_transport_errors: bool = False
    retry_transport_methods: list[HTTPMethod] = Field(
        default_factory=lambda: [HTTPMethod.GET, HTTPMethod.DELETE]
    )
    wait: Any = None
    before_sleep: Callable[[Any], Any] | None = None


class ClientConfig(_Settings):
    """How to reach the engine and how to behave; prefix `HATCHET_CLIENT_`.

    Without a token the profile of the local server is used, which `hatchet server` leaves when
    it starts; so on one machine nothing has to be set.

        ClientConfig(token="ey...", namespace="staging")

    Raises `ValueError` (pydantic's `ValidationError`) when no token is found or it is malformed.

    - `trigger_timeout_s` (30): after this time without an answer from the engine, triggers fail
    - `log_queue_size` (1000): log lines that wait to be sent; more are dropped
    - `grpc_max_send_message_length` (4 MiB): a bulk is cut into requests of at most this size
    - `terminate_worker_after_num_tasks`: leave cleanly after so many task starts
    """

    env_prefix: ClassVar[str] = "HATCHET_CLIENT_"
    env_skip: ClassVar[frozenset[str]] = frozenset({"logger"})

    token: str = ""
    logger: logging.Logger = Field(default_factory=logging.getLogger)
    debug: bool = False
    tenant_id: str = ""
    host_port: str = ""
    server_url: str = ""
    namespace: str = ""
    tls_config: ClientTLSConfig = Field(default_factory=ClientTLSConfig)
    healthcheck: HealthcheckConfig = Field(default_factory=HealthcheckConfig)
    otel: OpenTelemetryConfig = Field(default_factory=OpenTelemetryConfig)
    listener_v2_timeout: int | None = None
    grpc_max_recv_message_length: int = 4 * 1024 * 1024
    grpc_max_send_message_length: int = 4 * 1024 * 1024
    worker_preset_labels: dict[str, str] = Field(default_factory=dict)
    enable_force_kill_sync_threads: bool = False
    enable_thread_pool_monitoring: bool = False
    terminate_worker_after_num_tasks: int | None = None
    disable_log_capture: bool = False
    log_queue_size: int = Field(default=1000, ge=1)
    force_shutdown_on_shutdown_signal: bool = False
    tenacity: TenacityConfig = Field(default_factory=TenacityConfig)
    sync_result_poll_interval: float = 1.0  # kept for its name: results are pushed, never polled
    trigger_timeout_s: float = Field(default=30.0, gt=0)

    @classmethod
    def _complete(cls, values: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
        """The profile of a local server stands in for a missing token."""
        if values.get("token"):
            return values
        profile = load_profile()
        if profile is None:
            return values
        values["token"] = profile.token
        values.setdefault("host_port", profile.host_port)
        values.setdefault("server_url", profile.server_url)
        if "tls_config" not in values and not environment.get("HATCHET_CLIENT_TLS_STRATEGY"):
            values["tls_config"] = ClientTLSConfig(strategy=profile.tls_strategy)
        return values

    @field_validator("namespace")
    @classmethod
    def _normalize_namespace(cls, value: str) -> str:
        return normalize_namespace(value)

    @model_validator(mode="after")
    def _fill_from_token(self) -> "ClientConfig":
        if not self.token:
            raise ValueError(
                "no token: set HATCHET_CLIENT_TOKEN (`hatchet token create` prints one), or start "
                "a local server with `hatchet server`, which this client then finds by itself"
            )
        claims = read_claims(self.token)
        # Assigned without validation: this validator must not run again.
        fill = self.__dict__
        fill["tenant_id"] = self.tenant_id or claims.tenant_id
        fill["host_port"] = self.host_port or claims.grpc_broadcast_address
        fill["server_url"] = (self.server_url or claims.server_url).rstrip("/")
        if not self.tls_config.strategy:
            self.tls_config.strategy = "none" if self.server_url.startswith("http://") else "tls"
        if not self.tls_config.server_name:
            host = self.host_port.rpartition(":")[0].strip("[]")
            self.tls_config.server_name = host or "localhost"
        if self.debug:
            logging.getLogger("hatchet").setLevel(logging.DEBUG)
        return self

    @model_validator(mode="after")
    def _name_what_has_no_effect(self) -> "ClientConfig":
        for name, reason in _WITHOUT_EFFECT.items():
            if name in self.model_fields_set and getattr(self, name):
                warnings.warn(f"{name} has no effect here: {reason}", UserWarning, stacklevel=2)
        return self

    def apply_namespace(
        self, resource_name: str | None, namespace_override: str | None = None
    ) -> str | None:
        """Prefix a name with the namespace; None passes, a prefix is never doubled."""
        if resource_name is None:
            return None
        namespace = self.namespace if namespace_override is None else namespace_override
        return apply_namespace(resource_name, namespace)

    def __hash__(self) -> int:
        return hash((self.token, self.host_port, self.server_url, self.namespace))
