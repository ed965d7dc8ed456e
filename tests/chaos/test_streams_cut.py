"""Connections that break, lose one direction, or fall silent, with work under way."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.chaos.cluster import REASSIGNED, chance, running_cluster, until
from tests.chaos.load import Load
from tests.chaos.proxy import Fault, proxied

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

SINGLES, IN_BULKS = 1_200, 2_400
FAULTS = 14
LIVENESS_S = 5


@pytest.mark.timeout(150)
async def test_results_reach_callers_through_broken_connections(tmp_path: Path) -> None:
    random = chance()
    with (
        running_cluster(tmp_path) as cluster,
        proxied(cluster.server.grpc_port) as of_workers,
        proxied(cluster.server.grpc_port) as of_callers,
    ):
        for name in ("one", "two", "three"):
            cluster.start_worker(name, slots=30, address=of_workers.address)
        load = Load(cluster.client(of_callers.address), random, sleep_ms=(5, 80))
        running = [
            asyncio.create_task(load.run(callers=30, rounds=SINGLES // 30, count=1)),
            asyncio.create_task(load.run(callers=6, rounds=IN_BULKS // 120, count=20)),
        ]
        # Each kind on each side at least once, in any order.
        faults = [(fault, proxy) for fault in Fault for proxy in (of_workers, of_callers)]
        faults += random.choices(faults, k=FAULTS - len(faults))
        random.shuffle(faults)
        for fault, proxy in faults:
            before = cluster.journal.read().ended
            step = random.randint(20, 120)
            await until(
                lambda goal=before + step: (
                    cluster.journal.read().ended >= goal or all(task.done() for task in running)
                ),
                "work goes on",
            )
            assert not all(task.done() for task in running), "the load was over too early"
            seconds = random.uniform(0.05, 0.4)
            if fault in (Fault.HOLD, Fault.HOLD_CUT):
                seconds *= 4
            await proxy.disturb(fault, seconds)
        await asyncio.gather(*running)

        assert len(load.done) == SINGLES + IN_BULKS
        assert not load.unknown  # what was not answered was sent again
        await cluster.check(listening=3)
        await load.check(cluster)
        # Broken streams alone cost no attempt: workers come back with what they hold.
        assert not await cluster.events(REASSIGNED)


@pytest.mark.timeout(90)
async def test_tasks_leave_a_worker_that_nobody_can_reach(tmp_path: Path) -> None:
    """Silence without an end: no packet, no FIN. The worker works on and knows nothing."""
    random = chance()
    liveness = {"HATCHET_WORKER_HEARTBEAT_TIMEOUT_S": str(LIVENESS_S)}
    with (
        running_cluster(tmp_path, **liveness) as cluster,
        proxied(cluster.server.grpc_port) as proxy,
    ):
        cluster.start_worker("distant", slots=30, address=proxy.address)
        cluster.start_worker("other", slots=30)
        load = Load(cluster.client(), random, sleep_ms=(5, 80))
        running = asyncio.create_task(load.run(callers=10, rounds=20, count=10))
        await until(lambda: cluster.journal.read().ended >= 300, "work goes on")
        silence = asyncio.create_task(proxy.disturb(Fault.HOLD, LIVENESS_S + 2.5))
        await running
        await silence

        assert len(load.done) == 2_000
        assert await cluster.events(REASSIGNED)
        await cluster.check(listening=2)
        await load.check(cluster)
