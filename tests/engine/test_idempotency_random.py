"""Random days of a workflow with keys, against a model of a few lines (ID-4, ID-5, ID-6, ID-10)."""

from __future__ import annotations

import json
import random
from uuid import UUID

import pytest

from hatchet_engine.domain.definition import IdempotencyConfig
from hatchet_engine.domain.errors import KeyCollision
from hatchet_engine.turn.commands import (
    CancelTasks,
    NewEvent,
    PushEvents,
    ReplayTasks,
    TriggerItem,
    TriggerRuns,
)
from hatchet_engine.turn.deliveries import Assigned
from tests.support.dags import step
from tests.support.engine import TENANT, FakeWorker, Harness

TTL_MS = 2_000
STEPS = 80


class Day:
    """One workflow, its worker, and what the model knows: who holds a key, and until when."""

    def __init__(self, h: Harness, chance: random.Random, method: str) -> None:
        self.h = h
        self.chance = chance
        self.method = method
        self.worker: FakeWorker
        self.held: dict[str, tuple[UUID, int]] = {}
        self.running: list[Assigned] = []
        self.ended: list[UUID] = []

    async def begin(self) -> None:
        config = IdempotencyConfig("input.id", TTL_MS, self.method)
        await self.h.put_dag(
            "hello", step("hello", retries=1), idempotency=config, event_triggers=["go"]
        )
        self.worker = await self.h.worker(slots=3)

    def keys(self) -> list[str]:
        return self.chance.choices("abcd", k=self.chance.randint(1, 4))

    def holder(self, key: str) -> UUID | None:
        run, expires_ms = self.held.get(key, (None, 0))
        return run if expires_ms > self.h.clock.now_ms() else None

    def took(self, key: str, run: UUID) -> None:
        self.held[key] = (run, self.h.clock.now_ms() + TTL_MS)

    def over(self, run: UUID) -> None:
        self.ended.append(run)
        if self.method == "STATUS":
            self.held = {key: one for key, one in self.held.items() if one[0] != run}

    # ------------------------------------------------------------ what may happen

    async def trigger(self) -> None:
        keys = self.keys()
        items = [TriggerItem("hello", json.dumps({"id": key})) for key in keys]
        holders: dict[int, UUID] = {}
        try:
            ids = await self.h.engine.submit(TriggerRuns(TENANT, items))
        except KeyCollision as error:
            ids, holders = list(error.run_ids), dict(error.holders)
        for at, key in enumerate(keys):
            assert holders.get(at) == self.holder(key), (at, keys)
            if at not in holders:
                self.took(key, ids[at])

    async def push(self) -> None:
        keys = self.keys()
        events = [NewEvent("go", json.dumps({"id": key})) for key in keys]
        for key, pushed in zip(
            keys, await self.h.engine.submit(PushEvents(TENANT, events)), strict=True
        ):
            assert len(pushed.run_ids) == (self.holder(key) is None)
            for run in pushed.run_ids:
                self.took(key, run)

    async def advance(self) -> None:
        ms = self.chance.choice([1, 200, 700, TTL_MS - 1, TTL_MS])
        await self.h.advance(ms)
        self.h.engine.heartbeat(TENANT, self.worker.id)

    async def finish(self) -> None:
        self.running += self.worker.started
        self.worker.started.clear()
        if not self.running:
            return
        task = self.running.pop(self.chance.randrange(len(self.running)))
        if self.chance.random() < 0.3:
            await self.worker.fail(task)
            if task.attempt == 0:
                return  # it is tried again, and holds its key
        else:
            await self.worker.complete(task)
        self.over(task.run_id)

    async def cancel(self) -> None:
        if self.held:
            run, _ = self.held[self.chance.choice(sorted(self.held))]
            if await self.h.engine.submit(CancelTasks(TENANT, [run])):
                self.running = [task for task in self.running if task.run_id != run]
                self.worker.started[:] = [t for t in self.worker.started if t.run_id != run]
                self.over(run)

    async def replay(self) -> None:
        if self.ended:
            run = self.ended.pop(self.chance.randrange(len(self.ended)))
            await self.h.engine.submit(ReplayTasks(TENANT, [run], lenient=True))


@pytest.mark.parametrize("method", ["TTL", "STATUS"])
@pytest.mark.parametrize("seed", range(6))
async def test_random_days(h: Harness, method: str, seed: int) -> None:
    chance = random.Random(seed)
    day = Day(h, chance, method)
    await day.begin()
    acts = [day.trigger, day.push, day.advance, day.finish, day.finish, day.cancel, day.replay]
    for _ in range(STEPS):
        await chance.choice(acts)()
