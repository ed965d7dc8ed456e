"""gRPC over HTTP/2: which calls there are, and what their heads must say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from hatchet_engine.transports.http2.calls import Call, Metadata, UnaryFunction
from hatchet_engine.transports.http2.deadlines import Deadlines, parse_timeout
from hatchet_engine.transports.http2.header_blocks import encode_fields
from hatchet_engine.transports.http2.limits import Times
from hatchet_engine.transports.http2.requests import Request
from hatchet_engine.transports.http2.status import GrpcError, Status, http_refusal
from hatchet_engine.transports.http2.stream import NOBODY, Stream, StreamHandler
from hatchet_engine.transports.http2.streaming import StreamCall
from hatchet_engine.transports.http2.unary import UnaryCall

StreamFunction = Callable[[StreamCall], Awaitable[None]]

ACCEPTED_ENCODINGS = ("grpc-accept-encoding", "identity,gzip")


@dataclass(slots=True, frozen=True)
class UnaryMethod:
    """``at_once``: the handler may make its first step outside of a task. It must not then use
    what needs one before it has waited for a future: timeouts, task groups, locks of databases."""

    handle: UnaryFunction
    at_once: bool = False


@dataclass(slots=True, frozen=True)
class StreamMethod:
    handle: StreamFunction


Method = UnaryMethod | StreamMethod


async def _no_unary(message: bytes, metadata: Metadata) -> bytes:
    raise AssertionError("this is no unary method")


async def _no_stream(call: StreamCall) -> None:
    raise AssertionError("this is no stream method")


class CallHead:
    """What the head of a request means; shared by all calls with the same one."""

    __slots__ = (
        "at_once",
        "gzip",
        "is_unary",
        "metadata",
        "path",
        "refusal",
        "stream",
        "timeout_s",
        "unary",
    )

    def __init__(self, request: Request, methods: Mapping[str, Method]) -> None:
        self.path = request.path
        self.metadata: Metadata = request.fields
        self.is_unary = False
        self.unary: UnaryFunction = _no_unary
        self.stream: StreamFunction = _no_stream
        self.at_once = False
        self.timeout_s: float | None = None
        self.gzip = request.fields.get("grpc-encoding", "identity") == "gzip"
        self.refusal = self._refusal(request)
        method = methods.get(request.path)
        if isinstance(method, UnaryMethod):
            self.is_unary, self.unary, self.at_once = True, method.handle, method.at_once
        elif method is not None:
            self.stream = method.handle
        elif self.refusal is None:
            error = GrpcError(Status.UNIMPLEMENTED, f"Method not found: {request.path}")
            self.refusal = error.only_headers()

    def _refusal(self, request: Request) -> bytes | None:
        fields = request.fields
        if request.oversized:
            error = GrpcError(Status.RESOURCE_EXHAUSTED, "the metadata is too large")
            return error.only_headers()
        if request.method != "POST":
            return http_refusal(405)
        content_type = fields.get("content-type", "")
        if content_type != "application/grpc" and not content_type.startswith(
            ("application/grpc+", "application/grpc;")
        ):
            return http_refusal(415)
        encoding = fields.get("grpc-encoding", "identity")
        if encoding not in ("identity", "gzip"):
            error = GrpcError(Status.UNIMPLEMENTED, f"grpc-encoding {encoding} is not supported")
            return error.only_headers() + encode_fields((ACCEPTED_ENCODINGS,))
        timeout = fields.get("grpc-timeout")
        if timeout is not None:
            self.timeout_s = parse_timeout(timeout)
            if self.timeout_s is None:
                error = GrpcError(Status.INTERNAL, "grpc-timeout is malformed")
                return error.only_headers()
        return None


class GrpcApplication:
    """Serves methods by path on any number of connections."""

    def __init__(
        self,
        methods: Mapping[str, Method],
        receive_bytes_max: int,
        loop: asyncio.AbstractEventLoop,
        times: Times,
    ) -> None:
        self._methods = methods
        self.receive_bytes_max = receive_bytes_max
        self.loop = loop
        self.deadlines = Deadlines(loop)
        self.peer_gone_grace_s = times.peer_gone_grace_s
        self.running: set[Call] = set()  # calls whose handlers are at work

    def request(self, stream: Stream, request: Request) -> StreamHandler:
        head = request.note
        if head is None:
            head = request.note = CallHead(request, self._methods)
        assert type(head) is CallHead
        if head.refusal is not None:
            stream.send_only_headers(head.refusal)
            return NOBODY
        if head.is_unary:
            return UnaryCall(self, stream, head)
        return StreamCall(self, stream, head)

    def stop(self) -> None:
        """End all calls that are still under way."""
        for call in list(self.running):
            call.stop()

    def close(self) -> None:
        self.deadlines.close()
