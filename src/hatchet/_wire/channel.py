"""The gRPC channel: addresses, TLS, options, and errors of calls as plain values."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

# gRPC's own fork handlers crash children of a process with a live stream; see `_run.io_thread`.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

import grpc
import grpc.aio

from hatchet._core.session import RunEvent
from hatchet_protocol.services import METHODS

if TYPE_CHECKING:
    from hatchet.config import ClientConfig

CONNECT_PATH = "/hatchet.session.v1.Session/Connect"
KEEPALIVE_INTERVAL_MS = 10_000
KEEPALIVE_TIMEOUT_MS = 20_000
RECONNECT_MIN_MS = 100
RECONNECT_MAX_MS = 5_000

# How gRPC's texts begin when a call has not left this machine.
NOT_CONNECTED = ("failed to connect", "DNS resolution failed")
EVENTS_PATH = "/Dispatcher/SubscribeToWorkflowEvents"
STREAM_AFTER = "hatchet-stream-after"

StreamCall = grpc.aio.StreamStreamCall[bytes, bytes]


EventCall = grpc.aio.UnaryStreamCall[Any, Any]


class CallFailure(NamedTuple):
    """How a call ended: gRPC status name and text."""

    code: str
    message: str

    @property
    def in_doubt(self) -> bool:
        """Whether the server may have done what was asked."""
        if self.code == "UNAVAILABLE":
            return not self.message.startswith(NOT_CONNECTED)
        return self.code in ("DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN")


def open_channel(config: "ClientConfig") -> grpc.aio.Channel:
    """A channel of the running event loop. It connects when first used."""
    options: list[tuple[str, Any]] = [
        # What we send is bounded by the session's own limit, which the engine tells us.
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", max(config.grpc_max_recv_message_length, 1 << 26)),
        ("grpc.keepalive_time_ms", KEEPALIVE_INTERVAL_MS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
        ("grpc.keepalive_permit_without_calls", 0),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.min_reconnect_backoff_ms", RECONNECT_MIN_MS),
        ("grpc.initial_reconnect_backoff_ms", RECONNECT_MIN_MS),
        ("grpc.max_reconnect_backoff_ms", RECONNECT_MAX_MS),
        # Each client has its own connection: two clients of a process do not share fate.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_http_proxy", 0 if _is_local(config.host_port) else 1),
    ]
    tls = config.tls_config
    if tls.strategy not in ("tls", "mtls"):
        return grpc.aio.insecure_channel(config.host_port, options)
    options.append(("grpc.ssl_target_name_override", tls.server_name))
    return grpc.aio.secure_channel(config.host_port, _credentials(config), options)


def _is_local(host_port: str) -> bool:
    return host_port.rpartition(":")[0].strip("[]") in ("localhost", "127.0.0.1", "::1")


def _credentials(config: "ClientConfig") -> grpc.ChannelCredentials:
    tls = config.tls_config
    root = Path(tls.root_ca_file).read_bytes() if tls.root_ca_file else None
    if tls.strategy == "tls":
        return grpc.ssl_channel_credentials(root_certificates=root)
    if not (root and tls.key_file and tls.cert_file):
        raise ValueError(
            "TLS strategy mtls needs HATCHET_CLIENT_TLS_ROOT_CA_FILE, "
            "HATCHET_CLIENT_TLS_KEY_FILE and HATCHET_CLIENT_TLS_CERT_FILE"
        )
    return grpc.ssl_channel_credentials(
        root, Path(tls.key_file).read_bytes(), Path(tls.cert_file).read_bytes()
    )


def _metadata(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"bearer {token}"),)


def connect(channel: grpc.aio.Channel, token: str) -> StreamCall:
    """Open the session stream. Frames are bytes on both sides."""
    return channel.stream_stream(CONNECT_PATH)(metadata=_metadata(token))


def subscribe_events(
    channel: grpc.aio.Channel,
    token: str,
    run_id: str,
    metadata: tuple[str, str] | None,
    after: int | None,
) -> "EventCall":
    """Follow a run (`after`: how many chunks of its stream are there already), or all runs with
    a pair of metadata."""
    spec = METHODS[EVENTS_PATH]
    fields: dict[str, str] = {"workflow_run_id": run_id}
    if metadata is not None:
        fields = {"additional_meta_key": metadata[0], "additional_meta_value": metadata[1]}
    headers = _metadata(token)
    if after is not None:
        headers = (*headers, (STREAM_AFTER, str(after)))
    call = channel.unary_stream(
        EVENTS_PATH,
        request_serializer=spec.request.SerializeToString,
        response_deserializer=spec.response.FromString,
    )
    return call(spec.request(**fields), metadata=headers)


def run_event(message: Any) -> RunEvent:
    """A `WorkflowEvent` as a plain value."""
    return RunEvent(
        message.resource_type,
        message.event_type,
        message.event_payload,
        message.workflow_run_id,
        message.resource_id,
        message.hangup,
    )


async def unary(
    channel: grpc.aio.Channel, token: str, path: str, request: Any, timeout_s: float
) -> Any:
    """One call of the official protocol, by path; `METHODS` knows the messages.

    `request` is the message, or its fields as a dict.
    """
    spec = METHODS[path]
    if isinstance(request, dict):
        request = spec.request(**request)
    call = channel.unary_unary(
        path,
        request_serializer=spec.request.SerializeToString,
        response_deserializer=spec.response.FromString,
    )
    return await call(request, metadata=_metadata(token), timeout=timeout_s)


def failure(error: BaseException) -> CallFailure | None:
    """What a gRPC error says; None for other errors.

    A call whose channel is closed ends with `CancelledError`, although nobody has cancelled the
    task that waits for it.
    """
    if isinstance(error, grpc.aio.AioRpcError):
        return CallFailure(error.code().name, error.details() or "")
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        if task is not None and not task.cancelling():
            return CallFailure("UNAVAILABLE", "the connection was closed")
    return None


async def ended(call: "StreamCall | EventCall") -> CallFailure:
    """How a stream ended, once it has."""
    code = await call.code()
    return CallFailure(code.name, await call.details() or "")


def status_name(code: int) -> str:
    """Name of a gRPC status number."""
    for status in grpc.StatusCode:
        if status.value[0] == code:
            return status.name
    return "UNKNOWN"


def is_end(message: object) -> bool:
    """Whether a read from a stream gave the end of it."""
    return message is grpc.aio.EOF
