"""Runs of random workflows in one engine, and the reference model beside them: after every step
both must say the same about every task."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from copy import deepcopy
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from hatchet_engine.domain.definition import TaskDefinition, WorkflowDefinition
from hatchet_engine.domain.registration import check
from hatchet_engine.domain.states import Status, TaskKind
from hatchet_engine.sessions.subscriptions import Subscriptions
from hatchet_engine.sessions.watchers import RunWatchers
from hatchet_engine.turn.commands import (
    CancelTasks,
    ChangeWorker,
    NewEvent,
    PushEvents,
    PutWorkflow,
    RegisterWorker,
    ReplayTasks,
    Report,
    ReportKind,
    ReportTasks,
    TriggerItem,
    TriggerRuns,
)
from hatchet_engine.turn.deliveries import Assigned
from hatchet_engine.turn.engine import Engine
from tests.simulation.dag_draw import EVENT_KEYS, NAMES, ON_FAILURE, draw_tasks
from tests.simulation.reference_dag import Place, ReferenceRun
from tests.simulation.workers import ParkingClock
from tests.support.engine import START_MS, TENANT, FakeWorker, Results
from tests.support.invariants import Tables, check_all

WORKFLOWS = 6
RUNS_PER_WORKFLOW = 4
SLOTS = 1_000
FINISH_ROUNDS_MAX = 200
IDLE_PATIENCE_S = 10


@dataclass
class Run:
    id: UUID
    model: ReferenceRun
    names: list[str]  # by position, as the engine orders the tasks


class DagWorld:
    def __init__(self, seed: int, connection: asyncpg.Connection, reader: asyncpg.Connection):
        self.random = random.Random(seed)
        self.clock = ParkingClock(START_MS)
        self.connection = connection
        self.reader = reader
        self.results = Results()
        self.engine = Engine(
            clock=self.clock,
            waiters=Subscriptions(),
            watchers=RunWatchers(),
            random_bytes=random.Random(seed + 1).randbytes,
        )
        self.worker = FakeWorker(self.engine)
        self.paused = False
        self.runs: dict[UUID, Run] = {}
        self.running: dict[tuple[UUID, str], Assigned] = {}
        self.given_out = Counter[tuple[UUID, int]]()
        self.ids: dict[tuple[UUID, str], UUID] = {}
        self._definitions: dict[str, tuple[list[TaskDefinition], list[str]]] = {}
        self._loop: asyncio.Task[None] | None = None

    # ------------------------------------------------------------ frame

    async def start(self) -> None:
        await self.engine.take_over(self.connection)
        self._loop = asyncio.create_task(self.engine.run())
        for at in range(WORKFLOWS):
            tasks = draw_tasks(self.random)
            definition = check(WorkflowDefinition(f"w{at}", tasks=deepcopy(tasks)))
            self._definitions[f"w{at}"] = (tasks, [task.name for task in definition.tasks])
            await self.engine.submit(PutWorkflow(TENANT, definition))
        actions = [f"{name}:{name}" for name in (*NAMES, ON_FAILURE)]
        self.worker.id = await self.engine.submit(
            RegisterWorker(TENANT, "w", actions, {"default": SLOTS}, {}, {}, "grpc")
        )
        await self.worker.open()

    async def stop(self) -> None:
        assert self._loop is not None
        self._loop.cancel()
        await asyncio.gather(self._loop, return_exceptions=True)

    async def idle(self) -> None:
        assert self._loop is not None
        async with asyncio.timeout(IDLE_PATIENCE_S):
            while not self.engine.idle:
                if self._loop.done():
                    self._loop.result()
                await asyncio.sleep(0)
                await self.clock.parked.wait()

    async def step(self, steps: list[str]) -> None:
        """One random thing; what it is stands in ``steps`` before it is checked."""
        names = list(ACTIONS)
        (name,) = self.random.choices(names, [ACTIONS[one][0] for one in names])
        steps.append(name)
        steps[-1] += f" {await ACTIONS[name][1](self) or ''}"
        await self.check()

    async def finish(self) -> None:
        """The worker is there, time moves on, events come: every run must end."""
        await self._set_paused(False)
        for _ in range(FINISH_ROUNDS_MAX):
            await self.check()
            if all(run.model.over for run in self.runs.values()):
                break
            for run_id, name in list(self.running):
                await self._complete(run_id, name, self.random.randint(1, 2))
            await self._advance(10_000)
            for key in EVENT_KEYS:
                await self._push(key, 2)
        assert all(run.model.over for run in self.runs.values()), "1: runs never ended"
        missing = self.runs.keys() - self.results.by_run.keys()
        assert not missing, f"waiters never heard of {missing}"
        again = {key: count for key, count in self.given_out.items() if count > 1}
        assert not again, f"2: attempts were given out more than once: {again}"
        waits = await self.reader.fetchval("select count(*) from task_wait")
        assert waits == 0, f"{waits} waits are left"

    # ------------------------------------------------------------ the comparison

    async def check(self) -> None:
        await self.idle()
        for task in self.worker.started[self.worker._seen :]:
            self.worker._seen += 1
            self.given_out[task.task_id, task.attempt] += 1
            self.running[task.run_id, task.task_name] = task
        tables = await check_all(self.engine, self.reader)
        members: dict[UUID, dict[int, UUID]] = {run_id: {} for run_id in self.runs}
        for row in tables.task.values():
            if row["status"] != TaskKind.DAG:
                members[row["run_id"]][row["step"]] = row["task_id"]
        for run in self.runs.values():
            for at, name in enumerate(run.names):
                self.ids[run.id, name] = members[run.id][at]
            self._compare(run, tables)

    def _compare(self, run: Run, tables: Tables) -> None:
        said, found, attempts = {}, {}, {}
        for name, task in run.model.tasks.items():
            task_id = self.ids[run.id, name]
            said[name] = (task.place.value, task.attempt)
            found[name], attempts[name] = _place(tables, task_id)
            if attempts[name] is None:  # no row tells the attempt of what has not begun
                attempts[name] = task.attempt
        seen = {name: (place.value, attempts[name]) for name, place in found.items()}
        wrong = [run.model.tasks[name].definition for name in said if said[name] != seen[name]]
        assert not wrong, f"run {run.id}: the engine says {seen}, the rules {said}; {wrong}"
        for name, attempt in run.model.starts:
            task_id = self.ids[run.id, name]
            assert self.given_out[task_id, attempt] == 1, f"2: {name}, attempt {attempt}"
        run.model.starts.clear()
        if run.model.over:
            ended = Status(tables.ended[run.id]["status"]).name
            assert ended == run.model.status.name, f"run {run.id} ended as {ended}"

    # ------------------------------------------------------------ what happens

    async def _trigger(self) -> str:
        name = self.random.choice(list(self._definitions))
        tasks, names = self._definitions[name]
        (run_id,) = await self.engine.submit(TriggerRuns(TENANT, [TriggerItem(name)], self.results))
        model = ReferenceRun(tasks, self.clock.now_ms(), paused=self.paused)
        self.runs[run_id] = Run(run_id, model, names)
        return f"{name} {run_id}"

    async def trigger(self) -> str:
        return await self._trigger() if len(self.runs) < WORKFLOWS * RUNS_PER_WORKFLOW else ""

    def _any_running(self) -> tuple[UUID, str] | None:
        """An attempt that was given out; now and then one that is over since."""
        live = [key for key in self.running if self._lives(key) or self.random.random() < 0.1]
        return self.random.choice(live) if live else None

    def _lives(self, key: tuple[UUID, str]) -> bool:
        task = self.runs[key[0]].model.tasks[key[1]]
        return task.place is Place.RUNNING and task.attempt == self.running[key].attempt

    async def _report(self, key: tuple[UUID, str], kind: ReportKind, payload: str) -> bool:
        """Whether it counts; one of an attempt that is over must change nothing."""
        counts = self._lives(key)
        task = self.running.pop(key)
        report = Report(task.task_id, task.attempt, kind, payload)
        await self.engine.submit(ReportTasks(TENANT, [report]))
        return counts

    async def _complete(self, run_id: UUID, name: str, n: int) -> None:
        if await self._report((run_id, name), ReportKind.COMPLETED, f'{{"n":{n}}}'):
            self.runs[run_id].model.complete(name, n)

    async def complete(self) -> str:
        key = self._any_running()
        if key is not None:
            await self._complete(*key, self.random.randint(1, 2))
        return str(key)

    async def fail(self) -> str:
        key = self._any_running()
        if key is not None and await self._report(key, ReportKind.FAILED, "boom"):
            self.runs[key[0]].model.fail(key[1])
        return str(key)

    async def _push(self, key: str, n: int | None) -> None:
        payload = "{}" if n is None else f'{{"n":{n}}}'
        await self.engine.submit(PushEvents(TENANT, [NewEvent(key, payload)]))
        for run in self.runs.values():
            run.model.event(key, n)

    async def push(self) -> str:
        key, n = self.random.choice(EVENT_KEYS), self.random.choice((None, 1, 2, 2))
        await self._push(key, n)
        return f"{key} {n}"

    async def _advance(self, ms: int) -> None:
        self.engine.heartbeat(TENANT, self.worker.id)
        self.clock.advance(ms)
        await self.idle()
        for run in self.runs.values():
            run.model.time(self.clock.now_ms())

    async def advance(self) -> str:
        ms = self.random.choice((1, 999, 1_000, 2_000, 3_000, 10_000))
        await self._advance(ms)
        return str(ms)

    async def cancel(self) -> str:
        run = self._any_run(over=False)
        if run is None:
            return ""
        name = self.random.choice([None, *run.names])
        id_ = run.id if name is None else self.ids[run.id, name]
        await self.engine.submit(CancelTasks(TENANT, [id_]))
        run.model.cancel(name)
        return f"{run.id} {name}"

    async def replay(self) -> str:
        run = self._any_run(over=True)
        if run is None:
            return ""
        name = self.random.choice([None, *run.names])
        id_ = run.id if name is None else self.ids[run.id, name]
        await self.engine.submit(ReplayTasks(TENANT, [id_]))
        run.model.now_ms = self.clock.now_ms()
        run.model.replay(name)
        return f"{run.id} {name}"

    def _any_run(self, *, over: bool) -> Run | None:
        found = [run for run in self.runs.values() if run.model.over == over]
        return self.random.choice(found) if found else None

    async def _set_paused(self, paused: bool) -> None:
        await self.engine.submit(ChangeWorker(TENANT, self.worker.id, draining=paused))
        self.paused = paused
        for run in self.runs.values():
            run.model.pause(paused)

    async def pause(self) -> None:
        await self._set_paused(not self.paused)

    async def restart(self) -> None:
        """Everything is read from the tables again."""
        await self.engine.take_over(self.connection)

    async def forget(self) -> None:
        """Runs drop out of memory, as they do when many are busy."""
        for run_id in self.runs:
            if self.random.random() < 0.7:
                self.engine.hot.dags.remove(run_id)


def _place(tables: Tables, task_id: UUID) -> tuple[Place, int | None]:
    ended = tables.ended.get(task_id)
    if ended is not None:
        status = "skipped" if ended["skipped"] else Status(ended["status"]).name.lower()
        return Place(status), ended["attempt"]
    for rows, place in (
        (tables.queued, Place.QUEUED),
        (tables.assigned, Place.RUNNING),
    ):
        if task_id in rows:
            return place, rows[task_id]["attempt"]
    return (Place.WAITING if task_id in tables.waiting else Place.PENDING), None


ACTIONS: dict[str, tuple[int, Callable[[DagWorld], Awaitable[str | None]]]] = {
    "trigger": (18, DagWorld.trigger),
    "complete": (26, DagWorld.complete),
    "fail": (8, DagWorld.fail),
    "push": (10, DagWorld.push),
    "advance": (14, DagWorld.advance),
    "cancel": (3, DagWorld.cancel),
    "replay": (4, DagWorld.replay),
    "pause": (4, DagWorld.pause),
    "restart": (3, DagWorld.restart),
    "forget": (8, DagWorld.forget),
}
