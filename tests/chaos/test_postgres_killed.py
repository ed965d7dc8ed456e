"""kill -9 of Postgres under load: one of its processes, all of it, and again before it is back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import asyncpg
import pytest

from hatchet_engine.app.embedded import EmbeddedPostgres
from hatchet_engine.app.embedded import server as embedded
from hatchet_engine.app.embedded.cluster import read_postmaster
from tests.chaos.cluster import Cluster, chance, running_cluster, until
from tests.chaos.load import Load

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

KILLS = 15
TASKS = 3_000
AWAY_S = 4.0  # longer than the engine keeps its callers waiting


async def _keep_away(cluster: Cluster) -> None:
    """Kill it again each time it is back."""
    back_at = time.monotonic() + AWAY_S
    pid = await cluster.kill_postgres()
    while time.monotonic() < back_at:
        again = cluster.postmaster_pid
        if again not in (None, pid):
            pid = await cluster.kill_postgres()
        await asyncio.sleep(0.01)


@pytest.mark.timeout(60)
async def test_embedded_postgres_comes_back_whenever_it_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also in the very moment in which the supervisor looks whether it is there."""
    random = chance()
    monkeypatch.setattr(embedded, "RESTART_PAUSE_S_MAX", 0.1)
    directory = Path(tempfile.mkdtemp(prefix="hatchet-test-"))
    directory.chmod(0o711)
    postgres = EmbeddedPostgres(directory, durable=False)
    try:
        dsn = await postgres.start()
        killed: set[int] = set()
        while len(killed) < KILLS:
            postmaster = read_postmaster(directory / "postgres")
            if postmaster is not None and postmaster.ready and postmaster.pid not in killed:
                await asyncio.sleep(random.uniform(0, 0.012))
                killed.add(postmaster.pid)
                os.kill(postmaster.pid, signal.SIGKILL)
            await asyncio.sleep(0.001)
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    connection = await asyncpg.connect(dsn)
                    break
                await asyncio.sleep(0.05)
        assert await connection.fetchval("select 1") == 1
        await connection.close()
    finally:
        await postgres.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.mark.timeout(150)
async def test_acknowledged_work_survives_kills_of_postgres(tmp_path: Path) -> None:
    random = chance()
    with running_cluster(tmp_path) as cluster:
        for name in ("one", "two"):
            cluster.start_worker(name, slots=40)
        load = Load(cluster.client(trigger_timeout_s=60), random, sleep_ms=(5, 60))
        running = asyncio.create_task(load.run(callers=20, rounds=TASKS // 200, count=10))
        faults = [Cluster.kill_writer, Cluster.kill_postgres, Cluster.kill_writer, _keep_away]
        for number, fault in enumerate(faults):
            goal = (number + 0.5 + random.uniform(-0.3, 0.3)) * TASKS / len(faults)
            await until(
                lambda goal=goal: cluster.journal.read().ended >= goal or running.done(),
                f"{goal:.0f} attempts have ended",
                60,
            )
            assert not running.done(), "the load was over before the last kill"
            await fault(cluster)
        await running

        assert len(load.done) == TASKS
        await cluster.check(listening=2)
        await load.check(cluster)
