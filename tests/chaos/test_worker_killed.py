"""Workers that die, and workers that only seem to."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import pytest

from tests.chaos.cluster import LATE_REPORT_REFUSED, REASSIGNED, Cluster, running_cluster, until
from tests.chaos.tasks import RETRIES, Done, Work

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

LIVENESS_S = 5
# The engine looks when the time is up; what is over it is for a loaded machine.
TOLERANCE_S = 2.0
TASKS = 8
SERVER = {"HATCHET_WORKER_HEARTBEAT_TIMEOUT_S": str(LIVENESS_S)}


async def _moved(cluster: Cluster, to: str) -> None:
    """Wait until the next attempt of every task has begun on this worker."""
    await until(
        lambda: len(cluster.journal.of_worker(to, attempt=1)) == TASKS,
        "the tasks have moved",
        LIVENESS_S + TOLERANCE_S,
    )


@pytest.mark.timeout(60)
async def test_tasks_of_a_killed_worker_move(tmp_path: Path) -> None:
    with running_cluster(tmp_path, **SERVER) as cluster:
        cluster.start_worker("victim", TASKS)
        work = cluster.client()
        # On the other worker these fail as often as their retries allow: the loss of a worker must
        # not have used one up.
        fail_on = list(range(1, 1 + RETRIES))
        inputs = [Work(number=n, gated=True, fail_on=fail_on) for n in range(TASKS)]
        results = [asyncio.create_task(work.aio_run(one)) for one in inputs]
        await until(
            lambda: len(cluster.journal.of_worker("victim", attempt=0)) == TASKS, "all are there"
        )
        cluster.start_worker("other", TASKS)
        cluster.signal_worker("victim", signal.SIGKILL)
        killed_at = time.monotonic()
        await _moved(cluster, to="other")
        assert time.monotonic() - killed_at < LIVENESS_S + TOLERANCE_S
        cluster.open_gate("other")

        for result in asyncio.as_completed(results):
            done: Done = await result
            assert (done.attempt, done.worker) == (1 + RETRIES, "other")
        assert sorted(await cluster.events(REASSIGNED)) == [
            (task_id, 0) for task_id in sorted(cluster.journal.of_worker("victim", attempt=0))
        ]
        await cluster.check(listening=1)


@pytest.mark.timeout(60)
async def test_late_reports_of_a_frozen_worker_are_refused(tmp_path: Path) -> None:
    with running_cluster(tmp_path, **SERVER) as cluster:
        cluster.start_worker("frozen", TASKS)
        work = cluster.client()
        inputs = [Work(number=n, gated=True) for n in range(TASKS)]
        results = [asyncio.create_task(work.aio_run(one)) for one in inputs]
        await until(
            lambda: len(cluster.journal.of_worker("frozen", attempt=0)) == TASKS, "all are there"
        )
        cluster.start_worker("other", TASKS)
        cluster.signal_worker("frozen", signal.SIGSTOP)
        await _moved(cluster, to="other")
        cluster.open_gate("frozen")
        cluster.signal_worker("frozen", signal.SIGCONT)
        moved = [(task_id, 0) for task_id in cluster.journal.of_worker("other", attempt=1)]
        late: list[tuple[str, int]] = []
        async with asyncio.timeout(20):
            while len(late) < TASKS:
                late = await cluster.events(LATE_REPORT_REFUSED)
                await asyncio.sleep(0.05)
        assert sorted(late) == sorted(moved)
        assert not any(result.done() for result in results)
        cluster.open_gate("other")

        for result in asyncio.as_completed(results):
            done: Done = await result
            assert (done.attempt, done.worker) == (1, "other")
        # The worker that came back counts again.
        await cluster.check(listening=2)
        again = [await work.aio_run(Work(number=n, gated=True)) for n in range(TASKS, 2 * TASKS)]
        assert {done.attempt for done in again} == {0}
