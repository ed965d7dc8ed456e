"""Binds servicers to gRPC calls: bytes in, bytes out, errors to status codes.

Messages are parsed here, so that malformed ones get a clear answer. Every call is authenticated.
What a handler raises becomes a status: ``Refused`` its own, a lost database UNAVAILABLE, anything
else INTERNAL without a word of what it was (C9).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NoReturn
from uuid import UUID

import asyncpg
import structlog
from google.protobuf.message import DecodeError

from hatchet_engine.domain.errors import Code, Refused, invalid
from hatchet_engine.transports.auth import Authenticator
from hatchet_engine.transports.engine_api import EngineApi
from hatchet_engine.transports.grpc.caller import Caller, Ending, Sessions, Stream
from hatchet_engine.transports.grpc.servicers.methods import (
    BIDI_STREAMS,
    SERVER_STREAMS,
    UNARY,
    BidiHandler,
    ServerStreamHandler,
    UnaryHandler,
    why_unimplemented,
)
from hatchet_engine.transports.grpc.settings import WireLimits
from hatchet_engine.transports.grpc.streams import OpenStreams
from hatchet_engine.transports.http2.calls import Metadata, UnaryFunction, one_message
from hatchet_engine.transports.http2.grpc import Method, StreamMethod, UnaryMethod
from hatchet_engine.transports.http2.status import INTERNAL_TEXT, GrpcError, Status
from hatchet_engine.transports.http2.streaming import StreamCall
from hatchet_protocol.services import SERVICES, MethodSpec

log = structlog.get_logger("hatchet.grpc")

DATABASE_TEXT = "the database does not answer: try again"
CALLERS_MAX = 10_000  # tenants whose Caller is kept

# Calls that come by the thousand. Their handlers wait for nothing but a turn or a lane, so
# that they may begin without a task of their own.
AT_ONCE = frozenset(
    (
        "/Dispatcher/GetVersion",
        "/Dispatcher/Heartbeat",
        "/Dispatcher/RefreshTimeout",
        "/Dispatcher/ReleaseSlot",
        "/Dispatcher/SendStepActionEvent",
        "/EventsService/BulkPush",
        "/EventsService/Push",
        "/EventsService/PutLog",
        "/EventsService/PutStreamEvent",
        "/WorkflowService/BulkTriggerWorkflow",
        "/WorkflowService/TriggerWorkflow",
        "/v1.AdminService/TriggerWorkflowRun",
    )
)

_DATABASE_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # it shuts down, or starts up
    asyncpg.InternalClientError,  # it broke off in the middle of an operation
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)


class Binding:
    """Makes the methods; one per server."""

    def __init__(
        self,
        engine: EngineApi,
        authenticator: Authenticator,
        limits: WireLimits,
        streams: OpenStreams,
    ) -> None:
        self._engine = engine
        self._authenticator = authenticator
        self._limits = limits
        self._streams = streams
        self._callers: dict[UUID, Caller] = {}
        self._sessions: Sessions = {}

    def methods(self) -> dict[str, Method]:
        """All methods of the protocol, by path."""
        return {
            method.path: self._method(method)
            for service in SERVICES.values()
            for method in service.methods.values()
        }

    def _method(self, spec: MethodSpec) -> Method:
        path = spec.path
        if path in UNARY:
            return UnaryMethod(self._unary(spec, UNARY[path]), path in AT_ONCE)
        if path in SERVER_STREAMS:
            return StreamMethod(self._server_stream(spec, SERVER_STREAMS[path]))
        if path in BIDI_STREAMS:
            return StreamMethod(self._bidi_stream(spec, BIDI_STREAMS[path]))
        return self._unimplemented(spec)

    async def _caller(self, metadata: Metadata) -> Caller:
        tenant_id = await self._authenticator.tenant_of(metadata.get("authorization", ""))
        caller = self._callers.get(tenant_id)
        if caller is None:
            if len(self._callers) >= CALLERS_MAX:
                self._callers.clear()
            caller = Caller(tenant_id, self._engine, self._limits, self._sessions)
            self._callers[tenant_id] = caller
        return caller

    # ------------------------------------------------------------ kinds of calls

    def _unary(self, spec: MethodSpec, handle: UnaryHandler) -> UnaryFunction:
        parse = spec.request.FromString
        send_bytes_max = self._limits.send_bytes_max

        async def call(raw: bytes, metadata: Metadata) -> bytes:
            try:
                caller = await self._caller(metadata)
                response = (await handle(caller, parse(raw))).SerializeToString()
                if len(response) > send_bytes_max:
                    raise Refused(
                        Code.RESOURCE_EXHAUSTED,
                        f"the answer is {len(response)} bytes long, the limit is "
                        f"{send_bytes_max}: read this over REST",
                    )
                return response
            except Exception as error:
                raise status_of(error, spec.path) from None

        return call

    def _server_stream(
        self, spec: MethodSpec, handle: ServerStreamHandler
    ) -> Callable[[StreamCall], Awaitable[None]]:
        parse = spec.request.FromString

        async def serve(caller: Caller, line: Stream) -> None:
            raw = await line.receive()
            if raw is None:
                raise one_message()
            await handle(caller, parse(raw), line)

        return self._bidi_stream(spec, serve)

    def _bidi_stream(
        self, spec: MethodSpec, handle: BidiHandler
    ) -> Callable[[StreamCall], Awaitable[None]]:
        async def call(call: StreamCall) -> None:
            try:
                caller = await self._caller(call.metadata)
                ending = self._streams.add(call.metadata.get("authorization", ""))
                call.on_gone(ending.end)
                try:
                    await handle(caller, Line(call, ending))
                    if ending.error is not None:
                        raise ending.error
                finally:
                    self._streams.remove(ending)
            except Exception as error:
                raise status_of(error, spec.path) from None

        return call

    def _unimplemented(self, spec: MethodSpec) -> Method:
        refusal = Refused(Code.UNIMPLEMENTED, why_unimplemented(spec.path))

        async def refuse(metadata: Metadata) -> NoReturn:
            try:
                await self._caller(metadata)
            except Exception as error:
                raise status_of(error, spec.path) from None
            raise status_of(refusal, spec.path)

        async def unary(raw: bytes, metadata: Metadata) -> bytes:
            await refuse(metadata)

        async def stream(call: StreamCall) -> None:
            await refuse(call.metadata)

        if spec.client_streaming or spec.server_streaming:
            return StreamMethod(stream)
        return UnaryMethod(unary)


class Line:
    """A :class:`Stream` over a call. Its ``ending`` also tells that the client has gone."""

    __slots__ = ("ending", "metadata", "receive", "send")

    def __init__(self, call: StreamCall, ending: Ending) -> None:
        self.ending = ending
        self.metadata = call.metadata
        self.send = call.send
        self.receive = call.receive


def status_of(error: Exception, name: str) -> GrpcError:
    """The status that an error stands for."""
    if isinstance(error, Refused):
        return GrpcError(int(error.code), error.message)
    if isinstance(error, DecodeError):
        refused = invalid(f"the message can't be parsed: {error}")
        return GrpcError(int(refused.code), refused.message)
    if isinstance(error, GrpcError):
        return error
    if isinstance(error, _DATABASE_AWAY):
        log.warning("database_away", method=name, error=str(error))
        return GrpcError(Status.UNAVAILABLE, DATABASE_TEXT)
    log.error("call_failed", method=name, exc_info=error)
    return GrpcError(Status.INTERNAL, INTERNAL_TEXT)
