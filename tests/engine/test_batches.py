"""Batches: when one is made, and of whom (BA-1 to BA-5)."""

from __future__ import annotations

from hatchet_engine.domain.states import EventKind, Status
from hatchet_engine.turn.batches import BATCH_BYTES_MAX, MEMBER_BYTES
from tests.support.batches import ids, put, sizes
from tests.support.engine import Harness
from tests.support.rules import events, outcome


async def test_ba_1_a_batch_tells_its_members_key_and_reason(h: Harness) -> None:
    await put(h, group_key="input.k")
    worker = await h.worker()
    runs = [(await h.trigger(input=f'{{"k":"a","n":{n}}}'))[0] for n in range(3)]
    (batch,) = worker.batches
    assert ids(batch) == runs
    assert (batch.key, batch.action) == ("a", "hello:hello")
    assert batch.reason == "the batch has reached its size of 3"
    assert [one.input for one in batch.members] == [f'{{"k":"a","n":{n}}}' for n in range(3)]
    await worker.complete_batch(batch)
    assert [(await h.result(run)).status for run in runs] == [Status.COMPLETED] * 3


async def test_ba_2_events_of_a_member(h: Harness) -> None:
    await put(h)
    await h.worker()
    (first,) = await h.trigger()
    second, third = await h.trigger(count=2)
    assert await events(h, first) == [EventKind.WAITING_FOR_BATCH, EventKind.BATCH_FLUSHED]
    assert await events(h, second) == [EventKind.BATCH_FLUSHED]
    (row,) = await h.fetch("select * from task_event where task_id = $1", third)
    assert row["message"] == "In a batch of 3: the batch has reached its size of 3"


async def test_ba_3_by_size(h: Harness) -> None:
    await put(h)
    worker = await h.worker()
    await h.trigger(count=7)
    assert sizes(worker) == [3, 3]
    await h.advance(199)
    assert sizes(worker) == [3, 3]
    await h.advance(1)
    assert sizes(worker) == [3, 3, 1]


async def test_ba_3_by_interval_since_the_first(h: Harness) -> None:
    await put(h)
    worker = await h.worker()
    await h.trigger()
    await h.advance(150)
    await h.trigger()
    await h.advance(49)
    assert sizes(worker) == []
    await h.advance(1)
    assert sizes(worker) == [2]
    assert worker.batches[0].reason == "the interval of 200ms has passed"
    await h.trigger()  # a new first one
    await h.advance(199)
    assert sizes(worker) == [2]
    await h.advance(1)
    assert sizes(worker) == [2, 1]


async def test_ba_3_the_interval_begins_anew_with_a_flush(h: Harness) -> None:
    await put(h)
    worker = await h.worker()
    await h.trigger(count=2)
    await h.advance(100)
    await h.trigger(count=2)
    assert sizes(worker) == [3]
    await h.advance(199)
    assert sizes(worker) == [3]
    await h.advance(1)
    assert sizes(worker) == [3, 1]


async def test_ba_3_100_items_of_100_000_bytes_are_3_batches(h: Harness) -> None:
    await put(h, max_size=1_000, interval_ms=1_000)
    worker = await h.worker()
    for _ in range(100):
        await h.trigger(input=f'{{"data":"{"x" * 100_000}"}}')
    await h.advance(1_000)
    assert sizes(worker) == [39, 39, 22]
    for batch in worker.batches:
        assert sum(len(one.input) for one in batch.members) <= BATCH_BYTES_MAX


async def test_ba_3_bytes_at_the_edge(h: Harness) -> None:
    await put(h, max_size=10, interval_ms=1_000)
    worker = await h.worker()
    half = BATCH_BYTES_MAX // 2 - MEMBER_BYTES
    fits = f'{{"data":"{"x" * (half - 11)}"}}'
    await h.trigger(input=fits)
    await h.trigger(input=fits)
    assert sizes(worker) == []  # exactly as much as a batch holds
    await h.trigger()
    assert sizes(worker) == [2]
    await h.advance(1_000)
    assert sizes(worker) == [2, 1]


async def test_ba_3_one_that_is_too_large_goes_alone(h: Harness) -> None:
    await put(h, max_size=10, interval_ms=1_000)
    worker = await h.worker()
    await h.trigger(input=f'{{"data":"{"x" * 4_050_000}"}}')
    assert sizes(worker) == [1]
    await h.trigger()
    await h.advance(1_000)
    assert sizes(worker) == [1, 1]


async def test_ba_3_characters_count_as_bytes(h: Harness) -> None:
    await put(h, max_size=10, interval_ms=1_000)
    worker = await h.worker()
    await h.trigger(input=f'{{"data":"{"ä" * 1_000_001}"}}')
    assert sizes(worker) == []
    await h.trigger(input=f'{{"data":"{"ä" * 1_000_001}"}}')
    assert sizes(worker) == [1]


async def test_ba_4_groups_are_independent(h: Harness) -> None:
    await put(h, max_size=2, group_key="input.k")
    worker = await h.worker()
    for key in ("a", "b", "a", "b", "c"):
        await h.trigger(input=f'{{"k":"{key}"}}')
    assert [(batch.key, len(batch.members)) for batch in worker.batches] == [("a", 2), ("b", 2)]
    await h.advance(200)
    assert worker.batches[-1].key == "c"


async def test_ba_4_group_max_runs(h: Harness) -> None:
    await put(h, max_size=2, group_key="input.k", group_max_runs=1)
    worker = await h.worker()
    for key in "aaaaab":
        await h.trigger(input=f'{{"k":"{key}"}}')
    await h.advance(200)
    assert [batch.key for batch in worker.batches] == ["a", "b"]
    await worker.complete(worker.batches[0].members[0])
    assert len(worker.batches) == 2  # a member of it still runs
    await worker.complete(worker.batches[0].members[1])
    assert [batch.key for batch in worker.batches] == ["a", "b", "a"]
    await worker.complete_batch(worker.batches[2])
    await h.advance(200)
    assert sizes(worker) == [2, 1, 2, 1]


async def test_ba_5_a_bad_group_key_fails_only_that_run(h: Harness) -> None:
    await put(h, max_size=2, group_key="input.k")
    worker = await h.worker()
    (good,) = await h.trigger(input='{"k":"a"}')
    (bad,) = await h.trigger(input='{"k":7}')
    (missing,) = await h.trigger(input="{}")
    (long,) = await h.trigger(input=f'{{"k":"{"x" * 2_001}"}}')
    (other,) = await h.trigger(input='{"k":"a"}')
    for run in (bad, missing, long):
        row = await outcome(h, run)
        assert row["status"] == Status.FAILED
        assert "failed to parse batch group key expression" in row["error"]
    assert ids(worker.batches[0]) == [good, other]


async def test_ba_5_the_longest_group_key(h: Harness) -> None:
    await put(h, max_size=2, group_key="input.k")
    worker = await h.worker()
    await h.trigger(input=f'{{"k":"{"x" * 2_000}"}}')
    await h.restart()
    await worker.open()
    await h.advance(200)
    assert worker.batches[0].key == "x" * 2_000
