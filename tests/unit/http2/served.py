"""The whole layer on a socket, with a few methods, and the real gRPC client in front of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from hatchet_engine.transports.http2.calls import Metadata
from hatchet_engine.transports.http2.grpc import GrpcApplication, StreamMethod, UnaryMethod
from hatchet_engine.transports.http2.limits import MIB, Limits, Times
from hatchet_engine.transports.http2.server import Http2Server
from hatchet_engine.transports.http2.status import GrpcError, Status
from hatchet_engine.transports.http2.streaming import StreamCall

UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


@dataclass
class Methods:
    """What the methods do, and what they saw."""

    metadata: list[Metadata] = field(default_factory=list)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int = 0

    async def echo(self, message: bytes, metadata: Metadata) -> bytes:
        self.metadata.append(metadata)
        return message

    async def echo_later(self, message: bytes, metadata: Metadata) -> bytes:
        """Waits for futures, as those who wait for the engine do."""
        for _ in range(3):
            future = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(future.set_result, message)
            message = await future
        await asyncio.sleep(0)
        return message

    async def wait(self, message: bytes, metadata: Metadata) -> bytes:
        self.begun.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return message

    async def wait_in_task(self, message: bytes, metadata: Metadata) -> bytes:
        async with asyncio.timeout(10):
            return await self.wait(message, metadata)

    async def fail(self, message: bytes, metadata: Metadata) -> bytes:
        if message == b"later":
            await asyncio.sleep(0)
        if message == b"bug":
            raise KeyError("secret")
        raise GrpcError(Status.ALREADY_EXISTS, "dejà vu: 100%\n", b"\x08\x06")

    async def count(self, call: StreamCall) -> None:
        """Sends as many messages of a size as it is told."""
        self.metadata.append(call.metadata)
        raw = await call.receive()
        assert raw is not None
        count, size = map(int, raw.split())
        for self.sent in range(1, count + 1):
            await call.send(b"x" * size)
            if call.is_gone:
                break
        self.ended.set()

    async def chat(self, call: StreamCall) -> None:
        call.on_gone(self.gone.set)
        self.begun.set()
        while (message := await call.receive()) is not None:
            if message == b"fail":
                raise GrpcError(Status.NOT_FOUND, "what?")
            if message == b"enough":
                break
            await call.send(message)
        self.ended.set()

    async def listen(self, call: StreamCall) -> None:
        """Ends when it is told to, or when nobody listens any more."""
        await call.receive()
        await call.send(b"hello")
        call.on_gone(self.gone.set)
        waits = [asyncio.create_task(one.wait()) for one in (self.gone, self.go_on)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for one in waits:
            one.cancel()
        self.ended.set()

    async def deaf(self, call: StreamCall) -> None:
        """Does not return when its client has gone."""
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


@dataclass
class Served:
    methods: Methods
    server: Http2Server
    application: GrpcApplication
    port: int
    channel: grpc.aio.Channel
    sockets: list[asyncio.StreamWriter] = field(default_factory=list)  # aborted at the end

    def unary(self, name: str) -> Any:
        return self.channel.unary_unary(f"/test.Service/{name}")

    def stream(self, name: str) -> Any:
        return self.channel.unary_stream(f"/test.Service/{name}")

    def bidi(self, name: str) -> Any:
        return self.channel.stream_stream(f"/test.Service/{name}")

    def open_calls(self) -> int:
        return sum(len(one.connection.streams) for one in self.server._endpoints)


async def start(
    methods: Methods, port: int = 0, *, limits: Limits | None = None, **times: float
) -> tuple[Http2Server, GrpcApplication, int]:
    clocks = Times(**times)
    application = GrpcApplication(
        {
            "/test.Service/Echo": UnaryMethod(methods.echo, at_once=True),
            "/test.Service/EchoLater": UnaryMethod(methods.echo_later, at_once=True),
            "/test.Service/EchoTask": UnaryMethod(methods.echo_later),
            "/test.Service/Wait": UnaryMethod(methods.wait, at_once=True),
            "/test.Service/WaitTask": UnaryMethod(methods.wait_in_task),
            "/test.Service/Fail": UnaryMethod(methods.fail, at_once=True),
            "/test.Service/FailTask": UnaryMethod(methods.fail),
            "/test.Service/Count": StreamMethod(methods.count),
            "/test.Service/Chat": StreamMethod(methods.chat),
            "/test.Service/Listen": StreamMethod(methods.listen),
            "/test.Service/Deaf": StreamMethod(methods.deaf),
        },
        16 * MIB,
        asyncio.get_running_loop(),
        clocks,
    )
    server = Http2Server(application, limits or Limits(), clocks)
    return server, application, await server.start("127.0.0.1", port)


@asynccontextmanager
async def served(
    options: list[tuple[str, Any]] | None = None,
    limits: Limits | None = None,
    **times: float,
) -> AsyncIterator[Served]:
    methods = Methods()
    server, application, port = await start(methods, limits=limits, **times)
    async with grpc.aio.insecure_channel(
        f"127.0.0.1:{port}", [*UNLIMITED, ("grpc.use_local_subchannel_pool", 1), *(options or [])]
    ) as channel:
        line = Served(methods, server, application, port, channel)
        try:
            yield line
        finally:
            await server.stop(0.1)
            for writer in line.sockets:
                writer.transport.abort()
            await asyncio.sleep(0)
    assert not application.running
    assert not server._endpoints
