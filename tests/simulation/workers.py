"""What a simulated world is made of besides the engine: workers, their connections, a clock."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from hatchet_engine.turn.clock import ManualClock
from hatchet_engine.turn.deliveries import Assigned, AssignedBatch, CancelNotice

if TYPE_CHECKING:
    from tests.simulation.world import World

Key = tuple[UUID, int]  # task id, attempt


class Stream:
    """One connection of a worker; what comes by a broken one is lost."""

    def __init__(self, worker: SimWorker) -> None:
        self.worker = worker
        self.broken = False
        self.closed = False

    def deliver(
        self, assigned: Sequence[Assigned | AssignedBatch], cancels: Sequence[CancelNotice]
    ) -> None:
        for given in assigned:
            for task in given.members if isinstance(given, AssignedBatch) else [given]:
                self.worker.receive(task, lost=self.broken)
        if not self.broken:
            for notice in cancels:
                self.worker.cancelled.append((notice.task_id, notice.attempt))

    def close(self, reason: str) -> None:
        self.closed = True


class SimWorker:
    def __init__(self, world: World, protocol: str) -> None:
        self.world = world
        self.protocol = protocol
        self.id = UUID(int=0)
        self.alive = True
        self.stream: Stream | None = None
        self.tasks: dict[Key, Assigned] = {}  # being worked on, as far as this worker knows
        self.cancelled: list[Key] = []

    def receive(self, task: Assigned, *, lost: bool) -> None:
        key = (task.task_id, task.attempt)
        holder = self.world.holders.setdefault(key, self)
        self.world.assigned_ms.setdefault(key, self.world.clock.now_ms())
        assert holder is self, f"2: attempt {key} went to two workers"
        if lost:
            return
        if key in self.world.received:
            assert self.protocol == "session", f"2: attempt {key} was delivered twice"
        self.world.received.add(key)
        self.tasks[key] = task
        self.world.deliveries.append(task)


class ParkingClock(ManualClock):
    """Tells when the engine's loop has gone to sleep, so that nobody need ask all the time."""

    def __init__(self, now_ms: int) -> None:
        super().__init__(now_ms)
        self.parked = asyncio.Event()

    async def wait(self, wake: asyncio.Event, until_ms: int | None) -> None:
        self.parked.set()
        try:
            await super().wait(wake, until_ms)
        finally:
            self.parked.clear()
