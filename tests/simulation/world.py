"""A small world around one engine: workflows, workers that misbehave, a network that loses things
and a database connection that breaks; all of it drawn from one seed, with hand-moved time."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import asyncpg

from hatchet_engine.domain.definition import WorkflowDefinition
from hatchet_engine.domain.errors import Refused
from hatchet_engine.domain.labels import DesiredLabel
from hatchet_engine.domain.registration import check
from hatchet_engine.domain.states import Status, TaskKind
from hatchet_engine.sessions.subscriptions import Subscriptions
from hatchet_engine.sessions.watchers import RunWatchers
from hatchet_engine.turn.commands import (
    CancelTasks,
    ChangeWorker,
    CloseStream,
    Command,
    LeaveWorker,
    OpenStream,
    PutWorkflow,
    RefreshTimeout,
    RegisterWorker,
    ReleaseSlot,
    ReplayTasks,
    Report,
    ReportKind,
    ReportTasks,
    RunFilter,
    TriggerItem,
    TriggerRuns,
)
from hatchet_engine.turn.deliveries import Assigned
from hatchet_engine.turn.engine import ConnectionLost, Engine
from tests.simulation.draw import draw_task
from tests.simulation.workers import Key, ParkingClock, SimWorker, Stream
from tests.support.engine import START_MS, TENANT, Results
from tests.support.flaky import Commit, FlakyConnection
from tests.support.invariants import Tables, check_all, check_recovery

NAMES = ("a", "b", "c", "d")
ZONES = ("eu", "us")
HEARTBEAT_MS = 10_000
_ATTEMPT = re.compile(r'"attempt":(\d+)')  # what reports say of themselves
END_ROUNDS_MAX = 100
IDLE_PATIENCE_S = 10

Actions = dict[str, tuple[int, Callable[[Any], Awaitable[None]]]]


class World:
    lowers_limits = False  # of concurrency keys

    def __init__(self, seed: int, writer: asyncpg.Connection, reader: asyncpg.Connection) -> None:
        self.random = random.Random(seed)
        self.clock = ParkingClock(START_MS)
        self.flaky = FlakyConnection(writer)
        self.reader = reader
        self.subscriptions = Subscriptions()
        self.results = Results()
        self.engine = Engine(
            clock=self.clock,
            waiters=self.subscriptions,
            watchers=RunWatchers(),
            random_bytes=random.Random(seed + 1).randbytes,
        )
        self.workers: list[SimWorker] = []
        self.runs: list[UUID] = []
        self.deliveries: list[Assigned] = []  # ever, for late and doubled reports
        self.received: set[Key] = set()
        self.holders: dict[Key, SimWorker] = {}
        self.assigned_ms: dict[Key, int] = {}  # of all attempts that were ever given out
        self.replayed: set[UUID] = set()  # in the present step
        self.faulty = False  # whether a command of the present step may fail for the database
        self.before = Tables()
        self.attempts: dict[UUID, int] = {}
        self.recoveries = 0
        self._loop: asyncio.Task[None] | None = None

    # ------------------------------------------------------------ frame

    async def start(self) -> None:
        await self.engine.take_over(self.flaky)  # type: ignore[arg-type]
        self._loop = self.run_engine()
        for name in NAMES[: self.random.randint(1, len(NAMES))]:
            await self.engine.submit(self._definition(name))
        await self.act(*[self._join() for _ in range(self.random.randint(0, 2))])

    async def stop(self) -> None:
        assert self._loop is not None
        self._loop.cancel()
        await asyncio.gather(self._loop, return_exceptions=True)

    def run_engine(self) -> asyncio.Task[None]:
        return asyncio.create_task(self._run())

    async def _run(self) -> None:
        """The engine's loop with what a node does when the database is lost."""
        while True:
            try:
                await self.engine.run()
            except (ConnectionLost, asyncpg.PostgresError):
                self.recoveries += 1
                await self.engine.take_over(self.flaky)  # type: ignore[arg-type]

    async def idle(self) -> None:
        assert self._loop is not None
        async with asyncio.timeout(IDLE_PATIENCE_S):
            while not self.engine.idle:
                if self._loop.done():
                    self._loop.result()
                await asyncio.sleep(0)
                await self.clock.parked.wait()

    async def submit(self, *commands: Command[object] | None) -> list[object]:
        """All commands into one turn, if the engine takes them so."""
        futures = [self.engine.enter(command) for command in commands if command is not None]
        async with asyncio.timeout(IDLE_PATIENCE_S):
            answers = await asyncio.gather(*futures, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, Refused):
                assert self.faulty, f"unexpected {answer!r}"
                assert isinstance(answer, asyncpg.RaiseError)
        return list(answers)

    async def step(self, steps: list[str]) -> None:
        """One random thing; its name stands in ``steps`` before it is done."""
        self.replayed.clear()
        self.faulty = False
        self.heartbeats()
        actions = self.actions()
        names = list(actions)
        (name,) = self.random.choices(names, [actions[name][0] for name in names])
        steps.append(name)
        await actions[name][1](self)
        self.flaky.commit = None
        self.flaky.before_execute = None
        await self.idle()
        await self.check()

    def actions(self) -> Actions:
        """What may happen: name -> (how often, how)."""
        return ACTIONS

    async def check(self) -> None:
        tables = await check_all(self.engine, self.reader, lowered=self.lowers_limits)
        self._check_ends(tables)
        self._check_attempts(tables)
        self._check_order(tables)
        stored = {id_ for id_, row in tables.task.items() if row["status"] != TaskKind.MEMBER}
        assert set(self.runs) == stored, "8: acknowledged runs differ from stored ones"
        self.before = tables

    def _check_ends(self, tables: Tables) -> None:
        for task_id, row in self.before.ended.items():
            now = tables.ended.get(task_id)
            if tables.task[task_id]["run_id"] not in self.replayed:
                assert now == row, f"7: the end of {task_id} changed from {row} to {now}"
        for task_id, row in tables.ended.items():
            said = _ATTEMPT.search(row["result"] or "")
            if said is not None:
                assert int(said[1]) == row["attempt"], f"2: {task_id} ended by another attempt"

    def _check_attempts(self, tables: Tables) -> None:
        for rows in (tables.queued, tables.delayed, tables.assigned, tables.ended):
            for task_id, row in rows.items():
                assert row["attempt"] >= self.attempts.get(task_id, 0), "2: attempts went back"
                self.attempts[task_id] = row["attempt"]

    def _check_order(self, tables: Tables) -> None:
        """Nothing that waited through the whole step was overtaken by its like."""
        waited = [
            row for task_id, row in self.before.queued.items() if tables.queued.get(task_id) == row
        ]
        for row in tables.assigned.values():
            earlier = self.before.assigned.get(row["task_id"])
            if earlier is not None and earlier["attempt"] == row["attempt"]:
                continue
            asked = self._asked(row)
            rank = -4 if row["attempt"] else -tables.task[row["task_id"]]["attempt"]
            for other in waited:
                if other["queue_id"] == row["queue_id"] and self._asked(other) == asked:
                    first, second = (rank, row["task_id"]), (other["rank"], other["task_id"])
                    assert first < second, f"6: {first} overtook {second}"

    def _asked(self, row: asyncpg.Record) -> object:
        """What tells whether a worker would take it."""
        versions = self.engine.hot.definitions.versions
        step = versions[row["version_id"]].steps[row["step"]]
        return step.units, step.labels, step.sticky, row["demand"]

    async def finish(self) -> None:
        """All workers get well, time moves on: everything must end."""
        self.flaky.commit = None
        for worker in self.workers:
            if worker.alive:
                await self.submit(self._open(worker))
                await self.submit(ChangeWorker(TENANT, worker.id, paused=False))
        await self.act(self._join(slots={"default": 9, "gpu": 9}, names=NAMES))
        await self.lift_limits()
        for _ in range(END_ROUNDS_MAX):
            self.replayed.clear()
            await self._work_all()
            await self.advance(5_000)
            await self.check()
            if self.before.ended.keys() == self.before.task.keys():
                break
        assert self.before.ended.keys() == self.before.task.keys(), "1: work never ended"
        assert not self.engine.hot.running
        await check_recovery_but_lost(self)
        missing = [run for run in self.runs if run not in self.results.by_run]
        assert not missing, f"waiters never heard of {missing}"

    async def lift_limits(self) -> None:
        """Nothing but workers is waited for from now on."""

    async def _work_all(self) -> None:
        for worker in self.workers:
            if worker.alive and worker.tasks:
                reports = [
                    Report(task_id, attempt, ReportKind.COMPLETED, f'{{"attempt":{attempt}}}')
                    for task_id, attempt in worker.tasks
                ]
                worker.tasks.clear()
                await self.submit(ReportTasks(TENANT, reports))

    # ------------------------------------------------------------ time

    def heartbeats(self) -> None:
        for worker in self.workers:
            if worker.alive and worker.stream is not None:
                with suppress(Refused):
                    self.engine.heartbeat(TENANT, worker.id)

    async def advance(self, ms: int) -> None:
        while ms > 0:
            some = min(ms, HEARTBEAT_MS)
            self.clock.advance(some)
            ms -= some
            await self.idle()
            self.heartbeats()

    # ------------------------------------------------------------ commands

    def _definition(self, name: str) -> PutWorkflow:
        draw = self.random
        task = draw_task(draw, name, name)
        task.labels = self._wish()
        sticky = draw.choice((None, None, "SOFT", "HARD"))
        return PutWorkflow(
            TENANT, check(WorkflowDefinition(name=name, tasks=[task], sticky=sticky))
        )

    def _wish(self) -> dict[str, DesiredLabel]:
        draw = self.random
        if draw.random() < 0.7:
            return {}
        required, weight = draw.random() < 0.5, draw.choice((-5, 10, 100))
        return {"zone": DesiredLabel(draw.choice(ZONES), required, weight=weight)}

    def _some_worker(self) -> UUID | None:
        """A worker to be wanted, which may be dead or never have been."""
        if self.random.random() < 0.7:
            return None
        return self.random.choice([UUID(int=1), *[worker.id for worker in self.workers]])

    def _labels(self) -> dict[str, str | int]:
        return {"zone": self.random.choice(ZONES)} if self.random.random() < 0.5 else {}

    def _trigger(self) -> TriggerRuns:
        names = [key[1] for key in self.engine.hot.definitions.latest]
        count = self.random.choice((1, 1, 2, 5, 15))
        items = [self._item(self.random.choice(names)) for _ in range(count)]
        return TriggerRuns(TENANT, items, self.results)

    def _item(self, workflow: str) -> TriggerItem:
        return TriggerItem(
            workflow,
            metadata=self.random.choice(("", '{"team":"x"}')),
            priority=self.random.choice((None, 1, 2, 3)),
            desired_worker_id=self._some_worker(),
            desired_labels=self._wish() or None,
        )

    def _join(
        self, slots: dict[str, int] | None = None, names: Sequence[str] = ()
    ) -> RegisterWorker:
        draw = self.random
        names = names or draw.sample(NAMES, draw.randint(1, len(NAMES)))
        chosen = slots or draw.choice(({"default": 1}, {"default": 3}, {"default": 2, "gpu": 2}))
        return RegisterWorker(
            TENANT,
            "w",
            [action for name in names for action in self._actions_of(name)],
            chosen,
            labels=self._labels(),
            protocol=draw.choice(("grpc", "session")),
        )

    def _actions_of(self, name: str) -> list[str]:
        return [f"{name}:{name}"]

    def _open(self, worker: SimWorker) -> OpenStream:
        if worker.stream is not None:
            worker.stream.broken = True
        worker.stream = Stream(worker)
        held = list(worker.tasks) if worker.protocol == "session" else None
        return OpenStream(TENANT, worker.id, worker.stream, held)

    def _report(self) -> ReportTasks | None:
        """True reports of live workers, mixed with late and doubled ones."""
        draw = self.random
        reports = []
        for worker in self.workers:
            for key in list(worker.tasks):
                if worker.alive and draw.random() < 0.5:
                    report = self._random_report(*key)
                    if report.kind not in (ReportKind.STARTED, ReportKind.ACKNOWLEDGED):
                        del worker.tasks[key]
                    reports.append(report)
        for task in draw.sample(self.deliveries, min(len(self.deliveries), draw.randint(0, 2))):
            if draw.random() < 0.3:
                reports.append(self._random_report(task.task_id, task.attempt))
        if reports and draw.random() < 0.2:
            reports.append(draw.choice(reports))
        if draw.random() < 0.3:
            draw.shuffle(reports)
        return ReportTasks(TENANT, reports) if reports else None

    def _random_report(self, task_id: UUID, attempt: int) -> Report:
        draw = self.random
        kind = draw.choice(
            (
                ReportKind.STARTED,
                ReportKind.ACKNOWLEDGED,
                ReportKind.COMPLETED,
                ReportKind.COMPLETED,
                ReportKind.FAILED,
                ReportKind.FAILED,
                ReportKind.CANCELLED,
            )
        )
        payload = ""
        if kind is ReportKind.COMPLETED:
            payload = draw.choice(("", f'{{"attempt":{attempt}}}', "not json"))
        elif kind is ReportKind.FAILED:
            payload = f'"attempt":{attempt}'
        return Report(
            task_id,
            attempt,
            kind,
            payload,
            should_not_retry=draw.random() < 0.1,
            retry_after_ms=draw.choice((None, None, 0, 3_000)),
            started_ms=draw.choice((None, self.clock.now_ms())),
        )

    def _some_runs(self) -> list[UUID]:
        return self.random.sample(self.runs, min(len(self.runs), self.random.randint(1, 4)))

    def _cancel(self) -> CancelTasks | None:
        if not self.runs:
            return None
        if self.random.random() < 0.2:
            statuses = self.random.choice(((), (Status.QUEUED,), (Status.RUNNING,)))
            chosen = RunFilter(START_MS, statuses=statuses, metadata=(("team", "x"),))
            return CancelTasks(TENANT, filter=chosen)
        return CancelTasks(TENANT, self._some_runs())

    def _replay(self) -> ReplayTasks | None:
        if not self.runs:
            return None
        if self.random.random() < 0.2:
            self.replayed.update(self.runs)
            return ReplayTasks(TENANT, filter=RunFilter(START_MS, statuses=(Status.FAILED,)))
        ids = self._some_runs()
        self.replayed.update(ids)
        return ReplayTasks(TENANT, ids)

    def _about_running(self) -> Command[object] | None:
        if not self.deliveries:
            return None
        task_id = self.random.choice(self.deliveries).task_id
        if self.random.random() < 0.5:
            return ReleaseSlot(TENANT, task_id)
        return RefreshTimeout(TENANT, task_id, self.random.choice((1, 5_000, 60_000)))

    def _pause(self) -> ChangeWorker | None:
        worker = self._any_worker()
        if worker is None:
            return None
        if self.random.random() < 0.4:
            return ChangeWorker(TENANT, worker.id, labels={"zone": self.random.choice(ZONES)})
        return ChangeWorker(TENANT, worker.id, paused=self.random.random() < 0.5)

    def _any_worker(self) -> SimWorker | None:
        joined = [worker for worker in self.workers if worker.alive]
        return self.random.choice(joined) if joined else None

    def _streams(self) -> Command[object] | None:
        """A worker's connection goes, or comes back, or only the engine notices."""
        worker = self._any_worker()
        if worker is None:
            return None
        stream = worker.stream
        chance = self.random.random()
        if stream is None or chance < 0.4:
            return self._open(worker)
        if chance < 0.6:
            stream.broken = True  # nobody has noticed yet
            return None
        worker.stream = None
        stream.broken = True
        return CloseStream(TENANT, worker.id, stream)

    # ------------------------------------------------------------ steps

    async def act(self, *commands: Command[object] | None) -> None:
        given = [command for command in commands if command is not None]
        answers = await self.submit(*given)
        for command, answer in zip(given, answers, strict=True):
            if isinstance(answer, BaseException):
                continue
            if isinstance(command, TriggerRuns):
                assert isinstance(answer, list)
                self.runs += answer
                self.noted(command, answer)
            elif isinstance(command, RegisterWorker):
                assert isinstance(answer, UUID)
                worker = SimWorker(self, command.protocol)
                worker.id = answer
                self.workers.append(worker)
                await self.submit(self._open(worker))

    def noted(self, command: TriggerRuns, runs: list[UUID]) -> None:
        """Runs were made."""

    def random_command(self) -> Command[object] | None:
        make: Callable[[], Command[object] | None] = self.random.choice(self.commands())
        return make()

    def commands(self) -> Sequence[Callable[[], Command[object] | None]]:
        """What several things at once are made of."""
        return (
            self._trigger,
            self._trigger,
            self._report,
            self._report,
            self._cancel,
            self._replay,
            self._about_running,
            self._streams,
            self._pause,
        )

    async def several(self) -> None:
        await self.act(*[self.random_command() for _ in range(self.random.randint(2, 5))])

    async def join(self) -> None:
        if len([worker for worker in self.workers if worker.alive]) < 4:
            await self.act(self._join())

    async def leave(self) -> None:
        worker = self._any_worker()
        if worker is not None:
            worker.alive = False
            await self.submit(LeaveWorker(TENANT, worker.id))

    async def die(self) -> None:
        worker = self._any_worker()
        if worker is not None:
            worker.alive = False
            if worker.stream is not None:
                worker.stream.broken = True

    async def obey_cancels(self) -> None:
        for worker in self.workers:
            for key in worker.cancelled:
                worker.tasks.pop(key, None)
            worker.cancelled.clear()

    async def redefine(self) -> None:
        await self.submit(self._definition(self.random.choice(NAMES)))

    async def jump(self) -> None:
        await self.advance(self.random.choice((1, 500, 1_000, 3_000, 10_000, 25_000, 45_000)))

    async def recover(self) -> None:
        await self.engine.take_over(self.flaky)  # type: ignore[arg-type]

    async def lose_commit(self) -> None:
        self.flaky.commit = self.random.choice(list(Commit))
        await self.several()

    async def break_statement(self) -> None:
        """One statement somewhere in the turn fails, for the value's or the connection's sake."""
        left = self.random.randint(0, 6)
        lost = self.random.random() < 0.5
        self.faulty = not lost

        def fail(statement: str, arguments: object) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                if lost:
                    raise asyncpg.ConnectionDoesNotExistError("the connection was closed")
                raise asyncpg.RaiseError("a statement failed")

        self.flaky.before_execute = fail
        await self.several()


async def check_recovery_but_lost(world: World) -> None:
    """Workers the table does not know any more are forgotten sooner or later in memory, too."""
    await world.advance(60_000)
    await check_recovery(world.engine, world.flaky.connection)


def one(make: Callable[[Any], Command[object] | None]) -> Callable[[Any], Awaitable[None]]:
    async def step(world: Any) -> None:
        await world.act(make(world))

    return step


ACTIONS: Actions = {
    "trigger": (16, one(World._trigger)),
    "report": (22, one(World._report)),
    "several": (14, World.several),
    "cancel": (4, one(World._cancel)),
    "replay": (4, one(World._replay)),
    "about running": (4, one(World._about_running)),
    "pause": (3, one(World._pause)),
    "streams": (8, one(World._streams)),
    "join": (6, World.join),
    "leave": (2, World.leave),
    "die": (2, World.die),
    "obey cancels": (4, World.obey_cancels),
    "redefine": (2, World.redefine),
    "jump": (14, World.jump),
    "recover": (3, World.recover),
    "lose commit": (4, World.lose_commit),
    "break statement": (4, World.break_statement),
}
