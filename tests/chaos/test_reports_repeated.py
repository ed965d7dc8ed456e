"""Reports that come twice, in another order, or for attempts that are over."""

from __future__ import annotations

import asyncio
import random as randoms
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from hatchet import FailedTaskRunExceptionGroup
from hatchet_protocol.session import Report, ReportKind
from tests.chaos.cluster import LATE_REPORT_REFUSED, REASSIGNED, Cluster, chance, running_cluster
from tests.chaos.raw_session import RawSession, report, reports
from tests.chaos.tasks import RETRIES, Done, Work

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

TASKS = 60
FAILED_FIRST = 25  # of which the first attempt fails
ACTION = "work:work"


def _done(task_id: bytes, attempt: int, mark: str = "first") -> Report:
    """`mark` tells which of several reports was believed."""
    output = Done(number=0, attempt=attempt, worker=mark).model_dump_json()
    return report(task_id, attempt, ReportKind.COMPLETED, output)


def _failed(task_id: bytes, attempt: int, error: str) -> Report:
    return report(task_id, attempt, ReportKind.FAILED, error)


class Sender:
    """Sends reports in frames of any size and order, many of them more than once."""

    def __init__(self, session: RawSession, random: randoms.Random) -> None:
        self.seq = 0
        self._session = session
        self._random = random

    def send(self, entries: Sequence[Report], *, times: int = 1) -> None:
        """One frame after the other; each frame is sent so often, and again among the others."""
        frames = []
        left = list(entries)
        while left:
            size = self._random.randint(1, 12)
            frames.append(left[:size])
            left = left[size:]
        order = frames * times
        self._random.shuffle(order)
        for frame in order:
            self.seq += 1
            self._session.send(reports(self.seq, *frame))

    def settle(self) -> None:
        """Wait until everything sent is acknowledged."""
        self._session.wait(lambda: self._session.acked_seq == self.seq, f"ack of {self.seq}")


async def _declared(cluster: Cluster) -> Any:
    """The task for callers, declared to the engine, which else a worker of the SDK does."""
    work = cluster.client()
    await work._client.session.unary("/v1.AdminService/PutWorkflow", work.to_proto())
    return work


async def _results(runs: Sequence[asyncio.Task[Done]]) -> list[Done]:
    async with asyncio.timeout(20):
        return list(await asyncio.gather(*runs))


@pytest.mark.timeout(60)
async def test_repeated_and_shuffled_reports_change_nothing(tmp_path: Path) -> None:
    random = chance()
    with running_cluster(tmp_path) as cluster:
        work = await _declared(cluster)
        runs = [asyncio.create_task(work.aio_run(Work(number=n))) for n in range(TASKS)]
        with RawSession(cluster.server.grpc_address, cluster.server.token) as session:
            await asyncio.to_thread(session.join, ACTION, 2 * TASKS)
            ids = await asyncio.to_thread(session.wait_assigned, TASKS, 0)
            random.shuffle(ids)
            failing, fine = ids[:FAILED_FIRST], ids[FAILED_FIRST:]
            sender = Sender(session, random)

            # First attempts: begun, ended, both in any order and twice.
            entries = [report(id, 0, ReportKind.STARTED, "") for id in ids]
            entries += [_done(id, 0) for id in fine]
            entries += [_failed(id, 0, f"boom {UUID(bytes=id)}") for id in failing]
            random.shuffle(entries)
            sender.send(entries, times=2)
            await asyncio.to_thread(session.wait_assigned, len(failing), 1)
            await asyncio.to_thread(sender.settle)
            before = len(await cluster.events(LATE_REPORT_REFUSED))

            # Second attempts run: what is said of the first ones now comes too late, and what is
            # said of ended tasks changes nothing.
            late = [_done(id, 0, "late") for id in failing]
            late += [_failed(id, 0, "again") for id in fine]
            late += [_done(id, 0, "late") for id in fine]
            random.shuffle(late)
            sender.send(late)
            await asyncio.to_thread(sender.settle)
            refused = await cluster.events(LATE_REPORT_REFUSED)
            assert len(refused) == before + len(failing)
            assert {id for id, _ in refused} == {str(UUID(bytes=id)) for id in failing}
            assert {attempt for _, attempt in refused} == {0}

            # And reports of attempts that never were.
            sender.send([_done(id, 7, "future") for id in ids])
            sender.send([_done(id, 1) for id in failing], times=3)
            results = await _results(runs)
            await asyncio.to_thread(sender.settle)
            assert sorted(session.deliveries) == sorted(
                [(id, 0) for id in ids] + [(id, 1) for id in failing]
            )
            await cluster.check(listening=1)
        assert {done.worker for done in results} == {"first"}
        assert sum(done.attempt for done in results) == len(failing)


@pytest.mark.timeout(60)
async def test_reports_sent_again_on_the_next_stream(tmp_path: Path) -> None:
    """The acknowledgements were lost with the stream: everything comes again, in another order,
    with what had not been sent; what was never delivered is delivered again."""
    random = chance()
    with running_cluster(tmp_path) as cluster:
        work = await _declared(cluster)
        runs = [asyncio.create_task(work.aio_run(Work(number=n))) for n in range(TASKS)]
        address, token = cluster.server.grpc_address, cluster.server.token
        with RawSession(address, token) as first:
            await asyncio.to_thread(first.join, ACTION, TASKS)
            ids = await asyncio.to_thread(first.wait_assigned, TASKS, 0)
            random.shuffle(ids)
            sent, unsent, lost = ids[:20], ids[20:40], ids[40:]
            sender = Sender(first, random)
            sender.send([_done(id, 0) for id in sent])
            await asyncio.to_thread(sender.settle)
        held = [(id, 0) for id in sent + unsent]
        with RawSession(address, token) as second:
            await asyncio.to_thread(second.join, ACTION, TASKS, first.worker_id, held)
            assert (second.resumed, second.worker_id) == (True, first.worker_id)
            again = await asyncio.to_thread(second.wait_assigned, len(lost), 0)
            assert sorted(again) == sorted(lost)
            sender = Sender(second, random)
            entries = [_done(id, 0, "again") for id in sent] + [
                _done(id, 0) for id in unsent + lost
            ]
            random.shuffle(entries)
            sender.send(entries, times=2)
            results = await _results(runs)
            await asyncio.to_thread(sender.settle)
            assert sorted(second.deliveries) == sorted((id, 0) for id in lost)
            await cluster.check(listening=1)
        assert {done.worker for done in results} == {"first"}
        assert not await cluster.events(REASSIGNED)


@pytest.mark.timeout(60)
async def test_a_failure_told_twice_costs_one_retry(tmp_path: Path) -> None:
    with running_cluster(tmp_path) as cluster:
        work = await _declared(cluster)
        run = asyncio.create_task(work.aio_run(Work(number=0)))
        with RawSession(cluster.server.grpc_address, cluster.server.token) as session:
            await asyncio.to_thread(session.join, ACTION, 1)
            seq = 0
            for attempt in range(1 + RETRIES):
                (id,) = await asyncio.to_thread(session.wait_assigned, 1, attempt)
                for _ in range(3):
                    seq += 1
                    session.send(reports(seq, _failed(id, attempt, f"boom {attempt}")))
            with pytest.raises(FailedTaskRunExceptionGroup, match=f"boom {RETRIES}"):
                await run
            await asyncio.to_thread(
                session.wait, lambda: session.acked_seq == seq, "all acknowledged"
            )
            await cluster.check(listening=1)
        assert [attempt for _, attempt in session.deliveries] == list(range(1 + RETRIES))
