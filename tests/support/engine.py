"""An engine on a real database with hand-moved time, and workers that do what a test says."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

from hatchet_engine.domain.definition import TaskDefinition, WorkflowDefinition
from hatchet_engine.domain.registration import check
from hatchet_engine.sessions.subscriptions import Subscriptions
from hatchet_engine.sessions.watchers import RunWatchers
from hatchet_engine.turn.clock import ManualClock
from hatchet_engine.turn.commands import (
    OpenStream,
    PutWorkflow,
    RegisteredWorkflow,
    RegisterWorker,
    Report,
    ReportKind,
    ReportTasks,
    TriggerItem,
    TriggerRuns,
)
from hatchet_engine.turn.connection import prepare_writer
from hatchet_engine.turn.deliveries import Assigned, AssignedBatch, CancelNotice, RunResult
from hatchet_engine.turn.engine import Engine
from hatchet_engine.turn.recover import recover
from hatchet_engine.turn.state import Limits

TENANT = UUID("707d0855-80ab-4e1f-a156-f1c4546cbf52")
START_MS = 1_767_225_600_000  # 2026-01-01


class Results:
    """A waiter for results."""

    def __init__(self) -> None:
        self.by_run: dict[UUID, RunResult] = {}
        self._changed = asyncio.Event()

    def deliver_results(self, results: Sequence[RunResult]) -> None:
        self.by_run.update({result.run_id: result for result in results})
        self._changed.set()

    async def of(self, run_id: UUID) -> RunResult:
        async with asyncio.timeout(10):
            while run_id not in self.by_run:
                self._changed.clear()
                await self._changed.wait()
        return self.by_run[run_id]


class FakeWorker:
    """One worker's stream: what was delivered, and the means to report."""

    def __init__(self, engine: Engine, tenant_id: UUID = TENANT) -> None:
        self.engine = engine
        self.tenant_id = tenant_id
        self.id = UUID(int=0)
        self.started: list[Assigned] = []  # members of batches among them
        self.batches: list[AssignedBatch] = []
        self.cancels: list[CancelNotice] = []
        self.closed: str | None = None
        self._seen = 0
        self._changed = asyncio.Event()

    def deliver(
        self, assigned: Sequence[Assigned | AssignedBatch], cancels: Sequence[CancelNotice]
    ) -> None:
        for one in assigned:
            if isinstance(one, AssignedBatch):
                self.batches.append(one)
                self.started.extend(one.members)
            else:
                self.started.append(one)
        self.cancels.extend(cancels)
        self._changed.set()

    def close(self, reason: str) -> None:
        self.closed = reason
        self._changed.set()

    async def next(self, count: int = 1) -> list[Assigned]:
        """The next ``count`` start messages."""
        async with asyncio.timeout(10):
            while len(self.started) < self._seen + count:
                self._changed.clear()
                await self._changed.wait()
        found = self.started[self._seen : self._seen + count]
        self._seen += count
        return found

    async def next_cancel(self) -> CancelNotice:
        async with asyncio.timeout(10):
            while not self.cancels:
                self._changed.clear()
                await self._changed.wait()
        return self.cancels.pop(0)

    async def report(
        self,
        task: Assigned,
        kind: ReportKind,
        payload: str = "",
        *,
        should_not_retry: bool = False,
        retry_after_ms: int | None = None,
    ) -> bool:
        one = Report(task.task_id, task.attempt, kind, payload, should_not_retry, retry_after_ms)
        return (await self.engine.submit(ReportTasks(self.tenant_id, [one])))[0]

    async def complete(self, task: Assigned, output: str = '{"ok":true}') -> bool:
        return await self.report(task, ReportKind.COMPLETED, output)

    async def complete_batch(self, batch: AssignedBatch) -> None:
        reports = [
            Report(one.task_id, one.attempt, ReportKind.COMPLETED, '{"ok":true}')
            for one in batch.members
        ]
        await self.engine.submit(ReportTasks(self.tenant_id, reports))

    async def fail(self, task: Assigned, error: str = "boom", **options: object) -> bool:
        return await self.report(task, ReportKind.FAILED, error, **options)  # type: ignore[arg-type]

    async def open(self, held: Sequence[tuple[UUID, int]] | None = None) -> None:
        await self.engine.submit(OpenStream(self.tenant_id, self.id, self, held))


@dataclass
class Harness:
    """An engine and everything a test does with it."""

    engine: Engine
    clock: ManualClock
    pool: asyncpg.Pool
    subscriptions: Subscriptions
    watchers: RunWatchers
    results: Results = field(default_factory=Results)
    workers: list[FakeWorker] = field(default_factory=list)

    async def put(
        self, name: str = "hello", tenant_id: UUID = TENANT, **task: object
    ) -> RegisteredWorkflow:
        """Register a workflow of one task, action ``NAME:NAME``."""
        definition = WorkflowDefinition(
            name=name,
            tasks=[TaskDefinition(name=name, action=f"{name}:{name}", **task)],  # type: ignore[arg-type]
        )
        return await self.engine.submit(PutWorkflow(tenant_id, check(definition)))

    async def put_dag(
        self, name: str, *tasks: TaskDefinition, **workflow: object
    ) -> RegisteredWorkflow:
        """Register a workflow of several tasks."""
        definition = WorkflowDefinition(name=name, tasks=list(tasks), **workflow)  # type: ignore[arg-type]
        return await self.engine.submit(PutWorkflow(TENANT, check(definition)))

    async def worker(
        self,
        *names: str,
        slots: int | dict[str, int] = 100,
        labels: dict[str, str | int] | None = None,
        protocol: str = "grpc",
        tenant_id: UUID = TENANT,
        open: bool = True,
    ) -> FakeWorker:
        worker = FakeWorker(self.engine, tenant_id)
        self.workers.append(worker)
        worker.id = await self.engine.submit(
            RegisterWorker(
                tenant_id,
                "w",
                [f"{name}:{name}" for name in names or ("hello",)],
                {"default": slots} if isinstance(slots, int) else slots,
                labels or {},
                {},
                protocol,
            )
        )
        if open:
            await worker.open()
        return worker

    async def worker_of(self, *actions: str, slots: int = 100) -> FakeWorker:
        """A worker for these actions, as they are written."""
        worker = FakeWorker(self.engine)
        self.workers.append(worker)
        command = RegisterWorker(TENANT, "w", list(actions), {"default": slots}, {}, {}, "grpc")
        worker.id = await self.engine.submit(command)
        await worker.open()
        return worker

    async def restart(self) -> None:
        """Forget everything that is in memory, as a server that starts again has; workers have
        lost their streams."""
        await self.settle()
        connection = self.engine._connection
        assert connection is not None
        self.engine.hot = await recover(connection, self.clock.now_ms(), None)
        self.engine._again = True
        self.engine._wake.set()
        await self.settle()

    async def trigger(
        self,
        name: str = "hello",
        input: str = "{}",
        count: int = 1,
        tenant_id: UUID = TENANT,
        **item: object,
    ) -> list[UUID]:
        items = [TriggerItem(name, input, **item) for _ in range(count)]  # type: ignore[arg-type]
        return await self.engine.submit(TriggerRuns(tenant_id, items, self.results))

    async def advance(self, ms: int) -> None:
        """Move time and let the engine act on it."""
        turns = self.engine.turns
        self.clock.advance(ms)
        async with asyncio.timeout(10):
            while self.engine.turns == turns and self.engine.due_now():
                await asyncio.sleep(0)
        await self.settle()

    async def settle(self) -> None:
        """Return when the engine has nothing left to do at the present time."""
        async with asyncio.timeout(10):
            while not self.engine.idle:
                await asyncio.sleep(0)

    async def result(self, run_id: UUID) -> RunResult:
        return await self.results.of(run_id)

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await self.pool.fetch(query, *arguments)
        return rows

    async def count(self, table: str) -> int:
        value: int = await self.pool.fetchval(f"select count(*) from {table}")
        return value


@asynccontextmanager
async def standing_engine(
    dsn: str, *, clock: ManualClock | None = None, limits: Limits | None = None, seed: int = 1
) -> AsyncIterator[Harness]:
    """An engine on a migrated database, with everything around it, that owns nothing yet."""
    clock = clock or ManualClock(START_MS)
    subscriptions, watchers = Subscriptions(), RunWatchers()
    engine = Engine(
        clock=clock,
        waiters=subscriptions,
        watchers=watchers,
        limits=limits,
        random_bytes=random.Random(seed).randbytes,
    )
    pool = await asyncpg.create_pool(dsn, min_size=1, max_size=3)

    async def task_name(version_id: UUID, step: int) -> str:
        return engine.hot.definitions.versions[version_id].steps[step].name

    subscriptions.attach(pool, task_name)
    await pool.execute(
        "insert into tenant (id, slug, name, created_at, updated_at) "
        "values ($1, 'default', 'default', now(), now()) on conflict do nothing",
        TENANT,
    )
    lookups = asyncio.create_task(subscriptions.run())
    try:
        yield Harness(engine, clock, pool, subscriptions, watchers)
    finally:
        lookups.cancel()
        await asyncio.gather(lookups, return_exceptions=True)
        await pool.close()


@asynccontextmanager
async def running_engine(
    dsn: str, *, clock: ManualClock | None = None, limits: Limits | None = None, seed: int = 1
) -> AsyncIterator[Harness]:
    """Start an engine on a migrated database; stops it at the end."""
    async with standing_engine(dsn, clock=clock, limits=limits, seed=seed) as harness:
        engine = harness.engine
        writer = await asyncpg.connect(dsn)
        await prepare_writer(writer)
        await engine.take_over(writer)
        loop = asyncio.create_task(engine.run())
        try:
            yield harness
            engine.stop()
            async with asyncio.timeout(10):
                await loop
        finally:
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)
            if not writer.is_closed():
                await writer.close()
