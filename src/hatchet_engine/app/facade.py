"""What transports see of a running node: one object with a door, live facts and lanes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import asyncpg

from hatchet_engine.app.node import Node
from hatchet_engine.domain.why import Answer
from hatchet_engine.observe.logs import LogLane
from hatchet_engine.observe.stream_lane import StreamLane
from hatchet_engine.observe.task_runs import TaskRuns
from hatchet_engine.observe.why import explain
from hatchet_engine.sessions.subscriptions import Subscriptions
from hatchet_engine.sessions.watchers import RunWatchers
from hatchet_engine.turn.clock import Clock
from hatchet_engine.turn.commands import Command
from hatchet_engine.turn.engine import Engine

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class WorkerLive:
    last_heartbeat_ms: int | None
    listening: bool
    free: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ShardStatus:
    id: int
    epoch: int
    owner: str


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    name: str
    listening: bool
    paused: bool
    running: int
    slots: Mapping[str, int]
    free: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LaneStatus:
    name: str
    waiting: int
    dropped: int


@dataclass(frozen=True, slots=True)
class EngineStatus:
    version: str
    database: str
    shards: Sequence[ShardStatus]
    workers: Sequence[WorkerStatus]
    queue_depths: Mapping[str, int]
    lanes: Sequence[LaneStatus]


class Facade:
    """The engine as transports use it."""

    def __init__(
        self,
        *,
        engine: Engine,
        node: Node,
        read_pool: asyncpg.Pool,
        subscriptions: Subscriptions,
        watchers: RunWatchers,
        logs: LogLane,
        streams: StreamLane,
        task_runs: TaskRuns,
        version: str,
        database: str,
    ) -> None:
        self.read_pool = read_pool
        self.subscriptions = subscriptions
        self.watchers = watchers
        self.logs = logs
        self.streams = streams
        self._task_runs = task_runs
        self._engine = engine
        self._node = node
        self._version = version
        self._database = database

    @property
    def clock(self) -> Clock:
        return self._engine.clock

    @property
    def ready(self) -> bool:
        """Whether commands are taken: this node owns the shard and its database answers."""
        return self._engine.ready

    async def submit(self, command: Command[R]) -> R:
        """Carry out a command; returns after its commit. Raises ``domain.errors.Refused``."""
        return await self._engine.enter(command)

    def enter(self, command: Command[R]) -> asyncio.Future[R]:
        """Like :meth:`submit`, for callers that put many commands into one turn."""
        return self._engine.enter(command)

    def heartbeat(self, tenant_id: UUID, worker_id: UUID) -> None:
        self._engine.heartbeat(tenant_id, worker_id)

    async def run_of(self, tenant_id: UUID, task_id: UUID) -> UUID | None:
        """The run that a task belongs to; None for an unknown task."""
        place = await self._task_runs.find(tenant_id, task_id)
        return None if place is None else place.run_id

    async def why(self, tenant_id: UUID, id: UUID) -> Answer | None:
        """Why a task or run does not run; None for an unknown id. A standby tells what it can."""
        engine = self._engine
        hot = engine.hot if engine.ready else None
        return await explain(self.read_pool, hot, tenant_id, id, engine.clock.now_ms())

    def worker_live(self, worker_id: UUID) -> WorkerLive | None:
        worker = self._engine.hot.workers.get(worker_id)
        if worker is None or not worker.streamed:
            return None
        return WorkerLive(worker.heartbeat_ms, worker.session is not None, dict(worker.free))

    def status(self) -> EngineStatus:
        hot = self._engine.hot
        depths: dict[str, int] = {}
        for queue in hot.queues.values():
            depths[queue.action] = depths.get(queue.action, 0) + queue.depth
        owner = self._node.name if self._node.owner.is_set() else ""
        return EngineStatus(
            self._version,
            self._database,
            [ShardStatus(0, self._node.epoch, owner)],
            [
                WorkerStatus(
                    worker.name,
                    worker.session is not None,
                    worker.paused or worker.draining,
                    len(worker.running),
                    dict(worker.slots),
                    dict(worker.free),
                )
                for worker in hot.workers.values()
            ],
            depths,
            [
                LaneStatus("logs", self.logs.waiting, self.logs.dropped),
                LaneStatus("streams", self.streams.waiting, self.streams.dropped),
            ],
        )
