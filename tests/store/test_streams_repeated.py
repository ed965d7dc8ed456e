"""Chunks that are sent again: each is kept once (S-2), and is told as stored after its commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.observe import stream_lane
from hatchet_engine.observe.chunk_order import HOLD_MS
from hatchet_engine.sessions.watchers import RunWatchers
from hatchet_engine.store import streams
from tests.support.rows import Rows
from tests.support.stream_world import World


@pytest.fixture
async def world(database: str) -> AsyncIterator[World]:
    rows = await Rows.open(database)
    pool = await asyncpg.create_pool(database, min_size=1, max_size=2)
    yield World(rows, pool, {}, RunWatchers(), database)
    await pool.close()
    await rows.close()


async def test_a_chunk_is_kept_once(world: World) -> None:
    task_id = world.start()
    async with world.lane() as lane:
        await world.put(lane, task_id, 0, 1, 2, attempt=0)
        await world.put(lane, task_id, 1, 2, 3, attempt=0, again=True)
        await lane.settle(task_id)
        await world.put(lane, task_id, 0, 3, 4, attempt=0, again=True)
        await world.put(lane, task_id, 0, 1, attempt=1)
        await world.put(lane, task_id, 2, 5, attempt=0, again=True)
        await lane.settle(task_id)
        assert lane.repeated == 5
    assert await world.indexes(task_id) == [
        (0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 0), (1, 1), (0, 5)
    ]  # fmt: skip


async def test_who_names_no_attempt_may_repeat_an_index(world: World) -> None:
    """Of the official call, the attempt is guessed: what comes late is not thrown away."""
    task_id = world.start()
    async with world.lane() as lane:
        await world.put(lane, task_id, 0, 1, 0)
        await lane.settle(task_id)
        assert lane.repeated == 0
    assert await world.all(task_id) == [":0", ":1", ":0"]


async def test_a_chunk_is_kept_once_across_a_restart(world: World) -> None:
    task_id = world.start()
    async with world.lane() as lane:
        await world.put(lane, task_id, 0, 1, 2, 5, attempt=0)  # 3 and 4 never came
        await world.put(lane, task_id, 0, attempt=1)
    world.now_ms -= 5_000  # the clock of another machine; places stay in order
    async with world.lane() as lane:
        # The first one that comes, too; of an attempt that is not the latest; and out of a gap.
        await world.put(lane, task_id, 0, 1, 2, 4, 5, 6, attempt=0, again=True)
        await world.put(lane, task_id, 0, 1, attempt=1, again=True)
        assert not lane.has_gap(task_id)
        await lane.settle(task_id)
    assert await world.indexes(task_id) == [
        (0, 0), (0, 1), (0, 2), (0, 5), (1, 0), (0, 4), (0, 6), (1, 1)
    ]  # fmt: skip


async def test_many_gaps_are_read_as_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "RANGES_MAX", 3)
    task_id = world.start()
    place = (world.pool, world.rows.tenant_id, task_id, task_id, 0)
    async with world.lane() as lane:
        await world.put(lane, task_id, 1, 3, attempt=0)
        await lane.settle(task_id)
        assert await streams.ranges(*place) == [(1, 2), (3, 4)]
        await world.put(lane, task_id, 5, 6, 8, attempt=0)
        await lane.settle(task_id)
    assert await streams.ranges(*place) == [(0, 4), (5, 7), (8, 9)]


async def test_a_forgotten_attempt_with_chunks_on_their_way(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_lane, "ATTEMPTS_KEPT_MAX", 1)
    first, second = world.start(), world.start()
    lane = world.new_lane()  # not started: nothing leaves the queue
    await world.put(lane, first, 0, attempt=0)
    await world.put(lane, second, 0, attempt=0)
    again = asyncio.create_task(world.put(lane, first, 0, 1, attempt=0, again=True))
    await asyncio.sleep(0.01)
    await lane.start()
    await again
    await lane.stop()
    assert await world.all(first) == [":0", ":1"]


# ---------------------------------------------------------------------- what is stored


async def test_stored_is_told_after_the_commit(world: World) -> None:
    task_id = world.start()
    lane = world.new_lane()
    await world.put(lane, task_id, 0, attempt=0)
    stored = lane.when_stored({(task_id, 0)})
    await asyncio.sleep(0.01)
    assert not stored.done()
    await lane.start()
    await stored
    assert await world.all(task_id) == [":0"]
    assert lane.when_stored({(task_id, 0)}).done()  # there is nothing to wait for
    await lane.stop()


async def test_a_chunk_without_an_attempt_tells_its_own(world: World) -> None:
    """For official calls, which wait for it."""
    task_id = world.start(attempt=2)
    async with world.lane() as lane:
        put = await lane.put(world.rows.tenant_id, task_id, b"a", 0, None)
        assert put == (task_id, 2)
        await lane.when_stored({put})
        assert await world.indexes(task_id) == [(2, 0)]
        repeated = await lane.put(world.rows.tenant_id, task_id, b"a", 0, 2, again=True)
        assert repeated == put


async def test_stored_waits_for_what_is_held_for_a_gap(world: World) -> None:
    task_id, other = world.start(), world.start()
    async with world.lane() as lane:
        await world.put(lane, task_id, 1, attempt=0)
        stored = lane.when_stored({(task_id, 0), (other, 0)})
        await world.put(lane, other, 0, attempt=0)
        await lane.when_stored({(other, 0)})
        assert not stored.done()
        world.now_ms += HOLD_MS
        await world.put(lane, other, 1, attempt=0)  # wakes the lane; time would, in real life
        async with asyncio.timeout(10):
            await stored
    assert await world.all(task_id) == [":1"]


async def test_a_stop_without_a_database_tells_that_chunks_are_not_stored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_lane, "STOP_TIMEOUT_S", 0.05)
    world.dsn = "postgresql://127.0.0.1:1/none"
    task_id = world.start()
    async with world.lane() as lane:
        await world.put(lane, task_id, 0, attempt=0)
        stored = lane.when_stored({(task_id, 0)})
    assert stored.cancelled()


# ---------------------------------------------------------------------- another owner


async def own(world: World) -> int:
    """A node takes the shard; its epoch."""
    epoch: int = await world.rows.connection.fetchval(
        "update shard set epoch = epoch + 1 returning epoch"
    )
    return epoch


async def test_a_former_owner_stores_nothing_any_more(world: World) -> None:
    """Its chunks were sent again, and the new owner has stored them."""
    task_id = world.start()
    world.epoch = await own(world)
    async with world.lane() as old:
        await world.put(old, task_id, 0, attempt=0)
        await old.when_stored({(task_id, 0)})
        new_world = world.beside(epoch=await own(world))
        async with new_world.lane() as new:
            await world.put(new, task_id, 0, 1, 2, attempt=0, again=True)
            await new.settle(task_id)
            await world.put(old, task_id, 1, attempt=0)  # was on its way
            stored = old.when_stored({(task_id, 0)})
            async with asyncio.timeout(10):
                await asyncio.wait({stored})
            assert stored.cancelled()  # so nobody takes it for stored
            assert (old.dropped, old.waiting) == (1, 0)
            await world.put(new, task_id, 3, attempt=0)
            await new.settle(task_id)
            # The former one becomes the owner again: it has forgotten what it knew.
            world.epoch = await own(world)
            await world.put(old, task_id, 0, 1, 2, 3, 4, attempt=0, again=True)
            await old.when_stored({(task_id, 0)})
    assert await world.all(task_id) == [f":{index}" for index in range(5)]


async def test_a_look_at_the_table_finds_out_about_another_owner(world: World) -> None:
    task_id, other = world.start(), world.start()
    world.epoch = await own(world)
    async with world.lane() as lane:
        await world.put(lane, task_id, 0, attempt=0)
        await lane.when_stored({(task_id, 0)})
        await own(world)
        world.epoch = await own(world)
        with pytest.raises(Refused) as caught:
            await world.put(lane, other, 0, attempt=0, again=True)
        assert caught.value.code is Code.UNAVAILABLE
        await world.put(lane, other, 0, attempt=0, again=True)
        await lane.settle(other)
    assert await world.all(other) == [":0"]


async def test_an_owner_that_comes_back_at_once_keeps_its_chunks(world: World) -> None:
    """The database was away: nobody else has owned the shard in between."""
    task_id = world.start()
    world.epoch = await own(world)
    lane = world.new_lane()
    await world.put(lane, task_id, 0, 1, attempt=0)
    world.epoch = await own(world)
    await lane.start()
    await world.put(lane, task_id, 1, 2, attempt=0, again=True)
    await lane.when_stored({(task_id, 0)})
    world.epoch = await own(world)
    await world.put(lane, task_id, 2, 3, attempt=0, again=True)
    await lane.stop()
    assert (lane.dropped, lane.repeated) == (0, 2)
    assert await world.all(task_id) == [f":{index}" for index in range(4)]


async def test_what_was_taken_before_another_owner_is_given_up(world: World) -> None:
    task_id = world.start()
    world.epoch = await own(world)
    lane = world.new_lane()
    await world.put(lane, task_id, 0, 2, attempt=0)  # one in the queue, one held
    stored = lane.when_stored({(task_id, 0)})
    await own(world)
    world.epoch = await own(world)
    await lane.start()
    async with asyncio.timeout(10):
        await asyncio.wait({stored})
    assert (stored.cancelled(), lane.dropped, lane.waiting) == (True, 2, 0)
    await world.put(lane, task_id, 0, 1, 2, attempt=0, again=True)
    await lane.when_stored({(task_id, 0)})
    await lane.stop()
    assert await world.all(task_id) == [":0", ":1", ":2"]
