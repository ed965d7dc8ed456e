"""kill -9 of the engine while runs of several tasks work, sleep and wait for events."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from hatchet import EngineUnavailableError, Hatchet, HatchetCallError, TriggerOutcomeUnknownError
from tests.chaos.cluster import REASSIGNED, chance, running_cluster, until
from tests.chaos.graph import EVENT, LAYERS, TASKS, WIDTH, declare_graph

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

RUNS = 200
KILLS = 3
PUSH_INTERVAL_S = 0.3
END = (1 + LAYERS) * WIDTH  # what the last task counts before it, once for each of its parents


async def push_on(hatchet: Hatchet) -> None:
    """Push the event every now and then; one whose call failed is simply followed by another."""
    while True:
        with contextlib.suppress(
            EngineUnavailableError, HatchetCallError, TriggerOutcomeUnknownError
        ):
            await hatchet.event.aio_push(EVENT, {"go": True})
        await asyncio.sleep(PUSH_INTERVAL_S)


@pytest.mark.timeout(150)
async def test_graphs_survive_kills_of_the_engine(tmp_path: Path) -> None:
    random = chance()
    with running_cluster(tmp_path) as cluster:
        for name in ("one", "two"):
            cluster.start_worker(name, 60, program_name="graph_worker")
        hatchet = cluster.hatchet()
        graph: Any = declare_graph(hatchet)
        refs = await graph.aio_run_many_no_wait([graph.create_bulk_run_item() for _ in range(RUNS)])
        pushing = asyncio.create_task(push_on(hatchet))
        for kill in range(KILLS):
            goal = (kill + 0.5 + random.uniform(-0.3, 0.3)) * RUNS * TASKS / (KILLS + 1)
            await until(
                lambda goal=goal: cluster.journal.read().ended >= goal,
                f"{goal:.0f} attempts have ended",
                60,
            )
            await cluster.restart()
        async with asyncio.timeout(90):
            results = await asyncio.gather(*[ref.aio_result() for ref in refs])
        pushing.cancel()
        assert [len(result) for result in results] == [TASKS] * RUNS
        assert {result["end"]["before"] for result in results} == {END}
        await cluster.check(listening=2)
        assert sum(cluster.journal.started.values()) == RUNS * TASKS
        assert not await cluster.events(REASSIGNED)
        rows = await cluster.fetch("select status, count(*) as n from outcome group by status")
        assert [(row["status"], row["n"]) for row in rows] == [(2, RUNS * (TASKS + 1))]
