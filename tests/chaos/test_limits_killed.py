"""kill -9 of the engine, and of Postgres, under a mixed load of everything of flow control."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest

from tests.chaos.cluster import REASSIGNED, Cluster, chance, running_cluster
from tests.chaos.flow_checks import check_flow
from tests.chaos.flow_evidence import gather_evidence
from tests.chaos.flow_load import FlowLoad

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

SLOTS = 60


async def _kill_engine(cluster: Cluster, random: Random) -> None:
    await cluster.restart()


async def _kill_engine_again(cluster: Cluster, random: Random) -> None:
    """Once more, while everybody comes back."""
    await cluster.restart()
    await asyncio.sleep(random.uniform(0, 0.3))
    await cluster.restart()


async def _kill_writer(cluster: Cluster, random: Random) -> None:
    await cluster.kill_writer()


async def _kill_both(cluster: Cluster, random: Random) -> None:
    """The engine a moment after Postgres, perhaps while it comes back."""
    await cluster.kill_postgres()
    await asyncio.sleep(random.uniform(0, 1))
    await cluster.restart()


FAULTS = [_kill_engine, _kill_engine_again, _kill_engine, _kill_writer, _kill_both]

# What nothing may be left of when everything has ended.
LEFT = ("parked_item", "concurrency_place", "pause", "idempotency_key where until_end")


@pytest.mark.timeout(150)
async def test_limits_hold_over_kills(tmp_path: Path) -> None:
    random = chance()
    with running_cluster(tmp_path) as cluster:
        for name in ("one", "two"):
            cluster.start_worker(name, SLOTS, program_name="flow_worker")
        load = FlowLoad(cluster.hatchet(trigger_timeout_s=60), random)
        await load.prepare()
        for fault in random.sample(FAULTS, k=len(FAULTS)):
            await asyncio.sleep(random.uniform(0.3, 2))
            assert load.broken is None, load.broken
            await load.begin_long()
            await asyncio.sleep(random.uniform(0, 0.5))
            await fault(cluster, random)
        await asyncio.sleep(1)  # the load goes on for a while after the last fault
        await load.finish()

        await cluster.check(listening=2)
        for table in LEFT:
            left = await cluster.fetch(f"select * from {table} limit 5")
            assert not left, f"left in {table}: {left}"
        moved = await cluster.events(REASSIGNED)
        async with cluster.database() as connection:
            evidence = await gather_evidence(connection, cluster.journal, moved)
        print(f"{len(evidence.runs)} runs, in doubt {len(load.doubt)}, moved {len(moved)}")
        crons = await cluster.fetch("select name, last_tick_ms from cron")
        check_flow(load, evidence, {row["name"]: row["last_tick_ms"] for row in crons})
