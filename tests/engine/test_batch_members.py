"""What happens to the members of a batch: reports, cancels, timeouts, lost workers, restarts."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hatchet_engine.domain.states import Status
from hatchet_engine.turn.commands import (
    LeaveWorker,
    RefreshTimeout,
    ReleaseSlot,
    Report,
    ReportKind,
    ReportTasks,
)
from hatchet_engine.turn.deliveries import AssignedBatch
from tests.support.batches import ids, put, sizes
from tests.support.engine import TENANT, Harness
from tests.support.invariants import check_all, check_recovery
from tests.support.rules import cancel, outcome, pass_time, status
from tests.support.stored_invariants import check_stored


async def report(
    h: Harness,
    batch: AssignedBatch,
    kind: ReportKind,
    payload: str = "",
    positions: Sequence[int] | None = None,
) -> None:
    """As official SDKs do it: by the id of the batch, and with attempt 0."""
    chosen = range(len(batch.members)) if positions is None else positions
    reports = [
        Report(batch.members[at].task_id, 0, kind, payload, batch_id=batch.id) for at in chosen
    ]
    await h.engine.submit(ReportTasks(TENANT, reports))


async def test_ba_7_reports_by_the_id_of_the_batch(h: Harness) -> None:
    await put(h, retries=1)
    worker = await h.worker()
    runs = await h.trigger(count=3)
    (first,) = worker.batches
    await report(h, first, ReportKind.STARTED)
    await report(h, first, ReportKind.COMPLETED, '{"n":1}', [0])
    await report(h, first, ReportKind.FAILED, "boom", [1, 2])
    assert (await h.result(runs[0])).tasks[0].output == '{"n":1}'
    await h.advance(200)
    _, second = worker.batches
    assert [(one.task_id, one.attempt) for one in second.members] == [(runs[1], 1), (runs[2], 1)]
    # Of the batch before: changes nothing, although both say attempt 0.
    await report(h, first, ReportKind.COMPLETED, '{"n":2}', [1, 2])
    assert await status(h, runs[1]) is Status.RUNNING
    await report(h, second, ReportKind.COMPLETED, '{"n":3}')
    assert (await h.result(runs[1])).tasks[0].output == '{"n":3}'


async def test_ba_7_members_cancelled_by_the_worker(h: Harness) -> None:
    await put(h)
    worker = await h.worker()
    runs = await h.trigger(count=3)
    await report(h, worker.batches[0], ReportKind.CANCELLED)
    assert [await status(h, run) for run in runs] == [Status.CANCELLED] * 3


async def test_ba_8_failed_members_go_through_the_buffer(h: Harness) -> None:
    await put(h, retries=1)
    worker = await h.worker()
    runs = await h.trigger(count=3)
    for one in worker.batches[0].members[1:]:
        await worker.fail(one)
    await worker.complete(worker.batches[0].members[0])
    assert sizes(worker) == [3]
    (new,) = await h.trigger()
    assert ids(worker.batches[1]) == [runs[1], runs[2], new]  # BA-9: what has run before goes first
    assert [one.attempt for one in worker.batches[1].members] == [1, 1, 0]


async def test_ba_8_members_in_backoff_come_back_one_by_one(h: Harness) -> None:
    await put(h, retries=1, backoff_factor=2.0, backoff_max_s=60)
    worker = await h.worker()
    await h.trigger(count=3)
    await worker.fail(worker.started[0])
    await worker.fail(worker.started[1], retry_after_ms=5_000)
    await worker.complete(worker.started[2])
    await h.advance(2_000)
    await h.advance(200)
    assert sizes(worker) == [3, 1]
    await h.advance(2_800)
    await h.advance(200)
    assert sizes(worker) == [3, 1, 1]


async def test_ba_8_cancelling_a_running_member(h: Harness) -> None:
    await put(h)
    worker = await h.worker(slots=1)
    runs = await h.trigger(count=6)
    assert await cancel(h, runs[0]) == [runs[0]]
    (notice,) = worker.cancels
    assert notice.task_id == runs[0]
    assert sizes(worker) == [3]  # the others keep the slot
    for one in worker.batches[0].members[1:]:
        await worker.complete(one)
    assert sizes(worker) == [3, 3]
    assert await status(h, runs[1]) is Status.COMPLETED


async def test_cx_8_cancelling_a_buffered_task(h: Harness) -> None:
    await put(h)
    worker = await h.worker()
    first, second = await h.trigger(count=2)
    assert await cancel(h, first) == [first]
    assert await status(h, first) is Status.CANCELLED
    await h.trigger()
    assert sizes(worker) == []
    await h.advance(200)
    assert sizes(worker) == [2]
    assert worker.batches[0].members[0].task_id == second


async def test_ba_12_schedule_timeout_while_buffered(h: Harness) -> None:
    await put(h, interval_ms=60_000, schedule_timeout_ms=1_000)
    worker = await h.worker()
    (run,) = await h.trigger()
    await h.advance(1_000)
    assert await status(h, run) is Status.CANCELLED
    (late,) = await h.trigger()
    await pass_time(h, 999, worker)
    await h.trigger(count=2)
    assert ids(worker.batches[0])[0] == late


async def test_sl_6_a_batch_takes_one_slot(h: Harness) -> None:
    await put(h)
    await h.put("plain")
    worker = await h.worker("hello", "plain", slots=2)
    await h.trigger(count=3)
    plain = await h.trigger("plain", count=2)
    assert [one.task_id for one in worker.started[3:]] == plain[:1]
    for one in worker.batches[0].members[:2]:
        await worker.complete(one)
    assert len(worker.started) == 4
    await worker.complete(worker.batches[0].members[2])
    assert worker.started[-1].task_id == plain[1]


async def test_sl_9_a_batch_gives_its_slot_back(h: Harness) -> None:
    await put(h)
    worker = await h.worker(slots=1)
    await h.trigger(count=6)
    assert sizes(worker) == [3]
    await h.engine.submit(ReleaseSlot(TENANT, worker.started[1].task_id))
    assert sizes(worker) == [3, 3]
    await h.engine.submit(ReleaseSlot(TENANT, worker.started[0].task_id))
    await check_all(h.engine, h.pool)
    await h.restart()
    await check_all(h.engine, h.pool)


async def test_sl_6_slots_are_shared_fairly_with_other_queues(h: Harness) -> None:
    await put(h, max_size=2)
    await h.put("plain")
    worker = await h.worker("hello", "plain", slots=1)
    await h.trigger(count=20)
    await h.trigger("plain", count=10)
    order = []
    for _ in range(10):
        if len(worker.batches) > order.count("batch"):
            order.append("batch")
            await worker.complete_batch(worker.batches[-1])
        else:
            order.append("plain")
            await worker.complete(worker.started[-1])
    assert 4 <= order.count("batch") <= 6, order


async def test_ba_4_groups_take_turns(h: Harness) -> None:
    await put(h, max_size=2, group_key="input.k")
    worker = await h.worker(slots=1)
    await h.trigger(input='{"k":"a"}', count=10)
    await h.trigger(input='{"k":"b"}', count=4)
    for at in range(4):
        await worker.complete_batch(worker.batches[at])
    assert sorted(batch.key for batch in worker.batches[1:]) == ["a", "a", "b", "b"]


async def test_to_11_a_timeout_fails_all_members(h: Harness) -> None:
    await put(h, execution_timeout_ms=5_000)
    worker = await h.worker()
    runs = await h.trigger(count=3)
    await worker.complete(worker.started[0])
    await h.advance(5_000)
    assert await status(h, runs[0]) is Status.COMPLETED
    for run in runs[1:]:
        row = await outcome(h, run)
        assert row["status"] == Status.FAILED
        assert row["error"] == "Task failed due to batch timeout, exceeded timeout of 5s"
    assert len(worker.cancels) == 2


async def test_to_11_members_with_retries_go_on(h: Harness) -> None:
    await put(h, execution_timeout_ms=5_000, retries=1)
    worker = await h.worker()
    await h.trigger(count=3)
    await h.advance(5_000)
    assert sizes(worker) == [3, 3]
    assert [one.attempt for one in worker.batches[1].members] == [1, 1, 1]


async def test_to_10_a_later_deadline_counts_for_the_batch(h: Harness) -> None:
    await put(h, execution_timeout_ms=5_000)
    worker = await h.worker()
    runs = await h.trigger(count=3)
    await h.engine.submit(RefreshTimeout(TENANT, runs[1], 5_000))
    await pass_time(h, 9_999, worker)
    assert [await status(h, run) for run in runs] == [Status.RUNNING] * 3
    await h.advance(1)
    assert [await status(h, run) for run in runs] == [Status.FAILED] * 3


async def test_wk_9_a_lost_worker_loses_all_members(h: Harness) -> None:
    await put(h)
    first = await h.worker(protocol="session")
    runs = await h.trigger(count=3)
    await first.complete(first.started[0])
    second = await h.worker()
    await h.engine.submit(LeaveWorker(TENANT, first.id))
    await h.advance(200)
    assert ids(second.batches[0]) == runs[1:]
    assert [one.attempt for one in second.batches[0].members] == [1, 1]


async def test_ba_1_what_was_lost_on_the_way_is_delivered_again(h: Harness) -> None:
    await put(h, group_key="'k'")
    worker = await h.worker(protocol="session")
    await h.trigger(count=3)
    (batch,) = worker.batches
    await worker.complete(worker.started[0])
    await worker.open(held=[(one.task_id, 0) for one in batch.members[1:]])
    assert len(worker.batches) == 1
    await worker.open(held=[])
    again = worker.batches[1]
    assert (again.id, again.key) == (batch.id, "k")
    assert ids(again) == ids(batch)[1:]


async def test_restart_with_buffered_and_running_members(h: Harness) -> None:
    await put(h, max_size=2, group_key="input.k", group_max_runs=1)
    worker = await h.worker(slots=2)
    for key in "aaab":
        await h.trigger(input=f'{{"k":"{key}"}}')
    connection = h.engine._connection
    assert connection is not None
    await check_recovery(h.engine, connection)
    await h.advance(150)
    await h.restart()
    await check_all(h.engine, h.pool)
    await worker.open(held=[(one.task_id, 0) for one in worker.started])
    await h.advance(49)
    assert sizes(worker) == [2]
    await h.advance(1)  # the interval has gone on meanwhile
    assert [batch.key for batch in worker.batches] == ["a", "b"]
    await worker.complete_batch(worker.batches[0])
    await h.advance(200)
    assert [batch.key for batch in worker.batches] == ["a", "b", "a"]


async def test_stored_invariants_of_batches(h: Harness) -> None:
    await put(h, group_max_runs=2)
    worker = await h.worker(slots=2)
    await h.trigger(count=9)
    assert sizes(worker) == [3, 3]
    async with h.pool.acquire() as connection:
        await check_stored(connection)
        await connection.execute(
            "update assignment set released = true where task_id = $1", worker.started[0].task_id
        )
        with pytest.raises(AssertionError, match="share worker, step and slot"):
            await check_stored(connection)
        await connection.execute("update assignment set released = false")
