"""Random runs of random workflows, step by step beside a reference model of the rules.

A failure names its seed. To look at one seed alone, with the steps printed:

    .venv/bin/python -m tests.simulation.test_random_dags SEED
"""

from __future__ import annotations

import asyncio
import sys

import asyncpg
import pytest
import uvloop

from hatchet_engine.turn.connection import prepare_writer
from tests.simulation.dag_world import DagWorld
from tests.support.clean import clear
from tests.support.engine import TENANT

SEEDS = 120
SEEDS_PER_TEST = 15
STEPS = 130
RUNS_MIN = 2_000  # in all


async def run_world(
    seed: int, writer: asyncpg.Connection, reader: asyncpg.Connection, *, loud: bool = False
) -> DagWorld:
    """One seed from an empty database to the end of all runs."""
    await clear(writer)
    await writer.execute(
        "insert into tenant (id, slug, name, created_at, updated_at) "
        "values ($1, 'default', 'default', now(), now())",
        TENANT,
    )
    world = DagWorld(seed, writer, reader)
    steps: list[str] = []
    try:
        await world.start()
        for _ in range(STEPS):
            await world.step(steps)
            if loud:
                print(len(steps), steps[-1])
        await world.finish()
    except BaseException as error:
        error.add_note(f"seed {seed}, step {len(steps)}; before: {', '.join(steps[-6:])}")
        raise
    finally:
        await world.stop()
    return world


async def run_worlds(dsn: str, seeds: range, *, loud: bool = False) -> int:
    writer = await asyncpg.connect(dsn)
    reader = await asyncpg.connect(dsn)
    try:
        await prepare_writer(writer)
        runs = 0
        for seed in seeds:
            runs += len((await run_world(seed, writer, reader, loud=loud)).runs)
        return runs
    finally:
        await reader.close()
        await writer.close()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_PER_TEST))
def test_engine_and_reference_agree_about_random_runs(database: str, first: int) -> None:
    # The loop of the product; so many round trips go faster on it.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runs = runner.run(run_worlds(database, range(first, first + SEEDS_PER_TEST)))
    assert runs >= RUNS_MIN * SEEDS_PER_TEST // SEEDS, "the worlds are too quiet to prove anything"


async def _seeds(first: int, last: int) -> None:
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from hatchet_engine.app.embedded import EmbeddedPostgres
    from hatchet_engine.store.migrate import migrate

    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        postgres = EmbeddedPostgres(Path(folder) / "data", durable=False)
        dsn = await postgres.start(supervise=False)
        try:
            await migrate(dsn)
            await run_worlds(dsn, range(first, last + 1), loud=True)
        finally:
            await postgres.stop()


if __name__ == "__main__":
    asyncio.run(_seeds(int(sys.argv[1]), int(sys.argv[-1])))
