"""Listening, silent peers, peers that do not read, and strangers."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from pathlib import Path

import pytest

from hatchet_engine.transports.http2 import frames as f
from hatchet_engine.transports.http2.errors import ErrorCode
from hatchet_engine.transports.http2.limits import Limits
from hatchet_engine.transports.http2.server import bind
from hatchet_engine.transports.http2.tls import server_context
from tests.unit.http2.peer import CALL, Frame, Peer, parse_frames
from tests.unit.http2.served import Served, served


class RawClient:
    """A socket that says what it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.peer = Peer(greet=False)  # only for its encoder
        self._data = b""

    @classmethod
    async def to(cls, line: Served) -> RawClient:
        reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
        line.sockets.append(writer)
        return cls(reader, writer)

    async def greet(self, *settings: tuple[int, int]) -> None:
        self.writer.write(f.PREFACE + f.settings(settings))
        await self.until("SETTINGS")

    def call(self, path: str, message: bytes, then: bytes = b"") -> None:
        head = [(":path", path) if name == ":path" else (name, value) for name, value in CALL]
        data = b"\0" + len(message).to_bytes(4, "big") + message
        self.writer.write(self.peer.head(head) + self.peer.data(data, end=True) + then)

    async def until(self, name: str, timeout_s: float = 5) -> Frame:
        """The first frame of this name; those before it are dropped."""
        async with asyncio.timeout(timeout_s):
            while True:
                whole = 0
                while len(self._data) - whole >= 9:
                    stop = whole + 9 + int.from_bytes(self._data[whole : whole + 3], "big")
                    if stop > len(self._data):
                        break
                    (frame,) = parse_frames(self._data[whole:stop])
                    whole = stop
                    if frame.name == name:
                        self._data = self._data[whole:]
                        return frame
                self._data = self._data[whole:]
                more = await self.reader.read(65_536)
                if not more:
                    raise EOFError(name)
                self._data += more

    async def closed(self, timeout_s: float = 5) -> float:
        """Seconds until the server closes."""
        began_s = time.monotonic()
        async with asyncio.timeout(timeout_s):
            try:
                while await self.reader.read(65_536):
                    pass
            except ConnectionError:
                pass
        return time.monotonic() - began_s


# ------------------------------------------------------------ strangers


async def test_http1_gets_a_short_text() -> None:
    async with served() as line:
        client = await RawClient.to(line)
        client.writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = await asyncio.wait_for(client.reader.read(), 5)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"speaks gRPC" in answer


async def test_who_says_nothing_is_sent_away() -> None:
    async with served(greeting_s=0.2) as line:
        client = await RawClient.to(line)
        assert await client.closed() < 2
        half = await RawClient.to(line)
        half.writer.write(f.PREFACE)
        assert await half.closed() < 2


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([(":method", "GET")], "405"),
        ([("content-type", "application/json")], "415"),
        ([("content-type", "application/grpc-web")], "415"),
        ([("content-type", "application/grpc+proto")], "200"),
        ([("content-type", "application/grpc;charset=utf-8")], "200"),
    ],
)
async def test_requests_that_are_no_grpc(fields: list[tuple[str, str]], status: str) -> None:
    changes = dict(fields)
    async with served() as line:
        client = await RawClient.to(line)
        await client.greet()
        head = [(name, changes.get(name, value)) for name, value in CALL]
        client.writer.write(client.peer.head(head, flags=f.END_HEADERS | f.END_STREAM))
        answer = await client.until("HEADERS")
        assert client.peer.fields(answer)[":status"] == status


@pytest.mark.parametrize("timeout", ["soon", "1", "123456789S"])
async def test_malformed_timeouts(timeout: str) -> None:
    async with served() as line:
        client = await RawClient.to(line)
        await client.greet()
        head = client.peer.head([*CALL, ("grpc-timeout", timeout)])
        client.writer.write(head)
        answer = await client.until("HEADERS")
        assert client.peer.fields(answer)["grpc-status"] == "13"


async def test_a_call_that_never_sends_its_message_meets_its_deadline() -> None:
    async with served() as line:
        client = await RawClient.to(line)
        await client.greet()
        path = [(name, "/test.Service/Echo" if name == ":path" else value) for name, value in CALL]
        client.writer.write(client.peer.head([*path, ("grpc-timeout", "100m")]))
        answer = await client.until("HEADERS")
        assert client.peer.fields(answer)["grpc-status"] == "4"


async def test_a_request_cut_off_in_a_message() -> None:
    async with served() as line:
        client = await RawClient.to(line)
        await client.greet()
        for path in ("Echo", "Chat"):
            fields = [(n, f"/test.Service/{path}" if n == ":path" else v) for n, v in CALL]
            client.writer.write(client.peer.head(fields))
            client.writer.write(client.peer.data(b"\0\0\0\0\x09abc", end=True))
            answer = await client.until("HEADERS")
            assert client.peer.fields(answer)["grpc-status"] == "13"


@pytest.mark.parametrize("name", ["Echo", "EchoLater", "EchoTask", "WaitTask", "Count", "Deaf"])
async def test_a_call_that_is_cancelled_as_soon_as_it_is_made(name: str) -> None:
    async with served(peer_gone_grace_s=0.05) as line:
        client = await RawClient.to(line)
        await client.greet()
        for number in range(20):
            reset = f.rst_stream(2 * number + 1, ErrorCode.CANCEL)
            client.call(f"/test.Service/{name}", b"1000000 1", then=reset)
        client.writer.write(f.frame(f.PING, 0, 0, bytes(8)))
        await client.until("PING")
        async with asyncio.timeout(2):
            while line.application.running:
                await asyncio.sleep(0.01)
        assert line.open_calls() == 0


# ------------------------------------------------------------ peers that are not well


async def test_dead_peers_are_found() -> None:
    async with served(greeting_s=0.1, keepalive_idle_s=0.2, keepalive_timeout_s=0.3) as line:
        client = await RawClient.to(line)
        await client.greet()
        await client.until("PING")
        assert await client.closed() < 1


async def test_living_peers_are_kept() -> None:
    async with served(greeting_s=0.1, keepalive_idle_s=0.1, keepalive_timeout_s=0.2) as line:
        client = await RawClient.to(line)
        await client.greet()
        for _ in range(5):
            ping = await client.until("PING")
            client.writer.write(f.frame(f.PING, f.ACK, 0, ping.payload))
        assert len(line.server._endpoints) == 1


async def test_a_peer_that_does_not_read_stops_its_producer() -> None:
    async with served() as line:
        client = await RawClient.to(line)
        await client.greet((f.INITIAL_WINDOW_SIZE, 2**31 - 1))
        client.writer.write(f.window_update(0, 2**30))
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        client.call("/test.Service/Count", b"10000 100000")
        await asyncio.sleep(0.5)  # the time in which it fills all windows and buffers
        sent = line.methods.sent
        assert 0 < sent < 1_000
        await asyncio.sleep(0.2)  # the time in which it could go on
        assert line.methods.sent == sent
        client.writer.transport.abort()
        await asyncio.wait_for(line.methods.ended.wait(), 5)


async def test_a_peer_that_asks_and_does_not_read_is_sent_away() -> None:
    async with served(limits=Limits(unsent_bytes=1_000_000)) as line:
        client = await RawClient.to(line)
        await client.greet((f.INITIAL_WINDOW_SIZE, 2**31 - 1))
        client.writer.write(f.window_update(0, 2**30))
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(300):
            client.call("/test.Service/Echo", b"x" * 50_000)
            await asyncio.sleep(0.002)
            if not line.server._endpoints:
                break
        assert not line.server._endpoints
        client.writer.transport.abort()


async def test_a_flood_ends_with_goaway() -> None:
    async with served() as line:
        client = await RawClient.to(line)
        await client.greet()
        client.writer.write(f.settings(()) * 1_000)
        goaway = await client.until("GOAWAY")
        assert goaway.payload[7] == 11
        await client.closed()


# ------------------------------------------------------------ listening


async def test_a_port_that_is_taken() -> None:
    async with served() as line:
        with pytest.raises(OSError, match="in use") as caught:
            await bind("127.0.0.1", line.port)
        assert caught.value.errno == errno.EADDRINUSE


async def test_one_port_on_all_addresses_of_a_name() -> None:
    sockets = await bind("localhost", 0)
    assert len({one.getsockname()[1] for one in sockets}) == 1
    for one in sockets:
        one.close()


async def test_unknown_hosts_and_foreign_addresses() -> None:
    for host in ("192.0.2.1", "no.such.host.invalid"):
        with pytest.raises(OSError):  # noqa: PT011 — socket.gaierror is one too
            await bind(host, 0)


async def test_nodelay() -> None:
    async with served() as line:
        client = await RawClient.to(line)
        await client.greet()
        (endpoint,) = line.server._endpoints
        assert endpoint._transport is not None
        found = endpoint._transport.get_extra_info("socket")
        assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_certificates_that_can_not_be_used(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("this is no certificate")
    for name in ("bad", "missing"):
        with pytest.raises(OSError):  # noqa: PT011 — ssl.SSLError is one too
            server_context(tmp_path / name, tmp_path / name)
