"""What gRPC needs of the engine: a door for commands, the live parts beside it, and its clock.

Transports know the engine through these protocols only, so tests can stand in for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar
from uuid import UUID

import asyncpg

from hatchet_engine.observe.logs import LogLine
from hatchet_engine.store.streams import Chunk
from hatchet_engine.turn.commands import Command, RunSubscriber
from hatchet_engine.turn.deliveries import RunEvent

R = TypeVar("R")


class Clock(Protocol):
    def now_ms(self) -> int:
        """Epoch milliseconds."""
        ...


class Subscriptions(Protocol):
    def subscribe(self, tenant_id: UUID, subscriber: RunSubscriber, ids: Sequence[UUID]) -> None:
        """Deliver the result of each of these runs (or tasks) once, now or when it ends."""
        ...

    def unsubscribe(self, subscriber: RunSubscriber, ids: Sequence[UUID] | None = None) -> None:
        """Forget some ids of a subscriber, or all of them (None)."""
        ...


class RunWatcher(Protocol):
    def deliver_events(self, events: Sequence[RunEvent]) -> None:
        """Called from the event loop; must not block and must not raise."""
        ...

    def deliver_chunks(self, chunks: Sequence[Chunk]) -> None:
        """As above: chunks of one run, in order; they are stored."""
        ...


class Watchers(Protocol):
    def watch_run(self, tenant_id: UUID, run_id: UUID, watcher: RunWatcher) -> None: ...

    def watch_metadata(self, tenant_id: UUID, key: str, value: str, watcher: RunWatcher) -> None:
        """All runs, present and future, whose metadata has this key with this text."""
        ...

    def unwatch(self, watcher: RunWatcher) -> None: ...


class StreamLane(Protocol):
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
        """Take a chunk of a task's stream; waits while the lane is full. Returns the task and the
        attempt that it belongs to. Raises ``Refused``.

        ``attempt`` None: the present one. ``again``: it was sent before, and may be stored.
        """
        ...

    def when_stored(self, attempts: Iterable[tuple[UUID, int]]) -> asyncio.Future[None]:
        """Set when all chunks of these attempts (task id, attempt) that were taken up to now are
        stored; cancelled when they will not be."""
        ...

    def has_waiting(self, run_id: UUID) -> bool:
        """Whether chunks of the run were taken and are not yet stored."""
        ...

    def has_gap(self, run_id: UUID) -> bool:
        """Whether chunks of the run are held because others are missing."""
        ...

    async def settle(self, run_id: UUID, task_id: UUID | None = None) -> None:
        """Returns when all chunks taken up to now, of the run or of a task, are delivered."""
        ...


class LogLane(Protocol):
    def put(self, tenant_id: UUID, lines: Sequence[LogLine]) -> None:
        """Take lines to be stored soon; never blocks, never raises."""
        ...


class EngineApi(Protocol):
    @property
    def read_pool(self) -> asyncpg.Pool: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def subscriptions(self) -> Subscriptions: ...

    @property
    def watchers(self) -> Watchers: ...

    @property
    def logs(self) -> LogLane: ...

    @property
    def streams(self) -> StreamLane: ...

    async def submit(self, command: Command[R]) -> R:
        """Carry out a command; returns after its commit. Raises ``domain.errors.Refused``."""
        ...

    def enter(self, command: Command[R]) -> asyncio.Future[R]:
        """Like ``submit``, for callers that put many commands into one turn: costs no task."""
        ...

    def heartbeat(self, tenant_id: UUID, worker_id: UUID) -> None:
        """A worker's sign of life. Raises ``Refused`` NOT_FOUND or FAILED_PRECONDITION."""
        ...
