"""Results are read from the table within bounds (RS-2)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import pytest

from hatchet_engine.domain.states import Status, TaskKind
from hatchet_engine.sessions import result_reader
from hatchet_engine.sessions.result_reader import ResultReader
from hatchet_engine.store import history
from tests.support.rows import Rows, Workflow


@dataclass
class World:
    rows: Rows
    workflow: Workflow
    reader: ResultReader

    async def ended(self, size: int) -> UUID:
        """A run whose output has so many bytes."""
        return await self.rows.run(
            self.workflow, Status.COMPLETED, output='"' + "é" * (size // 2 - 1) + '"'
        )

    async def groups(self, *ids: UUID) -> list[set[UUID]]:
        """The ids of each read."""
        return [
            {result.run_id for result in results}
            async for results in self.reader.read(self.rows.tenant_id, ids)
        ]


@pytest.fixture
async def world(database: str) -> AsyncIterator[World]:
    async def name(version_id: UUID, step: int) -> str:
        return "hello"

    rows = await Rows.open(database)
    pool = await asyncpg.create_pool(database, min_size=1, max_size=2)
    yield World(rows, await rows.workflow(), ResultReader(pool, name))
    await pool.close()
    await rows.close()


async def test_rs_2_a_read_is_bounded_by_bytes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_reader, "BYTES_MAX", 1_000)
    edge, more, huge = await world.ended(500), await world.ended(502), await world.ended(5_000)
    half, other = await world.ended(500), await world.ended(100)
    running = await world.rows.run(world.workflow, Status.RUNNING)
    assert await world.groups(edge, half) == [{edge, half}]  # just so
    assert [len(group) for group in await world.groups(half, more)] == [1, 1]
    everything = await world.groups(edge, more, running, huge, half, other)
    assert sorted(id for group in everything for id in group) == sorted(
        [edge, more, huge, half, other]
    )
    assert {huge} in everything
    assert await world.groups(running, world.rows.tenant_id) == []


async def test_rs_2_a_run_of_several_tasks_counts_as_a_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_reader, "BYTES_MAX", 1_000)
    run = await world.rows.run(world.workflow, Status.FAILED, kind=TaskKind.DAG, error="e" * 10)
    for step, text in enumerate(("x" * 300, "y" * 300)):
        await world.rows.run(
            world.workflow,
            Status.COMPLETED,
            kind=TaskKind.MEMBER,
            run_id=run,
            step=step,
            output=text,
        )
    single = await world.ended(200)
    sizes = await history.outcome_sizes(world.rows.connection, world.rows.tenant_id, [run, single])
    assert dict(sizes) == {run: 610, single: 200}
    assert await world.groups(run, single) == [{run, single}]
    large = await world.ended(392)
    assert sorted(map(len, await world.groups(run, large))) == [1, 1]


async def test_rs_2_a_read_is_bounded_by_ids(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_reader, "IDS_MAX", 2)
    ids = [await world.ended(10) for _ in range(5)]
    assert [len(group) for group in await world.groups(*ids)] == [2, 2, 1]
