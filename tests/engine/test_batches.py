"""Batches (BA-*)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hatchet_engine.domain.definition import (
    BatchConfig,
    ConcurrencyRule,
    RateLimitUse,
    TaskDefinition,
)
from hatchet_engine.domain.errors import Code
from hatchet_engine.domain.labels import DesiredLabel
from hatchet_engine.domain.states import EventKind, Status
from hatchet_engine.turn import gather, lines
from hatchet_engine.turn.batches import BATCH_BYTES_MAX, MEMBER_BYTES
from hatchet_engine.turn.commands import (
    ChangeWorker,
    LeaveWorker,
    Pause,
    PauseKind,
    PutRateLimit,
    RefreshTimeout,
    ReleaseSlot,
    Report,
    ReportKind,
    ReportTasks,
    Resume,
)
from hatchet_engine.turn.deliveries import AssignedBatch
from tests.support.engine import TENANT, FakeWorker, Harness
from tests.support.invariants import check_all, check_recovery
from tests.support.rules import cancel, events, outcome, pass_time, refused, replay, status
from tests.support.stored_invariants import check_stored


async def put(h: Harness, name: str = "hello", **options: object) -> None:
    """A batch task; options of the batch by their names, all others are those of the task."""
    names = BatchConfig.__dataclass_fields__
    batch = {key: value for key, value in options.items() if key in names}
    task = {key: value for key, value in options.items() if key not in names}
    batch.setdefault("max_size", 3)
    batch.setdefault("interval_ms", 200)
    await h.put(name, batch=BatchConfig(**batch), **task)  # type: ignore[arg-type]


def sizes(worker: FakeWorker) -> list[int]:
    return [len(batch.members) for batch in worker.batches]


def ids(batch: AssignedBatch) -> list[object]:
    return [one.task_id for one in batch.members]


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


async def test_members_behind_the_window_are_read(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LINE_WINDOW_MAX", 10)
    await put(h, max_size=50, interval_ms=1_000)
    runs = await h.trigger(count=240)
    worker = await h.worker()
    await h.settle()
    assert sizes(worker) == [50, 50, 50, 50]
    await h.advance(1_000)
    assert sizes(worker) == [50, 50, 50, 50, 40]
    assert [one.task_id for one in worker.started] == runs


async def test_members_behind_the_window_are_read_after_a_restart(h: Harness) -> None:
    await put(h, max_size=300, interval_ms=1_000)
    runs = await h.trigger(count=700)
    await h.restart()
    worker = await h.worker()
    await h.advance(1_000)
    await h.advance(1_000)
    assert sizes(worker) == [300, 300, 100]
    assert [one.task_id for one in worker.started] == runs


async def test_rl_17_units_are_taken_before_the_buffer(h: Harness) -> None:
    await h.engine.submit(PutRateLimit(TENANT, "api", 2, "SECOND"))
    await put(h, interval_ms=10_000, rate_limits=[RateLimitUse("api", 1)])
    worker = await h.worker()
    runs = await h.trigger(count=4)
    assert EventKind.WAITING_FOR_BATCH in await events(h, runs[1])
    assert EventKind.REQUEUED_RATE_LIMIT in await events(h, runs[2])
    assert sizes(worker) == []
    await h.advance(1_000)
    assert sizes(worker) == [3]
    assert ids(worker.batches[0]) == runs[:3]


async def test_members_of_a_concurrency_key(h: Harness) -> None:
    await put(h, concurrency=[ConcurrencyRule("input.k", 2, "GROUP_ROUND_ROBIN")])
    worker = await h.worker()
    await h.trigger(input='{"k":"a"}', count=3)
    await h.advance(200)
    assert sizes(worker) == [2]
    await worker.complete(worker.started[0])
    await h.advance(200)
    assert sizes(worker) == [2, 1]


async def test_ro_9_only_labels_of_the_definition_count(h: Harness) -> None:
    await put(h, labels={"gpu": DesiredLabel("yes", required=True)})
    plain = await h.worker(labels={"gpu": "no"})
    fit = await h.worker(labels={"gpu": "yes"})
    await h.trigger(count=3, desired_labels={"gpu": DesiredLabel("no", required=True)})
    assert sizes(plain) == []
    assert sizes(fit) == [3]


async def test_reg_24_a_pause_holds_the_buffer(h: Harness) -> None:
    await put(h)
    worker = await h.worker()
    runs = await h.trigger(count=2)
    workflow_id = str(h.engine.hot.definitions.latest[TENANT, "hello"].workflow_id)
    await h.engine.submit(Pause(TENANT, PauseKind.WORKFLOW, workflow_id))
    runs += await h.trigger(count=2)
    await pass_time(h, 400_000, worker)
    assert sizes(worker) == []
    assert [await status(h, run) for run in runs] == [Status.QUEUED] * 4
    await h.engine.submit(Resume(TENANT, PauseKind.WORKFLOW, workflow_id))
    await h.advance(200)
    assert sizes(worker) == [3, 1]


async def test_a_replay_goes_through_the_buffer(h: Harness) -> None:
    await put(h)
    worker = await h.worker()
    runs = await h.trigger(count=3)
    await worker.complete_batch(worker.batches[0])
    await replay(h, runs[1])
    await h.advance(200)
    assert [(one.task_id, one.attempt) for one in worker.batches[1].members] == [(runs[1], 1)]


async def test_a_worker_that_comes_later_gets_what_is_ripe(h: Harness) -> None:
    await put(h)
    await h.trigger(count=2)
    await h.advance(200)
    await h.trigger(count=2)
    worker = await h.worker()
    assert sizes(worker) == [3]


async def test_the_last_of_the_buffer_is_cancelled(h: Harness) -> None:
    await put(h)
    (run,) = await h.trigger()
    await cancel(h, run)
    await h.advance(1_000)
    assert len(h.engine.hot.batches) == 0
    assert not h.engine.hot.lines.by_id


@pytest.mark.parametrize(("field", "most"), [("max_size", 100_000), ("interval_ms", 86_400_000)])
async def test_batch_options_at_their_edges(h: Harness, field: str, most: int) -> None:
    for value in (1, most):
        await put(h, **{field: value})
    for value in (0, most + 1):
        with refused(Code.INVALID_ARGUMENT, field, str(most)):
            await put(h, **{field: value})


async def test_group_max_runs_at_its_edges(h: Harness) -> None:
    for value in (1, 10_000):
        await put(h, group_max_runs=value)
    for value in (0, 10_001):
        with refused(Code.INVALID_ARGUMENT, "group_max_runs", "10000"):
            await put(h, group_max_runs=value)


async def test_a_durable_task_is_no_batch_task(h: Harness) -> None:
    with refused(Code.INVALID_ARGUMENT, "durable"):
        await put(h, durable=True)


async def _of_two_workers(h: Harness, **batch: int) -> tuple[FakeWorker, FakeWorker]:
    """A HARD workflow, and two workers for it."""
    config = BatchConfig(**{"max_size": 2, "interval_ms": 200, **batch})
    task = TaskDefinition(name="hello", action="hello:hello", batch=config)
    await h.put_dag("hello", task, sticky="HARD")
    return await h.worker(), await h.worker()


async def test_ba_9_others_need_not_wait_for_a_worker_that_is_away(h: Harness) -> None:
    away, here = await _of_two_workers(h)
    await h.engine.submit(ChangeWorker(TENANT, away.id, paused=True))
    bound = await h.trigger(count=2, desired_worker_id=away.id)
    assert await events(h, bound[0]) == [EventKind.REQUEUED_NO_WORKER]
    free = await h.trigger(count=3)
    assert [ids(batch) for batch in here.batches] == [free[:2]]
    await h.advance(200)
    assert [ids(batch) for batch in here.batches] == [free[:2], free[2:]]
    assert away.batches == []
    await check_recovery(h.engine, h.pool)
    await h.engine.submit(ChangeWorker(TENANT, away.id, paused=False))
    await h.settle()
    assert [ids(batch) for batch in away.batches] == [bound]


async def test_ba_9_who_waits_for_a_worker_that_is_away_may_be_cancelled(h: Harness) -> None:
    away, here = await _of_two_workers(h)
    await h.engine.submit(ChangeWorker(TENANT, away.id, paused=True))
    first, second = await h.trigger(count=2, desired_worker_id=away.id)
    await cancel(h, first)
    await pass_time(h, 300_000, here)
    assert await status(h, first) is await status(h, second) is Status.CANCELLED
    await h.trigger(count=2)
    assert sizes(here) == [2]


async def test_ba_9_a_worker_that_is_away_comes_back_after_a_restart(h: Harness) -> None:
    away, here = await _of_two_workers(h)
    await h.engine.submit(ChangeWorker(TENANT, away.id, paused=True))
    bound = await h.trigger(count=2, desired_worker_id=away.id)
    await h.restart()
    await here.open()
    await away.open()
    assert sizes(here) == []
    await h.engine.submit(ChangeWorker(TENANT, away.id, paused=False))
    await h.settle()
    assert [ids(batch) for batch in away.batches] == [bound]


async def test_ba_9_few_at_a_time_are_set_aside(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "STRANDED_MAX", 2)
    away, here = await _of_two_workers(h)
    await h.engine.submit(ChangeWorker(TENANT, away.id, paused=True))
    await h.trigger(count=5, desired_worker_id=away.id)
    await h.advance(200)
    await h.trigger(count=2)
    await h.advance(200)
    assert sizes(here) == [2]
