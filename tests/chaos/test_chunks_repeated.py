"""Streams of tasks through kills of the engine and broken connections: every chunk once, in order
(S-2, S-5), for those who follow and for those who come later."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hatchet import Hatchet
from tests.chaos.cluster import REASSIGNED, Cluster, chance, running_cluster, until
from tests.chaos.proxy import Fault, proxied
from tests.chaos.stream_worker import Talk, declare

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

TASKS, CHUNKS = 12, 2_000
PAUSE_MS = 60  # after each burst: a task takes 6 s or more
KILLS = 2
CUTS = 8


class Readers:
    """Follow all runs, from before their first chunk on."""

    def __init__(self, hatchet: Hatchet) -> None:
        self._hatchet = hatchet
        self._refs: list[Any] = []
        self._following: list[asyncio.Task[str]] = []
        self.chunks = 0

    async def start(self) -> None:
        task = declare(self._hatchet)
        for _ in range(TASKS):
            ref = await task.aio_run_no_wait(Talk(chunks=CHUNKS, pause_ms=PAUSE_MS))
            self._refs.append(ref)
            self._following.append(asyncio.create_task(self._read(ref)))

    async def _read(self, ref: Any) -> str:
        text = ""
        async for chunk in self._hatchet.runs.subscribe_to_stream(ref.workflow_run_id):
            text += chunk
            self.chunks += 1
        return text

    async def reached(self, share: float) -> bool:
        """Wait until so much of all chunks is read; False if nothing is left by then."""
        goal = TASKS * CHUNKS * share
        await until(
            lambda: self.chunks >= goal or all(one.done() for one in self._following),
            f"{goal:.0f} chunks are read",
            60,
        )
        return not all(one.done() for one in self._following)

    async def check(self, cluster: Cluster) -> None:
        expected = "".join(f"{number};" for number in range(CHUNKS))
        assert [text == expected for text in await asyncio.gather(*self._following)] == [
            True
        ] * TASKS
        for ref in self._refs:
            assert await ref.aio_result() == {"chunks": CHUNKS}
        assert await self._read(self._refs[0]) == expected
        (row,) = await cluster.fetch(
            "select count(*), count(distinct (task_id, index)) as different from stream_chunk"
        )
        assert tuple(row) == (TASKS * CHUNKS, TASKS * CHUNKS)
        assert not await cluster.events(REASSIGNED)


@pytest.mark.timeout(120)
async def test_streams_survive_kills_of_the_engine(tmp_path: Path) -> None:
    random = chance()
    with running_cluster(tmp_path) as cluster:
        cluster.start_worker("one", TASKS, program_name="stream_worker")
        readers = Readers(cluster.hatchet())
        await readers.start()
        for kill in range(KILLS):
            assert await readers.reached((kill + 0.5 + random.uniform(-0.3, 0.3)) / KILLS)
            await cluster.restart()
        await readers.check(cluster)


@pytest.mark.timeout(120)
async def test_streams_survive_broken_connections(tmp_path: Path) -> None:
    random = chance()
    with (
        running_cluster(tmp_path) as cluster,
        proxied(cluster.server.grpc_port) as of_worker,
        proxied(cluster.server.grpc_port) as of_readers,
    ):
        cluster.start_worker("one", TASKS, of_worker.address, "stream_worker")
        readers = Readers(cluster.hatchet(of_readers.address))
        await readers.start()
        faults = [Fault.CUT, Fault.LOSE_UP, Fault.LOSE_DOWN, Fault.HOLD, Fault.HOLD_CUT]
        faults += random.choices(faults, k=CUTS - len(faults))
        random.shuffle(faults)
        for number, fault in enumerate(faults):
            if not await readers.reached((number + 0.5) / CUTS):
                # What a worker has kept while it could not connect comes in one piece.
                assert number >= CUTS - 2
                break
            await of_worker.disturb(fault, random.uniform(0.05, 0.5))
            if number % 3 == 0:
                await of_readers.disturb(Fault.CUT, 0.1)
        await readers.check(cluster)
