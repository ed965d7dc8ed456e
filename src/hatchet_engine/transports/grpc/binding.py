"""Binds servicers to grpc.aio: bytes in, bytes out, errors to status codes.

Messages are parsed here and not by the library, so that malformed ones get a clear answer. Every
call is authenticated. What a handler raises becomes a status: ``Refused`` its own, a lost database
UNAVAILABLE, anything else INTERNAL without a word of what it was (C9).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn
from uuid import UUID

import asyncpg
import grpc
import structlog
from google.protobuf.message import DecodeError

from hatchet_engine.domain.errors import Code, Refused, invalid
from hatchet_engine.transports.auth import Authenticator
from hatchet_engine.transports.engine_api import EngineApi
from hatchet_engine.transports.grpc.caller import Caller, Ending, Stream
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
from hatchet_protocol.services import SERVICES, MethodSpec

log = structlog.get_logger("hatchet.grpc")

INTERNAL_TEXT = "An internal error occurred."
DATABASE_TEXT = "the database does not answer: try again"
CALLERS_MAX = 10_000  # tenants whose Caller is kept

_DATABASE_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # it shuts down, or starts up
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # it broke off in the middle of an operation
    OSError,
    TimeoutError,
)
_STATUS = {status.value[0]: status for status in grpc.StatusCode}

Context = Any  # grpc.aio.ServicerContext with identity serialisers


class Binding:
    """Makes the library's handlers; one per server."""

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

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        """One for each service, with all methods of the protocol."""
        return [
            grpc.method_handlers_generic_handler(
                service.name,
                {name: self._handler(method) for name, method in service.methods.items()},
            )
            for service in SERVICES.values()
        ]

    def _handler(self, spec: MethodSpec) -> grpc.RpcMethodHandler[Any, Any]:
        path = spec.path
        if path in UNARY:
            return grpc.unary_unary_rpc_method_handler(self._unary(spec, UNARY[path]))
        if path in SERVER_STREAMS:
            return grpc.unary_stream_rpc_method_handler(
                self._server_stream(spec, SERVER_STREAMS[path])
            )
        if path in BIDI_STREAMS:
            return grpc.stream_stream_rpc_method_handler(self._bidi_stream(BIDI_STREAMS[path]))
        return self._unimplemented(spec)

    async def _caller(self, context: Context) -> tuple[Caller, str]:
        header = ""
        for key, value in context.invocation_metadata():
            if key == "authorization":
                header = value
        tenant_id = await self._authenticator.tenant_of(header)
        caller = self._callers.get(tenant_id)
        if caller is None:
            if len(self._callers) >= CALLERS_MAX:
                self._callers.clear()
            caller = Caller(tenant_id, self._engine, self._limits)
            self._callers[tenant_id] = caller
        return caller, header

    # ------------------------------------------------------------ kinds of calls

    def _unary(self, spec: MethodSpec, handle: UnaryHandler) -> Callable[..., Awaitable[bytes]]:
        parse = spec.request.FromString
        send_bytes_max = self._limits.send_bytes_max

        async def call(raw: bytes, context: Context) -> bytes:
            try:
                caller, _ = await self._caller(context)
                response = (await handle(caller, parse(raw))).SerializeToString()
                if len(response) > send_bytes_max:
                    raise Refused(
                        Code.RESOURCE_EXHAUSTED,
                        f"the answer is {len(response)} bytes long, the limit is "
                        f"{send_bytes_max}: read this over REST",
                    )
                return response
            except Exception as error:
                await abort(context, spec.path, error)

        return call

    def _server_stream(
        self, spec: MethodSpec, handle: ServerStreamHandler
    ) -> Callable[..., Awaitable[None]]:
        parse = spec.request.FromString

        async def call(raw: bytes, context: Context) -> None:
            async def serve(caller: Caller, line: Stream) -> None:
                await handle(caller, parse(raw), line)

            await self._stream(context, spec.path, serve)

        return call

    def _bidi_stream(self, handle: BidiHandler) -> Callable[..., Awaitable[None]]:
        async def call(requests: object, context: Context) -> None:
            await self._stream(context, handle.__name__, handle)

        return call

    async def _stream(
        self, context: Context, name: str, serve: Callable[[Caller, Stream], Awaitable[None]]
    ) -> None:
        try:
            caller, header = await self._caller(context)
            ending = self._streams.add(header)
            try:
                await serve(caller, Line(context, ending))
                if ending.error is not None:
                    raise ending.error
            finally:
                self._streams.remove(ending)
        except ClientGone:
            return
        except Exception as error:
            await abort(context, name, error)

    def _unimplemented(self, spec: MethodSpec) -> grpc.RpcMethodHandler[Any, Any]:
        refusal = Refused(Code.UNIMPLEMENTED, why_unimplemented(spec.path))

        async def call(request: object, context: Context) -> NoReturn:
            try:
                await self._caller(context)
                raise refusal
            except Exception as error:
                await abort(context, spec.path, error)

        if spec.client_streaming:
            return grpc.stream_stream_rpc_method_handler(call)
        if spec.server_streaming:
            return grpc.unary_stream_rpc_method_handler(call)
        return grpc.unary_unary_rpc_method_handler(call)


class ClientGone(Exception):
    """A message could not be written: the connection is lost. Nobody is left to be told."""


class Line:
    """A :class:`Stream` over a grpc.aio call."""

    __slots__ = ("_context", "ending")

    def __init__(self, context: Context, ending: Ending) -> None:
        self._context = context
        self.ending = ending

    async def send(self, message: bytes) -> None:
        try:
            await self._context.write(message)
        except (grpc.aio.BaseError, asyncio.InvalidStateError) as error:
            raise ClientGone from error

    async def receive(self) -> bytes | None:
        raw = await self._context.read()
        return raw if type(raw) is bytes else None  # grpc.aio.EOF


async def abort(context: Context, name: str, error: Exception) -> NoReturn:
    """End a call with the status that an error stands for."""
    if isinstance(error, Refused):
        code, text = _STATUS[int(error.code)], error.message
    elif isinstance(error, DecodeError):
        refused = invalid(f"the message can't be parsed: {error}")
        code, text = _STATUS[int(refused.code)], refused.message
    elif isinstance(error, _DATABASE_AWAY):
        log.warning("database_away", method=name, error=str(error))
        code, text = grpc.StatusCode.UNAVAILABLE, DATABASE_TEXT
    elif isinstance(error, (grpc.aio.AbortError, grpc.aio.UsageError)) or context.done():
        raise error  # the call has ended already
    else:
        log.error("call_failed", method=name, exc_info=error)
        code, text = grpc.StatusCode.INTERNAL, INTERNAL_TEXT
    await context.abort(code, text)
    raise asyncio.CancelledError  # abort never returns
