"""kill -9 of the engine in a stream of crons that fire every second."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tests.chaos.cluster import chance, running_cluster

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

CRONS = 20
KILLS = 4
SECOND = timedelta(seconds=1)


@pytest.mark.timeout(120)
async def test_no_tick_is_lost_or_doubled(tmp_path: Path) -> None:
    random = chance()
    with running_cluster(tmp_path) as cluster:
        # It declares the task, and goes: the runs only wait.
        cluster.start_worker("one", 1).kill()
        task = cluster.client()
        for number in range(CRONS):
            await task.aio_create_cron(f"cron-{number}", "* * * * * *")
        for _ in range(KILLS):
            await asyncio.sleep(random.uniform(1.0, 3.0))
            await cluster.restart()
        (row,) = await cluster.fetch("select max(last_tick_ms) as last from cron")
        goal = row["last"] + 2_000

        async def fired() -> bool:
            (row,) = await cluster.fetch("select min(last_tick_ms) as first from cron")
            return bool(row["first"] >= goal)

        while not await fired():
            await asyncio.sleep(0.1)  # the time of the system has to pass
        rows = await cluster.fetch(
            "select metadata ->> 'hatchet__cron_name' as name, "
            "metadata ->> 'hatchet__cron_scheduled_at' as at from task order by id"
        )
        by_cron: dict[str, list[datetime]] = {}
        for row in rows:
            by_cron.setdefault(row["name"], []).append(datetime.fromisoformat(row["at"]))
        assert len(by_cron) == CRONS
        for name, ticks in by_cron.items():
            steps = {later - earlier for earlier, later in pairwise(ticks)}
            assert steps == {SECOND}, f"{name}: {steps}"
