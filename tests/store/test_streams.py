"""The lane of stream chunks and its readers: order, resuming, bounds, lost connections."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from uuid import uuid4

import asyncpg
import pytest

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.domain.states import Status, TaskKind
from hatchet_engine.observe import chunk_queue, chunk_store, stream_lane, stream_reader
from hatchet_engine.observe.chunk_order import HOLD_MS
from hatchet_engine.observe.chunk_store import ChunkStore
from hatchet_engine.observe.stream_lane import CHUNK_BYTES_MAX, StreamLane
from hatchet_engine.observe.stream_reader import ChunkReader
from hatchet_engine.observe.task_runs import TaskRuns
from hatchet_engine.sessions.watchers import RunWatchers
from hatchet_engine.store import partitions, streams
from hatchet_engine.store.streams import Chunk
from tests.support.rows import NOW_MS, Rows
from tests.support.stream_world import World, rest


class Reading:
    """A watcher that reads a run's stream."""

    def __init__(self, reader: ChunkReader) -> None:
        self.reader = reader
        self.delivered = 0

    def deliver_events(self, events: Sequence[object]) -> None: ...

    def deliver_chunks(self, chunks: Sequence[Chunk]) -> None:
        self.delivered += len(chunks)
        self.reader.deliver(chunks)


@pytest.fixture
async def world(database: str) -> AsyncIterator[World]:
    rows = await Rows.open(database)
    pool = await asyncpg.create_pool(database, min_size=1, max_size=2)
    yield World(rows, pool, {}, RunWatchers(), database)
    await pool.close()
    await rows.close()


async def test_chunks_are_kept_in_their_order(world: World) -> None:
    run_id = world.rows.ids.new(NOW_MS)
    first, second = world.start(run_id), world.start(run_id)
    async with world.lane() as lane:
        await world.put(lane, first, 1, 0, 2)
        await world.put(lane, second, 0)
        await world.put(lane, first, 3)
        await lane.settle(run_id)
        assert await world.all(run_id) == [":0", ":1", ":2", ":0", ":3"]
        assert (lane.stored, lane.dropped, lane.waiting) == (5, 0, 0)


async def test_a_retry_begins_again(world: World) -> None:
    task_id = world.start()
    async with world.lane() as lane:
        await world.put(lane, task_id, 0, 2)  # 1 never comes
        world.running[task_id].attempt = 1
        await world.put(lane, task_id, 1, 0)  # the official call names no attempt
        await world.put(lane, task_id, 3, attempt=0)  # a straggler
        await lane.settle(task_id)
        rows = await world.rows.connection.fetch(
            "select attempt, index from stream_chunk where run_id = $1 order by id", task_id
        )
    assert [tuple(row) for row in rows] == [(0, 0), (0, 2), (1, 0), (1, 1), (0, 3)]


async def test_a_gap_is_given_up_in_time(world: World) -> None:
    task_id = world.start()
    async with world.lane() as lane:
        await world.put(lane, task_id, 2, 1)
        assert lane.has_gap(task_id)
        world.now_ms += HOLD_MS
        await world.put(lane, world.start(), 0)  # wakes the lane; time would, in real life
        async with asyncio.timeout(10):
            while lane.waiting:
                await asyncio.sleep(0.005)
        assert not lane.has_gap(task_id)
        assert await world.all(task_id) == [":1", ":2"]


async def test_the_end_of_one_task_leaves_the_gaps_of_others(world: World) -> None:
    run_id = world.rows.ids.new(NOW_MS)
    first, second = world.start(run_id), world.start(run_id)
    async with world.lane() as lane:
        await world.put(lane, first, 5)
        await world.put(lane, second, 7)
        await lane.settle(run_id, first)
        assert await world.all(run_id) == [":5"]
        await lane.settle(run_id)
        assert await world.all(run_id) == [":5", ":7"]
        assert not lane.has_waiting(run_id)


async def test_readers_from_any_position_see_everything_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers join, go and come back at random while chunks come; small pages and buffers."""
    monkeypatch.setattr(stream_reader, "PAGE_CHUNKS_MAX", 7)
    monkeypatch.setattr(stream_reader, "LIVE_CHUNKS_MAX", 10)
    dice = random.Random(5)
    task_id, count = world.start(), 600
    expected = [f":{index}" for index in range(count)]

    async def read(lane: StreamLane) -> list[str]:
        seen: list[str] = []
        while len(seen) < count:
            reader = ChunkReader(world.pool, world.rows.tenant_id, task_id, len(seen))
            reading = Reading(reader)
            world.watchers.watch_run(world.rows.tenant_id, task_id, reading)
            for _ in range(dice.randrange(1, 30)):
                seen += [chunk.data.decode() for chunk in await reader.take()]
                assert reader.position == len(seen)
                await asyncio.sleep(dice.choice((0, 0, 0.001)))
            world.watchers.unwatch(reading)
        return seen

    async with world.lane() as lane, asyncio.timeout(30):
        readers = [asyncio.create_task(read(lane)) for _ in range(5)]
        for start in range(0, count, 10):
            indexes = list(range(start, start + 10))
            dice.shuffle(indexes)
            await world.put(lane, task_id, *indexes)
            await asyncio.sleep(dice.choice((0, 0.002)))
        readers.append(asyncio.create_task(read(lane)))
        for seen in await asyncio.gather(*readers):
            assert seen == expected


async def test_live_chunks_need_no_reading(world: World) -> None:
    task_id = world.start()
    reader = ChunkReader(world.pool, world.rows.tenant_id, task_id)
    reading = Reading(reader)
    world.watchers.watch_run(world.rows.tenant_id, task_id, reading)
    async with world.lane() as lane:
        assert await reader.take() == []
        await world.put(lane, task_id, 0, 1)
        await lane.settle(task_id)
        assert reading.delivered == 2
        await world.rows.connection.execute("truncate stream_chunk")
        assert await rest(reader) == [":0", ":1"]


async def test_pages_are_bounded_by_bytes(world: World) -> None:
    task_id = world.start()
    async with world.lane() as lane:
        for index in range(4):
            await lane.put(world.rows.tenant_id, task_id, b"x" * 100, index, 0)
        await lane.settle(task_id)
    for bytes_max, found in ((1, 1), (100, 1), (101, 2), (1_000, 4)):
        page = await streams.page(
            world.pool, world.rows.tenant_id, task_id, streams.before_run(task_id), 10, bytes_max
        )
        assert len(page) == found


async def test_ended_tasks_are_found_by_their_rows(world: World) -> None:
    """After a restart, and for chunks that come late, memory knows nothing."""
    workflow = await world.rows.workflow()
    run_id = await world.rows.run(workflow, Status.COMPLETED, kind=TaskKind.DAG)
    member = await world.rows.run(
        workflow, Status.FAILED, kind=TaskKind.MEMBER, run_id=run_id, attempt=2
    )
    task_runs = TaskRuns(world.running.get, world.pool)
    assert await task_runs.find(world.rows.tenant_id, member) == (run_id, 2)
    assert await task_runs.find(world.rows.tenant_id, run_id) is None  # a DAG run is no task
    assert await task_runs.find(uuid4(), member) is None
    async with world.lane() as lane:
        await world.put(lane, member, 0)
        await lane.settle(run_id)
        assert await world.all(run_id) == [":0"]
        (row,) = await world.rows.connection.fetch("select * from stream_chunk")
        assert (row["attempt"], row["task_id"], row["tenant_id"]) == (
            2,
            member,
            world.rows.tenant_id,
        )


async def test_a_stream_goes_on_after_a_restart_of_the_engine(world: World) -> None:
    task_id = world.start()
    async with world.lane() as lane:
        await world.put(lane, task_id, 0, 1, 2)
    world.now_ms += 1
    async with world.lane() as lane:
        await world.put(lane, task_id, 3, 4)
        assert not lane.has_gap(task_id)
        await lane.settle(task_id)
    assert await world.all(task_id) == [f":{index}" for index in range(5)]
    assert await world.all(task_id, skip=3) == [":3", ":4"]


async def test_unknown_tasks_and_those_of_others_are_not_found(world: World) -> None:
    task_id = world.start()
    async with world.lane() as lane:
        await world.put(lane, task_id, 0)
        for tenant_id, id in ((world.rows.tenant_id, uuid4()), (uuid4(), task_id)):
            with pytest.raises(Refused) as caught:
                await lane.put(tenant_id, id, b"x", 0, 0)
            assert caught.value.code is Code.NOT_FOUND
        await lane.settle(task_id)
    assert await world.all(task_id) == [":0"]
    other = ChunkReader(world.pool, uuid4(), task_id)
    assert await other.take() == []


async def test_another_node_keeps_out_of_the_order(world: World) -> None:
    workflow = await world.rows.workflow()
    run_id = await world.rows.run(workflow, Status.RUNNING)
    world.owner = False
    async with world.lane() as lane:
        with pytest.raises(Refused) as caught:
            await world.put(lane, run_id, 0)
        assert caught.value.code is Code.UNAVAILABLE


async def test_the_size_of_a_chunk_is_bounded(world: World) -> None:
    task_id = world.start()
    async with world.lane() as lane:
        await lane.put(world.rows.tenant_id, task_id, b"x" * CHUNK_BYTES_MAX, 0, 0)
        with pytest.raises(Refused, match="put it in pieces") as caught:
            await lane.put(world.rows.tenant_id, task_id, b"x" * (CHUNK_BYTES_MAX + 1), 1, 0)
        assert caught.value.code is Code.INVALID_ARGUMENT
        await lane.settle(task_id)
        assert lane.stored == 1


@pytest.mark.parametrize(("bound", "most"), [("QUEUE_CHUNKS_MAX", 3), ("QUEUE_BYTES_MAX", 6)])
async def test_a_full_queue_makes_its_callers_wait(
    world: World, monkeypatch: pytest.MonkeyPatch, bound: str, most: int
) -> None:
    monkeypatch.setattr(chunk_queue, bound, most)
    task_id = world.start()
    lane = world.new_lane()  # not started: nothing leaves the queue
    await world.put(lane, task_id, 0, 1, 2)
    fourth = asyncio.create_task(world.put(lane, task_id, 3, 4))
    await asyncio.sleep(0.01)
    assert (lane.waiting, fourth.done()) == (3, False)
    await lane.start()
    await fourth
    await lane.settle(task_id)
    assert await world.all(task_id) == [f":{index}" for index in range(5)]
    await lane.stop()
    assert lane.dropped == 0


async def test_a_lost_connection_loses_and_repeats_nothing(world: World) -> None:
    task_id = world.start()
    async with world.lane() as lane:
        for start in range(0, 500, 100):
            await world.put(lane, task_id, *range(start, start + 100))
            await world.rows.connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'hatchet streams' and datname = current_database()"
            )
            await asyncio.sleep(0.01)
        async with asyncio.timeout(10):
            await lane.settle(task_id)
        assert lane.dropped == 0
    assert await world.all(task_id) == [f":{index}" for index in range(500)]


async def test_a_batch_whose_answer_was_lost_is_not_stored_twice(world: World) -> None:
    store = ChunkStore(world.dsn, lambda: 0)
    run_id = world.start()
    batch = [
        Chunk(world.rows.tenant_id, run_id, run_id, 0, n, b"x", world.rows.ids.new(NOW_MS))
        for n in range(10)
    ]
    assert await store.store(batch[2:5]) == batch[2:5]
    assert await store.store(batch) == batch
    assert await world.rows.connection.fetchval("select count(*) from stream_chunk") == 10
    await store.close()


async def test_what_postgres_refuses_is_dropped_alone(world: World) -> None:
    task_id = world.start()
    async with world.lane() as lane:
        await world.put(lane, task_id, 0, 1)
        await lane.put(world.rows.tenant_id, task_id, b"x", None, 2**40)  # no integer of Postgres
        await world.put(lane, task_id, None, attempt=2**31 - 1)
        await lane.settle(task_id)
        assert (lane.stored, lane.dropped) == (3, 1)


async def test_stop_stores_what_waits_and_what_is_held(world: World) -> None:
    task_id = world.start()
    async with world.lane() as lane:
        await world.put(lane, task_id, 0, 2)
    assert await world.all(task_id) == [":0", ":2"]
    with pytest.raises(Refused) as caught:
        await world.put(lane, task_id, 3)
    assert caught.value.code is Code.UNAVAILABLE


async def test_stop_ends_in_time_without_a_database(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_lane, "STOP_TIMEOUT_S", 0.1)
    monkeypatch.setattr(chunk_store, "RETRY_S_MIN", 0.01)
    world.dsn = "postgresql://127.0.0.1:1/none"
    task_id = world.start()
    async with world.lane() as lane:
        await world.put(lane, task_id, 0)
        settling = asyncio.create_task(lane.settle(task_id))
        await asyncio.sleep(0.05)
    assert lane.dropped == 1
    await settling


async def test_forgotten_streams_are_met_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_lane, "ATTEMPTS_KEPT_MAX", 2)
    tasks = [world.start() for _ in range(4)]
    async with world.lane() as lane:
        for index in range(3):
            for task_id in tasks:
                await world.put(lane, task_id, index)
                await lane.settle(task_id)
        for task_id in tasks:
            assert await world.all(task_id) == [":0", ":1", ":2"]


async def test_retention_drops_streams_by_day(world: World) -> None:
    task_id = world.start()
    async with world.lane() as lane:
        await world.put(lane, task_id, 0)
        await lane.settle(task_id)
    connection = world.rows.connection
    day_ms = partitions.DAY_MS
    await partitions.drop_before(connection, (NOW_MS // day_ms) * day_ms)
    assert await world.all(task_id) == [":0"]
    dropped = await partitions.drop_before(connection, (NOW_MS // day_ms + 1) * day_ms)
    assert any(name.startswith("stream_chunk_p") for name in dropped)
    assert await world.all(task_id) == []


async def test_the_end_of_a_run(world: World) -> None:
    workflow = await world.rows.workflow()
    ended = await world.rows.run(workflow, Status.CANCELLED)
    running = await world.rows.run(workflow, Status.RUNNING)
    found = await streams.run_end(world.pool, world.rows.tenant_id, ended)
    assert found is not None
    assert found.status == Status.CANCELLED
    assert await streams.run_end(world.pool, world.rows.tenant_id, running) is None
