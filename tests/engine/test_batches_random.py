"""Random histories of batch tasks: after each step every invariant holds, and in the end all runs
have ended."""

from __future__ import annotations

import random
from uuid import UUID

import pytest

from hatchet_engine.domain.definition import (
    BatchConfig,
    ConcurrencyRule,
    RateLimitUse,
    TaskDefinition,
)
from hatchet_engine.turn import batches, gather, lines
from hatchet_engine.turn.commands import (
    ChangeWorker,
    LeaveWorker,
    Pause,
    PauseKind,
    PutRateLimit,
    ReleaseSlot,
    Report,
    ReportKind,
    ReportTasks,
    Resume,
)
from tests.support.engine import TENANT, FakeWorker, Harness
from tests.support.invariants import check_all, check_recovery
from tests.support.rules import cancel, pass_time
from tests.support.stored_invariants import check_stored

NAMES = ("plain", "grouped", "limited", "keyed", "bound")
STEPS = 60
KINDS = (ReportKind.COMPLETED, ReportKind.COMPLETED, ReportKind.FAILED, ReportKind.CANCELLED)


class World:
    def __init__(self, h: Harness, seed: int) -> None:
        self.h = h
        self.dice = random.Random(seed)
        self.workers: list[FakeWorker] = []
        self.left: list[UUID] = []
        self.runs: list[UUID] = []
        self.paused = False

    async def begin(self) -> None:
        h = self.h
        await h.engine.submit(PutRateLimit(TENANT, "api", 3, "SECOND"))
        await h.put("plain")
        small = BatchConfig(3, 200, None, 1)
        grouped = BatchConfig(4, 500, "input.k", 2)
        await h.put("grouped", batch=grouped, retries=2, execution_timeout_ms=20_000)
        await h.put("limited", batch=small, rate_limits=[RateLimitUse("api", 1)], retries=1)
        rule = ConcurrencyRule("input.k", 2, "GROUP_ROUND_ROBIN")
        await h.put("keyed", batch=BatchConfig(2, 300), concurrency=[rule])
        bound = TaskDefinition(
            name="bound",
            action="bound:bound",
            batch=BatchConfig(3, 300, "input.k", 2),
            rate_limits=[RateLimitUse("api", 1)],
            schedule_timeout_ms=20_000,
        )
        await h.put_dag("bound", bound, sticky="HARD")
        await self.worker_comes()

    async def worker_comes(self) -> None:
        if len(self.workers) < 3:
            slots = self.dice.randint(1, 3)
            protocol = self.dice.choice(("grpc", "session"))
            self.workers.append(await self.h.worker(*NAMES, slots=slots, protocol=protocol))

    async def worker_leaves(self) -> None:
        if len(self.workers) > 1:
            worker = self.workers.pop(self.dice.randrange(len(self.workers)))
            self.left.append(worker.id)
            await self.h.engine.submit(LeaveWorker(TENANT, worker.id))

    async def pause_worker(self) -> None:
        worker = self.h.engine.hot.workers.get(self.dice.choice(self.workers).id)
        if worker is not None:
            await self.h.engine.submit(
                ChangeWorker(TENANT, worker.id, draining=not worker.draining)
            )

    async def trigger(self) -> None:
        key = self.dice.choice("abc")
        padding = "x" * self.dice.choice((0, 0, 300))
        known = [worker.id for worker in self.workers]
        self.runs += await self.h.trigger(
            self.dice.choice((*NAMES, "bound")),
            f'{{"k":"{key}","p":"{padding}"}}',
            count=self.dice.randint(1, 9),
            priority=self.dice.choice((1, 2, 3)),
            desired_worker_id=self.dice.choice([None, None, *known, *known, *self.left]),
        )

    async def report(self) -> None:
        running = list(self.h.engine.hot.running.values())
        if not running:
            return
        one = self.dice.choice(running)
        together = one.together if self.dice.random() < 0.7 else [one]
        kind = self.dice.choice(KINDS)
        reports = [
            Report(each.task_id, each.attempt, kind, batch_id=each.batch and each.batch.id)
            for each in together
        ]
        await self.h.engine.submit(ReportTasks(TENANT, reports))

    async def cancel(self) -> None:
        if self.runs:
            await cancel(self.h, *self.dice.choices(self.runs, k=3))

    async def release_slot(self) -> None:
        running = list(self.h.engine.hot.running)
        if running:
            await self.h.engine.submit(ReleaseSlot(TENANT, self.dice.choice(running)))

    async def time_passes(self) -> None:
        await pass_time(self.h, self.dice.choice((1, 100, 250, 1_000, 6_000)), *self.workers)

    async def restart(self) -> None:
        await self.h.restart()
        for worker in self.workers:
            held = [(id, one.attempt) for id, one in self.on(worker).items()]
            await worker.open(self.dice.choice((held, held, [], None)))

    def on(self, worker: FakeWorker) -> dict[UUID, object]:
        known = self.h.engine.hot.workers.get(worker.id)
        return {} if known is None else dict(known.running)  # type: ignore[arg-type]

    async def pause(self) -> None:
        command = Resume if self.paused else Pause
        await self.h.engine.submit(command(TENANT, PauseKind.TENANT))  # type: ignore[arg-type]
        self.paused = not self.paused

    async def step(self) -> None:
        steps = (
            *[self.trigger, self.report, self.time_passes] * 6,
            *[self.cancel, self.release_slot, self.worker_comes, self.worker_leaves] * 2,
            *[self.pause_worker] * 3,
            self.restart,
            self.pause,
        )
        await self.dice.choice(steps)()

    async def end(self) -> None:
        if self.paused:
            await self.pause()
        for worker in self.workers:
            await self.h.engine.submit(ChangeWorker(TENANT, worker.id, draining=False))
        for _ in range(200):
            while self.h.engine.hot.running:
                ids = list(self.h.engine.hot.running.values())
                reports = [Report(one.task_id, one.attempt, ReportKind.COMPLETED) for one in ids]
                await self.h.engine.submit(ReportTasks(TENANT, reports))
                await self.h.settle()
            if await self.h.count("outcome") == len(self.runs):
                return
            await pass_time(self.h, 1_000, *self.workers)
        raise AssertionError("not all runs have ended")


@pytest.mark.parametrize("seed", range(12))
async def test_random_batches(h: Harness, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr(batches, "BATCH_BYTES_MAX", 1_200)
    monkeypatch.setattr(gather, "BATCH_BYTES_MAX", 1_200)
    if seed % 2:  # hardly anything in memory
        monkeypatch.setattr(lines, "LINE_WINDOW_MAX", 4)
        monkeypatch.setattr(lines, "LINE_ITEMS_MAX", 6)
        monkeypatch.setattr(gather, "READ_GROUPS_MAX", 1)
    world = World(h, seed)
    await world.begin()
    connection = h.engine._connection
    assert connection is not None
    for _ in range(STEPS):
        await world.step()
        await h.settle()
        await check_all(h.engine, h.pool)
        await check_recovery(h.engine, connection)
    await check_stored(connection)
    await world.end()
    assert len(h.engine.hot.batches) == 0
