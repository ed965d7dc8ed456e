"""kill -9 of the engine, again and again, in the middle of work."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.chaos.cluster import REASSIGNED, chance, running_cluster, until
from tests.chaos.load import Load

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

KILLS = 3
TASKS = 5_000
SLOTS = 40


@pytest.mark.timeout(150)
async def test_acknowledged_work_survives_kills_of_the_engine(tmp_path: Path) -> None:
    random = chance()
    with running_cluster(tmp_path) as cluster:
        for name in ("one", "two", "three"):
            cluster.start_worker(name, SLOTS)
        load = Load(cluster.client(trigger_timeout_s=60), random, sleep_ms=(5, 60))
        running = asyncio.create_task(load.run(callers=10, rounds=5, count=TASKS // 50))
        for kill in range(KILLS):
            goal = (kill + 0.5 + random.uniform(-0.3, 0.3)) * TASKS / KILLS
            await until(
                lambda goal=goal: cluster.journal.read().ended >= goal or running.done(),
                f"{goal:.0f} attempts have ended",
                60,
            )
            assert not running.done(), "the load was over before the last kill"
            await cluster.restart()
        await running

        assert len(load.done) == TASKS
        assert not load.unknown  # what was not answered was sent again
        await cluster.check(listening=3)
        await load.check(cluster)
        # Every attempt that was begun counts: none was run in vain, none was handed out twice.
        assert not await cluster.events(REASSIGNED)
