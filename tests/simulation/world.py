"""A small world around one engine: workflows, workers that misbehave, a network that loses things
and a database connection that breaks; all of it drawn from one seed, with hand-moved time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import asyncpg

from hatchet_engine.domain.errors import Refused
from hatchet_engine.domain.states import TaskKind
from hatchet_engine.turn.commands import (
    ChangeWorker,
    Command,
    LeaveWorker,
    RegisterWorker,
    Report,
    ReportKind,
    ReportTasks,
    TriggerRuns,
)
from hatchet_engine.turn.failed import ConnectionLost
from tests.simulation.workers import Key, SimWorker
from tests.simulation.world_checks import check_attempts, check_ends, check_order
from tests.simulation.world_commands import NAMES, WorldCommands
from tests.support.engine import TENANT
from tests.support.flaky import Commit, FlakyConnection
from tests.support.invariants import Tables, check_all, check_recovery

HEARTBEAT_MS = 10_000
END_ROUNDS_MAX = 100
IDLE_PATIENCE_S = 10

Actions = dict[str, tuple[int, Callable[[Any], Awaitable[None]]]]


class World(WorldCommands):
    lowers_limits = False  # of concurrency keys

    def __init__(self, seed: int, writer: asyncpg.Connection, reader: asyncpg.Connection) -> None:
        super().__init__(seed)
        self.flaky = FlakyConnection(writer)
        self.reader = reader
        self.received: set[Key] = set()
        self.holders: dict[Key, SimWorker] = {}
        self.assigned_ms: dict[Key, int] = {}  # of all attempts that were ever given out
        self.faulty = False  # whether a command of the present step may fail for the database
        self.before = Tables()
        self.attempts: dict[UUID, int] = {}
        self.recoveries = 0
        self._loop: asyncio.Task[None] | None = None

    # ------------------------------------------------------------ frame

    async def start(self) -> None:
        await self.engine.take_over(self.flaky)  # type: ignore[arg-type]
        self._loop = self.run_engine()
        for name in self._first_names():
            await self.engine.submit(self._definition(name))
        await self.act(*[self._join() for _ in range(self.random.randint(0, 2))])

    def _first_names(self) -> Sequence[str]:
        """Workflows that are there from the start."""
        return NAMES[: self.random.randint(1, len(NAMES))]

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
        check_ends(self.before, tables, self.replayed)
        check_attempts(self.attempts, tables)
        self._check_order(tables)
        stored = {id_ for id_, row in tables.task.items() if row["status"] != TaskKind.MEMBER}
        assert set(self.runs) == stored, "8: acknowledged runs differ from stored ones"
        self.before = tables

    def _check_order(self, tables: Tables) -> None:
        check_order(self.engine, self.before, tables)

    async def finish(self) -> None:
        """All workers get well, time moves on: everything must end."""
        self.flaky.commit = None
        for worker in self.workers:
            if worker.alive:
                await self.submit(self._open(worker))
                await self.submit(ChangeWorker(TENANT, worker.id, draining=False))
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
