"""Failures, retries, late reports (RT-*)."""

from __future__ import annotations

import orjson
import pytest

from hatchet_engine.domain.states import EventKind, Status
from hatchet_engine.turn.commands import ReleaseSlot, Report, ReportKind, ReportTasks
from hatchet_engine.turn.signs import WRITE_AFTER_MS
from hatchet_engine.turn.state import Limits
from tests.support.engine import TENANT, FakeWorker, Harness, running_engine
from tests.support.rules import add_tenant, cancel, events, outcome, pass_time, status


@pytest.mark.parametrize("retries", [0, 1, 3])
async def test_rt_1_always_failing_task_runs_once_more_than_its_retries(
    h: Harness, retries: int
) -> None:
    await h.put(retries=retries)
    worker = await h.worker()
    (run,) = await h.trigger()
    for attempt in range(retries + 1):
        (task,) = await worker.next()
        assert task.attempt == attempt
        await worker.fail(task, f"boom {attempt}")
    result = await h.result(run)
    assert (result.status, result.tasks[0].error) == (Status.FAILED, f"boom {retries}")
    assert len(worker.started) == retries + 1
    assert (await outcome(h, run))["attempt"] == retries


async def test_rt_2_reassignments_count_as_attempts_but_not_as_retries(h: Harness) -> None:
    await h.put(retries=1)
    (run,) = await h.trigger()
    first = await h.worker()
    await first.next()
    await h.advance(30_000)  # dead
    second = await h.worker()
    (task,) = await second.next()
    assert task.attempt == 1
    await second.fail(task)
    (task,) = await second.next()  # the one retry is still there
    assert task.attempt == 2
    await second.fail(task)
    assert (await h.result(run)).status is Status.FAILED


async def test_rt_3_without_backoff_the_retry_comes_in_the_same_turn(h: Harness) -> None:
    await h.put(retries=1)
    worker = await h.worker()
    await h.trigger()
    (task,) = await worker.next()
    turns = h.engine.turns
    await worker.fail(task)
    assert h.engine.turns == turns + 1
    assert worker.started[1].attempt == 1


async def test_rt_4_backoff_is_two_four_eight_ten(h: Harness) -> None:
    await h.put(retries=5, backoff_factor=2.0, backoff_max_s=10)
    worker = await h.worker()
    (run,) = await h.trigger()
    for delay_ms in (2_000, 4_000, 8_000, 10_000, 10_000):
        (task,) = await worker.next()
        await worker.fail(task)
        assert await h.count("assignment") == 0
        await pass_time(h, delay_ms - 1, worker)
        assert await h.count("assignment") == 0, delay_ms
        await h.advance(1)
        assert await h.count("assignment") == 1, delay_ms
    rows = await h.fetch("select data::text as data from task_event where kind = 2 order by id")
    delays = [orjson.loads(row["data"])["delay_ms"] for row in rows]
    assert delays == [2_000, 4_000, 8_000, 10_000, 10_000]
    (task,) = await worker.next()
    await worker.fail(task)
    assert await status(h, run) is Status.FAILED


async def test_rt_5_backoff_survives_a_restart(h: Harness) -> None:
    await h.put(retries=1, backoff_factor=5.0)
    worker = await h.worker()
    await h.trigger()
    (task,) = await worker.next()
    await worker.fail(task)
    assert h.engine._connection is not None
    await h.engine.take_over(h.engine._connection)
    await h.advance(4_999)
    assert len(worker.started) == 1
    await h.advance(1)
    assert worker.started[1].attempt == 1


async def test_rt_6_backoff_holds_no_slot(h: Harness) -> None:
    await h.put(retries=1, backoff_factor=5.0)
    worker = await h.worker(slots=1)
    first, second = await h.trigger(count=2)
    (task,) = await worker.next()
    await worker.fail(task)
    assert (await worker.next())[0].task_id == second
    assert await status(h, first) is Status.QUEUED


async def test_rt_7_three_tasks_make_one_retrying_and_three_failures(h: Harness) -> None:
    """One fails for good at once, one fails twice, one goes well."""
    await h.put(retries=1)
    worker = await h.worker()
    runs = await h.trigger(count=3)
    final, twice, well = await worker.next(3)
    await worker.fail(final, should_not_retry=True)
    await worker.complete(well)
    await worker.fail(twice)
    await worker.fail((await worker.next())[0])
    assert [await status(h, run) for run in runs] == [
        Status.FAILED,
        Status.FAILED,
        Status.COMPLETED,
    ]
    (row,) = await h.fetch("select count(*) from task_event where kind = $1", EventKind.RETRYING)
    assert row["count"] == 1
    failed_attempts = await h.fetch("select 1 from task_event where kind = 1")
    failed_ends = await h.fetch("select 1 from outcome where status = $1", Status.FAILED)
    assert len(failed_attempts) + len(failed_ends) == 3


async def test_rt_8_non_retryable_failure_is_final(h: Harness) -> None:
    await h.put(retries=5)
    worker = await h.worker()
    (run,) = await h.trigger()
    (task,) = await worker.next()
    await worker.fail(task, "no way", should_not_retry=True)
    row = await outcome(h, run)
    assert (row["status"], row["attempt"], row["error"]) == (Status.FAILED, 0, "no way")
    assert await events(h, run) == []


async def test_rt_8_retry_after_replaces_the_backoff(h: Harness) -> None:
    await h.put(retries=2, backoff_factor=60.0)
    worker = await h.worker()
    await h.trigger()
    (task,) = await worker.next()
    await worker.fail(task, retry_after_ms=3_000)
    await h.advance(2_999)
    assert len(worker.started) == 1
    await h.advance(1)
    (task,) = await worker.next()
    await worker.fail(task, retry_after_ms=0)
    assert (await worker.next())[0].attempt == 2


async def test_rt_8_retry_after_grants_no_retry_that_is_not_left(h: Harness) -> None:
    await h.put(retries=0)
    worker = await h.worker()
    (run,) = await h.trigger()
    (task,) = await worker.next()
    await worker.fail(task, retry_after_ms=3_000)
    assert await status(h, run) is Status.FAILED


async def test_rt_9_failure_after_a_cancel_is_ignored(h: Harness) -> None:
    await h.put(retries=3)
    worker = await h.worker()
    (run,) = await h.trigger()
    (task,) = await worker.next()
    await cancel(h, run)
    assert await worker.fail(task)
    assert await status(h, run) is Status.CANCELLED
    assert EventKind.RETRYING not in await events(h, run)


async def test_rt_9_missing_retry_count_means_the_current_one(h: Harness) -> None:
    await h.put(retries=1)
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.fail((await worker.next())[0])
    await worker.next()
    report = Report(run, None, ReportKind.COMPLETED, "{}")
    assert await h.engine.submit(ReportTasks(TENANT, [report])) == [True]
    assert (await outcome(h, run))["attempt"] == 1


@pytest.mark.parametrize("kind", list(ReportKind))
async def test_rt_10_report_of_an_old_attempt_is_ignored(h: Harness, kind: ReportKind) -> None:
    await h.put(retries=2)
    worker = await h.worker()
    (run,) = await h.trigger()
    (old,) = await worker.next()
    await worker.fail(old)
    await worker.next()
    before = await h.fetch("select * from assignment")
    assert await worker.report(old, kind)
    assert await h.fetch("select * from assignment") == before
    assert await status(h, run) is Status.RUNNING


@pytest.mark.parametrize("kind", list(ReportKind))
async def test_rt_10_report_of_an_attempt_to_come_is_ignored(h: Harness, kind: ReportKind) -> None:
    await h.put(retries=2)
    await h.worker()
    (run,) = await h.trigger()
    assert await h.engine.submit(ReportTasks(TENANT, [Report(run, 1, kind)])) == [True]
    assert await status(h, run) is Status.RUNNING
    assert h.engine.hot.running[run].started_ms is None


@pytest.mark.parametrize("kind", list(ReportKind))
async def test_rt_10_second_end_is_ignored(h: Harness, kind: ReportKind) -> None:
    await h.put(retries=2)
    worker = await h.worker()
    (run,) = await h.trigger()
    (task,) = await worker.next()
    await worker.complete(task, '{"first":1}')
    assert await worker.report(task, kind, '{"second":2}')
    assert (await outcome(h, run))["output"] == '{"first":1}'


async def test_rt_10_of_two_ends_in_one_batch_the_first_counts(h: Harness) -> None:
    await h.put()
    await h.worker()
    (run,) = await h.trigger()
    reports = [
        Report(run, 0, ReportKind.COMPLETED, '{"x":1}'),
        Report(run, 0, ReportKind.FAILED, "boom"),
        Report(run, 0, ReportKind.STARTED),
    ]
    assert await h.engine.submit(ReportTasks(TENANT, reports)) == [True, True, True]
    assert await status(h, run) is Status.COMPLETED


async def test_unknown_tasks_are_named_as_unknown(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.complete((await worker.next())[0])
    stranger = h.engine._ids.new(h.clock.now_ms())
    reports = [Report(id, 0, ReportKind.COMPLETED) for id in (stranger, run)]
    assert await h.engine.submit(ReportTasks(TENANT, reports)) == [False, True]


async def test_another_tenants_tasks_are_unknown_and_untouched(h: Harness) -> None:
    other = await add_tenant(h)
    await h.put()
    await h.worker()
    (run,) = await h.trigger()
    report = Report(run, 0, ReportKind.COMPLETED, "{}")
    assert await h.engine.submit(ReportTasks(other, [report])) == [False]
    assert await status(h, run) is Status.RUNNING


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("not json", "not valid JSON"),
        ('{"a":', "not valid JSON"),
        ("NaN", "not valid JSON"),
        ('{"a":"\\u0000"}', "null character"),
        ('{"a":"x\x00"}', "not valid JSON"),
        ('"\ud800"', "not valid JSON"),
    ],
)
async def test_rt_11_output_that_cannot_be_stored_is_a_failure(
    h: Harness, output: str, reason: str
) -> None:
    await h.put(retries=1)
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.complete((await worker.next())[0], output)
    (again,) = await worker.next()  # an app failure: it is retried
    await worker.complete(again, output)
    result = await h.result(run)
    assert result.status is Status.FAILED
    assert reason in (result.tasks[0].error or "")


async def test_rt_11_output_size_at_the_edge(clean_database: str) -> None:
    async with running_engine(clean_database, limits=Limits(payload_bytes_max=100)) as h:
        await h.put()
        worker = await h.worker()
        fits, exceeds = await h.trigger(count=2)
        first, second = await worker.next(2)
        await worker.complete(first, '"' + "x" * 98 + '"')
        await worker.complete(second, '"' + "é" * 49 + 'x"')
        assert await status(h, fits) is Status.COMPLETED
        assert "101 bytes long, the limit is 100" in (await outcome(h, exceeds))["error"]


@pytest.mark.parametrize("output", ["[1,2]", '"text"', "3", "null", '{"a":"\\\\u0000"}'])
async def test_rt_11_any_json_is_kept_byte_for_byte(h: Harness, output: str) -> None:
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.complete((await worker.next())[0], output)
    assert (await h.result(run)).tasks[0].output == output
    assert (await outcome(h, run))["output"] == output


async def test_rt_12_empty_output_is_none(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.complete((await worker.next())[0], "")
    result = await h.result(run)
    assert (result.status, result.tasks[0].output) == (Status.COMPLETED, None)


@pytest.mark.parametrize("error", ["", '{"exc":"boom","trace":"a\\nb"}', "näe \u2028 \U0001f600"])
async def test_rt_13_error_text_is_not_touched(h: Harness, error: str) -> None:
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.fail((await worker.next())[0], error)
    assert (await h.result(run)).tasks[0].error == error
    assert (await outcome(h, run))["error"] == error


@pytest.mark.parametrize("error", ["a\x00b", "a\ud800b"])
async def test_rt_11_error_text_that_cannot_be_stored_is_replaced(h: Harness, error: str) -> None:
    await h.put(retries=1)
    worker = await h.worker()
    (run,) = await h.trigger()
    for _ in range(2):
        await worker.fail((await worker.next())[0], error)
    assert "can't be stored" in (await outcome(h, run))["error"]


async def test_rt_14_ten_reassignments_and_no_more(h: Harness) -> None:
    await h.put()
    (run,) = await h.trigger()
    for attempt in range(11):
        worker = await h.worker()
        (task,) = await worker.next()
        assert task.attempt == attempt
        await h.advance(30_000)
    result = await h.result(run)
    assert result.status is Status.FAILED
    assert result.tasks[0].error == "Task reached its maximum reassignment count"
    assert (await events(h, run)).count(EventKind.REASSIGNED) == 11


async def test_rt_14_replay_grants_both_budgets_anew(h: Harness) -> None:
    await h.put()
    (run,) = await h.trigger()
    for _ in range(11):
        await (await h.worker()).next()
        await h.advance(30_000)
    from tests.support.rules import replay

    assert await replay(h, run) == [run]
    worker = await h.worker()
    (task,) = await worker.next()
    assert task.attempt == 11
    await h.advance(30_000)
    assert await status(h, run) is Status.QUEUED


async def test_rt_16_all_attempts_have_one_id(h: Harness) -> None:
    await h.put(retries=2)
    worker = await h.worker()
    (run,) = await h.trigger()
    for _ in range(3):
        await worker.fail((await worker.next())[0])
    assert {(task.task_id, task.run_id) for task in worker.started} == {(run, run)}
    assert await h.count("task") == 1


async def _started(h: Harness, worker: FakeWorker, **report: object) -> int | None:
    (run,) = await h.trigger()
    (task,) = await worker.next()
    one = Report(run, task.attempt, **report)  # type: ignore[arg-type]
    await h.engine.submit(ReportTasks(TENANT, [one]))
    await h.advance(WRITE_AFTER_MS)
    (row,) = await h.fetch("select started_ms from assignment where task_id = $1", run)
    value: int | None = row["started_ms"]
    return value


async def test_started_is_stored_with_the_workers_time_inside_the_engines(h: Harness) -> None:
    """What was acknowledged must be known after a restart, or it is taken for lost."""
    await h.put()
    worker = await h.worker()
    kinds = (ReportKind.STARTED, ReportKind.ACKNOWLEDGED)
    for kind in kinds:
        now_ms = h.clock.now_ms()
        assert await _started(h, worker, kind=kind) == now_ms
        now_ms = h.clock.now_ms()
        assert await _started(h, worker, kind=kind, started_ms=now_ms) == now_ms
        now_ms = h.clock.now_ms()
        assert await _started(h, worker, kind=kind, started_ms=now_ms - 99_999) == now_ms
        now_ms = h.clock.now_ms()
        assert await _started(h, worker, kind=kind, started_ms=now_ms + 99_999) == now_ms


async def test_first_sign_of_start_stays(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    (task,) = await worker.next()
    await worker.report(task, ReportKind.ACKNOWLEDGED)
    first = h.clock.now_ms()
    await h.advance(1_000)
    await worker.report(task, ReportKind.STARTED)
    await worker.complete(task)
    assert (await outcome(h, run))["started_at"].timestamp() * 1_000 == first


async def test_released_then_failed_task_retries_with_its_slot(h: Harness) -> None:
    await h.put(retries=1)
    worker = await h.worker(slots=1)
    (run,) = await h.trigger()
    (task,) = await worker.next()
    await h.engine.submit(ReleaseSlot(TENANT, run))
    await worker.fail(task)
    (again,) = await worker.next()
    assert again.attempt == 1
    assert h.engine.hot.workers[worker.id].free == {"default": 0}
