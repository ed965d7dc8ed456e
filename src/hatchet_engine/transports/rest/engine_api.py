"""What REST needs of the engine: one door for commands, a pool for reads, and live facts.

REST knows the engine through these protocols only, so tests can stand in for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Protocol, TypeVar
from uuid import UUID

import asyncpg

from hatchet_engine.domain.why import Answer
from hatchet_engine.transports.engine_api import StreamLane, Watchers
from hatchet_engine.turn.commands import Command

R = TypeVar("R")


class Clock(Protocol):
    def now_ms(self) -> int:
        """Epoch milliseconds."""
        ...


class WorkerLive(Protocol):
    """What the node that holds a worker's stream knows of it."""

    @property
    def last_heartbeat_ms(self) -> int | None: ...

    @property
    def listening(self) -> bool:
        """Whether its stream is open."""
        ...

    @property
    def free(self) -> Mapping[str, int]:
        """Free units by slot type."""
        ...


class ShardStatus(Protocol):
    @property
    def id(self) -> int: ...

    @property
    def epoch(self) -> int: ...

    @property
    def owner(self) -> str:
        """Name of the node that owns it; "" when nobody does."""
        ...


class WorkerStatus(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def listening(self) -> bool: ...

    @property
    def paused(self) -> bool: ...

    @property
    def running(self) -> int:
        """Tasks on it now."""
        ...

    @property
    def slots(self) -> Mapping[str, int]: ...

    @property
    def free(self) -> Mapping[str, int]: ...


class LaneStatus(Protocol):
    """What tasks say while they run, on its way to the database: beside the turn, in batches."""

    @property
    def name(self) -> str:
        """logs or streams."""
        ...

    @property
    def waiting(self) -> int:
        """Lines or chunks that are not yet stored."""
        ...

    @property
    def dropped(self) -> int:
        """Those that were not stored, since the server has started."""
        ...


class EngineStatus(Protocol):
    """A look at one node, cheap enough to be taken every few seconds."""

    @property
    def version(self) -> str: ...

    @property
    def database(self) -> str:
        """One line about the database, without secrets, such as "PostgreSQL 18.1, embedded"."""
        ...

    @property
    def shards(self) -> Sequence[ShardStatus]: ...

    @property
    def workers(self) -> Sequence[WorkerStatus]: ...

    @property
    def queue_depths(self) -> Mapping[str, int]:
        """Waiting tasks by queue (action) over all tenants."""
        ...

    @property
    def lanes(self) -> Sequence[LaneStatus]: ...


class EngineApi(Protocol):
    @property
    def read_pool(self) -> asyncpg.Pool: ...

    @property
    def watchers(self) -> Watchers: ...

    @property
    def streams(self) -> StreamLane: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def ready(self) -> bool:
        """Whether commands are taken."""
        ...

    async def submit(self, command: Command[R]) -> R:
        """Carry out a command; returns after its commit, raises ``domain.errors.Refused``."""
        ...

    async def why(self, tenant_id: UUID, id: UUID) -> Answer | None:
        """Why a task or run does not run; None for an unknown id. No turn, nothing is written."""
        ...

    def worker_live(self, worker_id: UUID) -> WorkerLive | None:
        """None: no stream of this worker is known here."""
        ...

    def status(self) -> EngineStatus: ...


class Authenticator(Protocol):
    def tenant_of(self, header: str | None) -> UUID | Awaitable[UUID]:
        """The tenant that a bearer token speaks for, from the Authorization header's value.

        Raises ``Refused`` UNAUTHENTICATED for a missing, bad, expired or revoked token.
        """
        ...
