"""Against the real client of Python's gRPC."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from hatchet_engine.transports.http2.limits import MIB, Limits
from tests.unit.http2.served import Methods, Served, served, start

ECHOES = ("Echo", "EchoLater", "EchoTask")


@pytest.fixture
async def line() -> AsyncIterator[Served]:
    async with served() as one:
        yield one


async def failure(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def read_all(call: Any) -> list[bytes]:
    return [message async for message in call]


async def soon(event: asyncio.Event) -> None:
    async with asyncio.timeout(5):
        await event.wait()


# ------------------------------------------------------------ unary


@pytest.mark.parametrize("name", ECHOES)
@pytest.mark.parametrize("size", [0, 1, 1_000, 16_384, 100_000, 5 * MIB])
async def test_unary(line: Served, name: str, size: int) -> None:
    message = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert await line.unary(name)(message, timeout=10) == message


@pytest.mark.parametrize("name", ECHOES)
async def test_many_at_once(line: Served, name: str) -> None:
    messages = [str(number).encode() * 10 for number in range(2_000)]
    call = line.unary(name)
    assert await asyncio.gather(*map(call, messages)) == messages
    assert line.open_calls() == 0


async def test_metadata(line: Served) -> None:
    sent = (("authorization", "Bearer x"), ("x-twice", "1"), ("x-twice", "2"), ("x-bin", b"\0\xff"))
    await line.unary("Echo")(b"", metadata=sent)
    (got,) = line.methods.metadata
    assert got["authorization"] == "Bearer x"
    assert got["x-twice"] == "1,2"
    assert got["x-bin"].rstrip("=") == "AP8"
    assert got["user-agent"].startswith("grpc-python-asyncio/")


async def test_metadata_changes_from_call_to_call(line: Served) -> None:
    call = line.unary("Echo")
    for number in range(300):
        await call(b"", metadata=(("x-number", str(number % 7)),), timeout=1 + number)
    seen = [one["x-number"] for one in line.methods.metadata]
    assert seen == [str(number % 7) for number in range(300)]


async def test_too_much_metadata(line: Served) -> None:
    error = await failure(line.unary("Echo")(b"", metadata=(("x", "y" * 100_000),)))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await line.unary("Echo")(b"ok") == b"ok"


@pytest.mark.parametrize("name", ["Fail", "FailTask"])
@pytest.mark.parametrize("message", [b"now", b"later"])
async def test_status_of_errors(line: Served, name: str, message: bytes) -> None:
    error = await failure(line.unary(name)(message))
    assert error.code() == grpc.StatusCode.ALREADY_EXISTS
    assert error.details() == "dejà vu: 100%\n"
    trailers = dict(error.trailing_metadata() or ())
    assert trailers["grpc-status-details-bin"] == b"\x08\x06"


@pytest.mark.parametrize("name", ["Fail", "FailTask"])
async def test_bugs_tell_nothing(line: Served, name: str) -> None:
    error = await failure(line.unary(name)(b"bug"))
    assert error.code() == grpc.StatusCode.INTERNAL
    assert error.details() == "An internal error occurred."


async def test_unknown_methods(line: Served) -> None:
    error = await failure(line.unary("Nothing")(b""))
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "/test.Service/Nothing" in (error.details() or "")
    error = await failure(line.stream("Nothing")(b"").read())
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_messages_too_large_are_refused(line: Served) -> None:
    error = await failure(line.unary("Echo")(b"x" * (16 * MIB + 1)))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await line.unary("Echo")(b"ok") == b"ok"


@pytest.mark.parametrize("name", ECHOES)
async def test_gzip(line: Served, name: str) -> None:
    for message in (b"", b"a" * 100_000):
        got = await line.unary(name)(message, compression=grpc.Compression.Gzip)
        assert got == message


async def test_gzip_bomb(line: Served) -> None:
    error = await failure(
        line.unary("Echo")(bytes(64 * MIB), compression=grpc.Compression.Gzip, timeout=10)
    )
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_deflate_is_not_spoken(line: Served) -> None:
    error = await failure(line.unary("Echo")(b"x" * 100, compression=grpc.Compression.Deflate))
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_streams_of_a_unary_method_get_one_answer(line: Served) -> None:
    call = line.bidi("Echo")()
    await call.write(b"one")
    await call.write(b"two")
    await call.done_writing()
    error = await failure(call.read())
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    call = line.bidi("Echo")()
    await call.done_writing()
    error = await failure(call.read())
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED


# ------------------------------------------------------------ deadlines and cancellation


@pytest.mark.parametrize("name", ["Wait", "WaitTask"])
async def test_deadline_of_unary(line: Served, name: str) -> None:
    began_s = time.monotonic()
    error = await failure(line.unary(name)(b"", timeout=0.2))
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert 0.15 < time.monotonic() - began_s < 2
    await soon(line.methods.cancelled)
    assert line.application.deadlines._slots == {}


@pytest.mark.parametrize("name", ["Wait", "WaitTask"])
async def test_cancelled_unary(line: Served, name: str) -> None:
    call = line.unary(name)(b"")
    await soon(line.methods.begun)
    call.cancel()
    await soon(line.methods.cancelled)
    assert await line.unary("Echo")(b"ok") == b"ok"
    assert line.open_calls() == 0


@pytest.mark.parametrize("name", ["Wait", "WaitTask"])
async def test_unary_that_waited(line: Served, name: str) -> None:
    call = line.unary(name)(b"late", timeout=60)
    await soon(line.methods.begun)
    line.methods.go_on.set()
    assert await call == b"late"
    assert line.application.deadlines._slots == {}


async def test_deadline_of_a_stream(line: Served) -> None:
    call = line.stream("Listen")(b"", timeout=0.3)
    assert await call.read() == b"hello"
    error = await failure(call.read())
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    await soon(line.methods.gone)
    await soon(line.methods.ended)


async def test_cancelled_stream(line: Served) -> None:
    call = line.stream("Listen")(b"")
    assert await call.read() == b"hello"
    call.cancel()
    await soon(line.methods.gone)
    await soon(line.methods.ended)
    assert not line.methods.cancelled.is_set()


async def test_closed_channel(line: Served) -> None:
    call = line.bidi("Chat")()
    await call.write(b"x")
    assert await call.read() == b"x"
    await line.channel.close()
    await soon(line.methods.gone)
    await soon(line.methods.ended)


async def test_handlers_that_do_not_go_are_cancelled() -> None:
    async with served(peer_gone_grace_s=0.1) as line:
        call = line.stream("Deaf")(b"")
        await soon(line.methods.begun)
        call.cancel()
        await soon(line.methods.cancelled)


# ------------------------------------------------------------ streams


@pytest.mark.parametrize(("count", "size"), [(0, 0), (1, 10), (20_000, 50), (50, 1_000_000)])
async def test_server_streams(line: Served, count: int, size: int) -> None:
    call = line.stream("Count")(f"{count} {size}".encode())
    messages = await read_all(call)
    assert len(messages) == count
    assert {len(message) for message in messages} <= {size}
    assert await call.code() == grpc.StatusCode.OK


async def test_a_slow_reader_holds_the_producer_back(line: Served) -> None:
    call = line.stream("Count")(b"1000 100000")
    assert await call.read()
    await asyncio.sleep(0.5)  # the time in which it could send too much
    assert line.methods.sent < 500
    call.cancel()
    await soon(line.methods.ended)


async def test_bidirectional(line: Served) -> None:
    call = line.bidi("Chat")()
    for size in (0, 10, 100_000, 6 * MIB):
        await call.write(b"x" * size)
        assert await call.read() == b"x" * size
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() == grpc.StatusCode.OK


async def test_bidirectional_pipelined(line: Served) -> None:
    async def messages() -> AsyncIterator[bytes]:
        for number in range(5_000):
            yield str(number).encode()

    call = line.bidi("Chat")(messages())
    assert await read_all(call) == [str(number).encode() for number in range(5_000)]


async def test_gzip_in_streams(line: Served) -> None:
    call = line.channel.stream_stream("/test.Service/Chat")(compression=grpc.Compression.Gzip)
    for _ in range(3):
        await call.write(b"a" * 50_000)
        assert await call.read() == b"a" * 50_000


async def test_streams_end_with_errors(line: Served) -> None:
    for _ in range(3):
        call = line.bidi("Chat")()
        await call.write(b"hello")
        await call.write(b"fail")
        assert await call.read() == b"hello"
        error = await failure(call.read())
        assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "what?")


async def test_the_server_may_end_first(line: Served) -> None:
    call = line.bidi("Chat")()
    await call.write(b"enough")
    assert await call.read() is grpc.aio.EOF
    assert await call.code() == grpc.StatusCode.OK


async def test_a_reader_that_holds_back_gets_everything_in_the_end(line: Served) -> None:
    """Both sides send more than any window takes before anyone reads."""
    call = line.bidi("Chat")()

    async def write() -> None:
        for _ in range(60):
            await call.write(b"y" * 200_000)
        await call.done_writing()

    writing = asyncio.create_task(write())
    await asyncio.sleep(0.3)  # the time in which both fill their windows
    assert [len(message) for message in await read_all(call)] == [200_000] * 60
    await writing


async def test_too_much_held() -> None:
    async with served(limits=Limits(held_bytes=200_000)) as line:
        call = line.bidi("Deaf")()

        async def write() -> None:
            for _ in range(100):
                await call.write(b"z" * 50_000)

        with pytest.raises((grpc.aio.AioRpcError, asyncio.InvalidStateError)):
            await write()
        # The client says INTERNAL when the end of the call meets a write of its own.
        codes = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL)
        assert await call.code() in codes
        assert await line.unary("Echo")(b"ok") == b"ok"


# ------------------------------------------------------------ connections


async def test_pings_every_ten_milliseconds() -> None:
    options = [
        ("grpc.keepalive_time_ms", 10),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]
    async with served(options) as line:
        call = line.stream("Listen")(b"")
        assert await call.read() == b"hello"
        await asyncio.sleep(2)  # the time of some hundred pings
        assert len(line.server._endpoints) == 1
        line.methods.go_on.set()
        assert await call.read() is grpc.aio.EOF


async def test_stop_ends_what_listens_and_lets_calls_finish(line: Served) -> None:
    listening = line.stream("Listen")(b"")
    assert await listening.read() == b"hello"
    waiting = line.unary("Wait")(b"mine")
    await soon(line.methods.begun)
    stopping = asyncio.create_task(line.server.stop(5))
    await asyncio.sleep(0.1)  # the time in which it could end too early
    assert not stopping.done()
    line.methods.go_on.set()
    assert await listening.read() is grpc.aio.EOF
    assert await listening.code() == grpc.StatusCode.OK
    assert await waiting == b"mine"
    began_s = time.monotonic()
    await stopping
    assert time.monotonic() - began_s < 2


async def test_stop_ends_calls_after_their_grace(line: Served) -> None:
    waiting, deaf = line.unary("Wait")(b""), line.stream("Deaf")(b"")
    await soon(line.methods.begun)
    await line.server.stop(0.1)
    for call in (waiting, deaf.read()):
        error = await failure(call)
        assert error.code() == grpc.StatusCode.UNAVAILABLE
    await soon(line.methods.cancelled)


async def test_clients_come_back_after_a_restart() -> None:
    async with served([("grpc.initial_reconnect_backoff_ms", 50)]) as line:
        call = line.unary("Echo")
        assert await call(b"before") == b"before"
        await line.server.stop(1)
        methods = Methods()
        server, _, port = await start(methods, line.port)
        assert port == line.port
        try:
            got = await call(b"after", wait_for_ready=True, timeout=10)
            assert got == b"after"
        finally:
            await server.stop(1)


async def test_new_calls_move_on_while_a_stream_drains() -> None:
    """GOAWAY: the client opens another connection, the old one lives until its stream ends."""
    async with served([("grpc.initial_reconnect_backoff_ms", 50)]) as line:
        listening = line.stream("Listen")(b"")
        assert await listening.read() == b"hello"
        for endpoint in list(line.server._endpoints):
            endpoint.drain()
        assert await line.unary("Echo")(b"x", wait_for_ready=True, timeout=5) == b"x"
        assert len(line.server._endpoints) == 2
        line.methods.go_on.set()
        assert await listening.read() is grpc.aio.EOF
