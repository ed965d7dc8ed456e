"""Runs random worlds by seed, each from an empty database to the end of all its work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sized
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import asyncpg
import uvloop

from hatchet_engine.app.embedded import EmbeddedPostgres
from hatchet_engine.store.migrate import migrate
from hatchet_engine.turn.connection import prepare_writer
from tests.support.clean import clear
from tests.support.engine import TENANT

STEPS_SHOWN = 6  # of those before a failure


class RandomWorld(Protocol):
    @property
    def runs(self) -> Sized:
        """What was triggered."""
        ...

    async def start(self) -> None: ...
    async def step(self, steps: list[str]) -> None:
        """One random thing; what it is stands in ``steps`` before it is checked."""
        ...

    async def finish(self) -> None: ...
    async def stop(self) -> None: ...


MakeWorld = Callable[[int, asyncpg.Connection, asyncpg.Connection], RandomWorld]


@dataclass(frozen=True)
class Seeds:
    """The worlds of a test: groups of seeds, each of which is one case of it."""

    make: MakeWorld
    steps: int  # of each world
    count: int = 300
    per_case: int = 25
    runs_per_seed_min: int = 10

    @property
    def firsts(self) -> range:
        """The first seed of each case."""
        return range(0, self.count, self.per_case)

    def run(self, dsn: str, first: int) -> None:
        runs = run_seeds(self.make, self.steps, dsn, range(first, first + self.per_case))
        least = self.runs_per_seed_min * self.per_case
        assert runs > least, "the worlds are too quiet to prove anything"


def run_seeds(make: MakeWorld, steps: int, dsn: str, seeds: range) -> int:
    """Run these worlds; how many runs there were in all."""
    # The loop of the product; so many round trips go faster on it.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run_seeds(make, steps, dsn, seeds))


def look_at(make: MakeWorld, steps: int, arguments: list[str]) -> None:
    """For the command line: run the seed (or those from the first to the last), printing steps."""
    asyncio.run(_with_postgres(make, steps, range(int(arguments[0]), int(arguments[-1]) + 1)))


async def _run_seeds(
    make: MakeWorld, steps: int, dsn: str, seeds: range, *, loud: bool = False
) -> int:
    writer = await asyncpg.connect(dsn)
    reader = await asyncpg.connect(dsn)
    try:
        await prepare_writer(writer)
        runs = 0
        for seed in seeds:
            await _empty(writer)
            runs += await _run_world(make(seed, writer, reader), seed, steps, loud)
        return runs
    finally:
        await reader.close()
        await writer.close()


async def _empty(writer: Any) -> None:
    await clear(writer)
    await writer.execute(
        "insert into tenant (id, slug, name, created_at, updated_at) "
        "values ($1, 'default', 'default', now(), now())",
        TENANT,
    )


async def _run_world(world: RandomWorld, seed: int, count: int, loud: bool) -> int:
    steps: list[str] = []
    try:
        await world.start()
        for _ in range(count):
            await world.step(steps)
            if loud:
                print(len(steps), steps[-1])
        await world.finish()
    except BaseException as error:
        last = ", ".join(steps[-STEPS_SHOWN:])
        error.add_note(f"seed {seed}, step {len(steps)}; before: {last}")
        raise
    finally:
        await world.stop()
    return len(world.runs)


async def _with_postgres(make: MakeWorld, steps: int, seeds: range) -> None:
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        postgres = EmbeddedPostgres(Path(folder) / "data", durable=False)
        dsn = await postgres.start(supervise=False)
        try:
            await migrate(dsn)
            await _run_seeds(make, steps, dsn, seeds, loud=True)
        finally:
            await postgres.stop()
