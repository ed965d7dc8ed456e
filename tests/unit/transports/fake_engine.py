"""An engine that answers by script, and the gRPC server in front of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.domain.states import Status
from hatchet_engine.observe.logs import LogLine
from hatchet_engine.store.streams import Chunk
from hatchet_engine.transports.grpc.server import GrpcServer
from hatchet_engine.turn.commands import Command, RunSubscriber
from hatchet_engine.turn.deliveries import Assigned, CancelNotice, RunResult, TaskResult
from hatchet_protocol.services import METHODS

TENANT = UUID("707d0855-80ab-4e1f-a156-f1c4546cbf52")
WORKER = UUID("019a0000-0000-7000-8000-0000000000aa")
WORKFLOW = UUID("019a0000-0000-7000-8000-0000000000bb")
VERSION = UUID("019a0000-0000-7000-8000-0000000000cc")
STEP = UUID("019a0000-0000-7000-8000-0000000000dd")
NOW_MS = 1_767_225_600_000
GOOD = "bearer good"


def task_id(number: int) -> UUID:
    return UUID(int=0x019A_0000_0000_7000_8000_0000_0000_0000 + number)


def assigned(number: int = 1, **changes: Any) -> Assigned:
    """A start of task ``number``."""
    values: dict[str, Any] = {
        "tenant_id": TENANT,
        "task_id": task_id(number),
        "run_id": task_id(number),
        "attempt": 0,
        "action": "hello:hello",
        "task_name": "hello",
        "step_id": STEP,
        "input": '{"x":1}',
        "metadata": "",
        "priority": 1,
        "workflow_id": WORKFLOW,
        "version_id": VERSION,
        "created_ms": NOW_MS,
        "assigned_ms": NOW_MS + 1,
        "deadline_ms": NOW_MS + 60_000,
    }
    return Assigned(**(values | changes))


def cancel(number: int = 1, attempt: int = 0) -> CancelNotice:
    id = task_id(number)
    return CancelNotice(
        TENANT, id, id, attempt, "hello:hello", "hello", STEP, WORKFLOW, VERSION, "because"
    )


def result(
    number: int = 1,
    status: Status = Status.COMPLETED,
    output: str | None = '{"y":2}',
    error: str | None = None,
) -> RunResult:
    id = task_id(number)
    return RunResult(id, status, NOW_MS, [TaskResult(id, "hello", status, output, error)])


class FakeClock:
    def __init__(self) -> None:
        self.ms = NOW_MS

    def now_ms(self) -> int:
        return self.ms


class FakeSubscriptions:
    def __init__(self) -> None:
        self.subscribed: list[tuple[UUID, RunSubscriber, list[UUID]]] = []
        self.unsubscribed: list[tuple[RunSubscriber, list[UUID] | None]] = []

    def subscribe(self, tenant_id: UUID, subscriber: RunSubscriber, ids: Sequence[UUID]) -> None:
        self.subscribed.append((tenant_id, subscriber, list(ids)))

    def unsubscribe(self, subscriber: RunSubscriber, ids: Sequence[UUID] | None = None) -> None:
        self.unsubscribed.append((subscriber, None if ids is None else list(ids)))


class FakeWatchers:
    def __init__(self) -> None:
        self.watching: list[tuple[Any, ...]] = []
        self.unwatched: list[Any] = []

    def watch_run(self, tenant_id: UUID, run_id: UUID, watcher: Any) -> None:
        self.watching.append((tenant_id, run_id, watcher))

    def watch_metadata(self, tenant_id: UUID, key: str, value: str, watcher: Any) -> None:
        self.watching.append((tenant_id, key, value, watcher))

    def unwatch(self, watcher: Any) -> None:
        self.unwatched.append(watcher)


class FakeStreams:
    """Stored chunks are in ``stored``, of all runs; ``settled`` are the calls of ``settle``."""

    def __init__(self) -> None:
        self.put_calls: list[tuple[UUID, UUID, bytes, int | None, int | None]] = []
        self.sent_again: list[int | None] = []
        self.hold_stored = False  # then a test ends what is in ``storing``
        self.storing: list[tuple[set[tuple[UUID, int]], asyncio.Future[None]]] = []
        self.refusal: Refused | None = None
        self.room = asyncio.Event()
        self.room.set()
        self.stored: list[Chunk] = []
        self.reads = 0
        self.waiting: set[UUID] = set()
        self.gaps: set[UUID] = set()
        self.settled: list[tuple[UUID, UUID | None]] = []
        self.on_settle: Callable[[], None] = lambda: None

    async def put(
        self,
        tenant_id: UUID,
        task_id: UUID,
        data: bytes,
        index: int | None,
        attempt: int | None,
        *,
        again: bool = False,
    ) -> tuple[UUID, int]:
        await self.room.wait()
        if self.refusal is not None:
            raise self.refusal
        self.put_calls.append((tenant_id, task_id, data, index, attempt))
        if again:
            self.sent_again.append(index)
        return task_id, attempt or 0

    def when_stored(self, attempts: Iterable[tuple[UUID, int]]) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.storing.append((set(attempts), future))
        if not self.hold_stored:
            future.set_result(None)
        return future

    def has_waiting(self, run_id: UUID) -> bool:
        return run_id in self.waiting

    def has_gap(self, run_id: UUID) -> bool:
        return run_id in self.gaps

    async def settle(self, run_id: UUID, task_id: UUID | None = None) -> None:
        self.settled.append((run_id, task_id))
        self.on_settle()

    def store(
        self, *texts: str | bytes, run: UUID, first: int = 0, attempt: int = 0
    ) -> list[Chunk]:
        """Chunks of a standalone run, as the lane has stored them."""
        added = []
        for index, text in enumerate(texts, first):
            data = text if isinstance(text, bytes) else text.encode()
            id = UUID(int=(NOW_MS << 80) + len(self.stored))
            added.append(Chunk(TENANT, run, run, 0, index, data, id))
            self.stored.append(added[-1])
        return added

    async def page(
        self, pool: Any, tenant_id: UUID, run_id: UUID, after: UUID, most: int, bytes_max: int
    ) -> list[Chunk]:
        """Stands in for ``store.streams.page``."""
        self.reads += 1
        found = [one for one in self.stored if one.run_id == run_id and one.id > after]
        await asyncio.sleep(0)
        return found[:most]

    async def chunk_at(
        self, pool: Any, tenant_id: UUID, run_id: UUID, position: int
    ) -> UUID | None:
        found = [one.id for one in self.stored if one.run_id == run_id]
        return found[position] if position < len(found) else None


class FakeLogs:
    def __init__(self) -> None:
        self.lines: list[LogLine] = []

    def put(self, tenant_id: UUID, lines: Sequence[LogLine]) -> None:
        assert tenant_id == TENANT
        self.lines.extend(lines)


class FakeEngine:
    """``script[type]`` is the answer to commands of a type: a value, an exception, or a function
    of the command. Unscripted commands are answered with None."""

    def __init__(self) -> None:
        self.read_pool: Any = None
        self.clock = FakeClock()
        self.subscriptions = FakeSubscriptions()
        self.watchers = FakeWatchers()
        self.logs = FakeLogs()
        self.streams = FakeStreams()
        self.script: dict[type, Any] = {}
        self.commands: list[Any] = []
        self.turn_sizes: list[int] = []
        self.heartbeats: list[UUID] = []
        self.heartbeat_refusal: Refused | None = None
        self.hold: asyncio.Event | None = None  # commits wait for it
        self._inbox: list[tuple[Any, asyncio.Future[Any]]] = []
        self._changed = asyncio.Event()
        self._turning: asyncio.Task[None] | None = None

    async def submit(self, command: Command[Any]) -> Any:
        return await self.enter(command)

    def enter(self, command: Command[Any]) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._inbox.append((command, future))
        if len(self._inbox) == 1:
            self._turning = loop.create_task(self._turn())
        return future

    def heartbeat(self, tenant_id: UUID, worker_id: UUID) -> None:
        if self.heartbeat_refusal is not None:
            raise self.heartbeat_refusal
        assert tenant_id == TENANT
        self.heartbeats.append(worker_id)

    async def command(self, kind: type, count: int = 1) -> Any:
        """The last of ``count`` commands of a kind, once they have come."""
        async with asyncio.timeout(5):
            while len(found := [one for one in self.commands if type(one) is kind]) < count:
                self._changed.clear()
                await self._changed.wait()
        return found[count - 1]

    async def _turn(self) -> None:
        await asyncio.sleep(0)
        batch, self._inbox = self._inbox, []
        self.turn_sizes.append(len(batch))
        for command, _ in batch:
            self.commands.append(command)
        self._changed.set()
        if self.hold is not None:
            await self.hold.wait()
        for command, future in batch:
            answer = self.script.get(type(command))
            try:
                answer = answer(command) if callable(answer) else answer
                if isinstance(answer, Exception):
                    raise answer
            except Exception as error:
                if not future.done():
                    future.set_exception(error)
                continue
            if not future.done():
                future.set_result(answer)


class FakeAuthenticator:
    def __init__(self) -> None:
        self.good = {GOOD}
        self.asked = 0

    async def tenant_of(self, header: str | None) -> UUID:
        self.asked += 1
        if header not in self.good:
            raise Refused(Code.UNAUTHENTICATED, "invalid auth token")
        return TENANT


@dataclass
class FakeSettings:
    host: str = "127.0.0.1"
    grpc_port: int = 0
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    tls_client_ca_file: Path | None = None
    grpc_receive_bytes_max: int = 1024 * 1024
    grpc_send_bytes_max: int = 1024 * 1024
    payload_bytes_max: int = 4 * 1024 * 1024
    metadata_bytes_max: int = 1024


@dataclass
class Served:
    """A server over a fake engine, and a channel to it."""

    engine: FakeEngine
    authenticator: FakeAuthenticator
    server: GrpcServer
    channel: grpc.aio.Channel
    port: int
    metadata: tuple[tuple[str, str], ...] = field(default=(("authorization", GOOD),))

    async def call(self, path: str, request: Any, **options: Any) -> Any:
        """A unary call by path."""
        spec = METHODS[path]
        call: Callable[..., Any] = self.channel.unary_unary(
            path,
            request_serializer=spec.request.SerializeToString,
            response_deserializer=spec.response.FromString,
        )
        return await call(request, **({"metadata": self.metadata, "timeout": 10} | options))

    async def raw(self, path: str, data: bytes, **options: Any) -> Any:
        return await self.channel.unary_unary(path)(
            data, **({"metadata": self.metadata, "timeout": 10} | options)
        )

    def listen(self, path: str, request: Any) -> Any:
        """A server stream by path."""
        spec = METHODS[path]
        return self.channel.unary_stream(
            path,
            request_serializer=spec.request.SerializeToString,
            response_deserializer=spec.response.FromString,
        )(request, metadata=self.metadata, timeout=20)

    def open(self, path: str) -> Any:
        """A bidirectional stream by path."""
        spec = METHODS[path]
        return self.channel.stream_stream(
            path,
            request_serializer=spec.request.SerializeToString,
            response_deserializer=spec.response.FromString,
        )(metadata=self.metadata, timeout=20)

    async def refusal(self, path: str, request: Any) -> tuple[str, str]:
        """Status name and text of a unary call that fails."""
        try:
            answer = await self.call(path, request)
        except grpc.aio.AioRpcError as error:
            return error.code().name, error.details() or ""
        raise AssertionError(f"{path} was not refused: {answer}")


@asynccontextmanager
async def served(**settings: Any) -> AsyncIterator[Served]:
    engine, authenticator = FakeEngine(), FakeAuthenticator()
    server = GrpcServer(engine, authenticator, FakeSettings(**settings))  # type: ignore[arg-type]
    port = await server.start()
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options) as channel:
        try:
            yield Served(engine, authenticator, server, channel, port)
        finally:
            await server.stop(1)


async def ended(call: Any) -> tuple[str, str]:
    """Status name and text of a stream that ends; fails if a message comes first."""
    try:
        last = await call.read()
    except grpc.aio.AioRpcError as error:
        return error.code().name, error.details() or ""
    assert last is grpc.aio.EOF, last
    return (await call.code()).name, await call.details() or ""
