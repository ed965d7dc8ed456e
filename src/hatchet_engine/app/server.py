"""Puts a server together and takes it apart again, in the right order."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from uuid import UUID

import asyncpg
import structlog

from hatchet_engine.app.embedded import EmbeddedPostgres
from hatchet_engine.app.facade import Facade
from hatchet_engine.app.http import HttpServer
from hatchet_engine.app.node import Node
from hatchet_engine.app.settings import Settings
from hatchet_engine.observe import definitions
from hatchet_engine.observe.chunk_store import ChunkStore
from hatchet_engine.observe.logs import LogLane
from hatchet_engine.observe.pool import open_read_pool
from hatchet_engine.observe.stream_lane import StreamLane
from hatchet_engine.observe.task_runs import TaskRuns
from hatchet_engine.sessions.result_reader import TaskNames
from hatchet_engine.sessions.subscriptions import Subscriptions
from hatchet_engine.sessions.watchers import RunWatchers
from hatchet_engine.shards.lease import database_now
from hatchet_engine.store.migrate import migrate
from hatchet_engine.store.tenants import ensure_default_tenant
from hatchet_engine.transports.auth import Authenticator
from hatchet_engine.transports.grpc.server import GrpcServer
from hatchet_engine.transports.rest.app import create_app
from hatchet_engine.transports.rest.settings import RestSettings
from hatchet_engine.turn.clock import SystemClock
from hatchet_engine.turn.engine import Engine
from hatchet_engine.turn.state import Limits
from hatchet_engine.turn.workers import Running

log = structlog.get_logger("hatchet.server")

# A payload must fit into one message to an official SDK (4 MiB) together with its envelope.
ENVELOPE_BYTES = 64 * 1024
CLOCK_READS = 3
FIRST_OWNER_WAIT_S = 3.0  # a node that finds the shard taken serves as a standby after that


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """Where a running server is reached."""

    http_url: str
    grpc_address: str
    version: str
    database: str


def own_version() -> str:
    try:
        return version("hatchet")
    except PackageNotFoundError:
        return "0.0.0"


async def serve(
    settings: Settings,
    *,
    on_ready: Callable[[ServerInfo], None],
    stop: asyncio.Event | None = None,
) -> None:
    """Run a server until ``stop`` is set; calls ``on_ready`` once it serves.

    Raises ``EmbeddedPostgresError``, ``OSError`` (a port is taken) or an asyncpg error when it
    can't start; everything already started is stopped again.
    """
    stop = stop or asyncio.Event()
    _tune_garbage_collection()
    async with AsyncExitStack() as stack:
        dsn = settings.database_url
        if dsn is None:
            dsn = await stack.enter_async_context(EmbeddedPostgres(settings.data_dir))
        info = await stack.enter_async_context(_parts(settings, dsn))
        on_ready(info)
        await stop.wait()


@asynccontextmanager
async def _parts(settings: Settings, dsn: str) -> AsyncIterator[ServerInfo]:
    await migrate(dsn)
    connection = await asyncpg.connect(dsn)
    try:
        clock = SystemClock()
        for _ in range(CLOCK_READS):  # the quickest counts
            sent_s = clock.host_s()
            database_time = await database_now(connection)
            clock.compare(database_time, sent_s, clock.host_s())
        await ensure_default_tenant(connection, database_time)
        database: str = "PostgreSQL " + await connection.fetchval("show server_version")
    finally:
        await connection.close()
    subscriptions, watchers = Subscriptions(), RunWatchers()
    engine = Engine(clock=clock, waiters=subscriptions, watchers=watchers, limits=_limits(settings))
    node = Node(engine, dsn, settings.node_name, settings.retention_days)
    if settings.embedded:
        database += ", embedded"
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            await open_read_pool(
                dsn,
                connections_max=settings.database_connections_max,
                connect_timeout_s=settings.database_connect_timeout_s,
            )
        )
        subscriptions.attach(pool, _task_name(pool))
        logs = LogLane(dsn, clock.now_ms)
        await logs.start()
        stack.push_async_callback(logs.stop)
        task_runs = TaskRuns(_running(engine), pool)
        streams = StreamLane(
            ChunkStore(dsn, lambda: node.epoch),
            task_runs,
            watchers.deliver_chunks,
            clock.now_ms,
            owner=node.owner.is_set,
        )
        await streams.start()
        stack.push_async_callback(streams.stop)
        _background(stack, subscriptions.run())
        _background(stack, node.run(), before=node.stop)
        await _first_owner(node)
        facade = Facade(
            engine=engine,
            node=node,
            read_pool=pool,
            subscriptions=subscriptions,
            watchers=watchers,
            logs=logs,
            streams=streams,
            task_runs=task_runs,
            version=own_version(),
            database=database,
        )
        authenticator = Authenticator(pool, clock)
        grpc = GrpcServer(facade, authenticator, settings)
        grpc_port = await grpc.start()
        stack.push_async_callback(grpc.stop, settings.stop_timeout_s)
        http = HttpServer(settings.host, settings.http_port)
        http_url = settings.public_server_url(http.port)
        rest = RestSettings(http_url, settings.http_body_bytes_max)
        await http.start(create_app(facade, rest, authenticator))
        stack.push_async_callback(http.stop)
        yield ServerInfo(http_url, settings.public_grpc_address(grpc_port), own_version(), database)


def _tune_garbage_collection() -> None:
    """A turn makes thousands of short-lived objects that hold no circles; looking for circles
    after every 700 of them, as is the default, costs a tenth of the engine's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _limits(settings: Settings) -> Limits:
    fits = settings.grpc_send_bytes_max - ENVELOPE_BYTES
    ageing_s = settings.priority_ageing_s
    return Limits(
        priority_ageing_ms=None if ageing_s is None else ageing_s * 1_000,
        payload_bytes_max=min(settings.payload_bytes_max, fits),
        metadata_bytes_max=settings.metadata_bytes_max,
        trigger_items_max=settings.bulk_trigger_runs_max,
        heartbeat_timeout_ms=int(settings.worker_heartbeat_timeout_s * 1_000),
    )


def _running(engine: Engine) -> Callable[[UUID], Running | None]:
    def running(task_id: UUID) -> Running | None:
        return engine.hot.running.get(task_id)  # the hot state is another one after a recovery

    return running


def _task_name(pool: asyncpg.Pool) -> TaskNames:
    async def task_name(version_id: UUID, step: int) -> str:
        found = await definitions.get_many(pool, [version_id])
        task = found[version_id].task(step)
        return task.name if task is not None else ""

    return task_name


def _background(
    stack: AsyncExitStack, coroutine: object, before: Callable[[], None] | None = None
) -> None:
    """Run beside the others; at the end ask it to stop (``before``), or cancel it."""
    task = asyncio.ensure_future(coroutine)  # type: ignore[call-overload]

    async def finish() -> None:
        if before is not None:
            before()
            await asyncio.wait({task}, timeout=10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(finish)


async def _first_owner(node: Node) -> None:
    """Wait until this node owns the shard, or is known to be a standby."""
    try:
        async with asyncio.timeout(FIRST_OWNER_WAIT_S):
            await node.owner.wait()
    except TimeoutError:
        log.warning(
            "standby", reason="another node owns the shard; this one takes over when it goes"
        )
