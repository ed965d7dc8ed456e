"""Workers and their streams (WK-*)."""

from __future__ import annotations

from uuid import uuid4

import pytest

from hatchet_engine.domain.errors import Code
from hatchet_engine.domain.states import EventKind, Status
from hatchet_engine.turn.commands import (
    ChangeWorker,
    CloseStream,
    LeaveWorker,
    OpenStream,
    RegisterWorker,
    ReportKind,
)
from tests.support.engine import TENANT, FakeWorker, Harness
from tests.support.rules import OTHER_TENANT, add_tenant, cancel, events, pass_time, refused, status


async def close(h: Harness, worker: FakeWorker) -> None:
    await h.engine.submit(CloseStream(TENANT, worker.id, worker))


async def drain(h: Harness, worker: FakeWorker, draining: bool) -> None:
    """What it says of itself."""
    await h.engine.submit(ChangeWorker(TENANT, worker.id, draining=draining))


def reconnected(worker: FakeWorker) -> FakeWorker:
    """The same worker with a new stream that is not open yet."""
    stream = FakeWorker(worker.engine, worker.tenant_id)
    stream.id = worker.id
    return stream


async def test_wk_1_each_registration_makes_a_new_worker(h: Harness) -> None:
    ids = {(await h.worker()).id for _ in range(3)}
    assert len(ids) == 3
    rows = await h.fetch("select id, name, protocol, left_at from worker")
    assert {row["id"] for row in rows} == ids
    assert {(row["name"], row["protocol"], row["left_at"]) for row in rows} == {("w", "grpc", None)}


async def test_wk_1_without_a_stream_there_is_no_work(h: Harness) -> None:
    await h.put()
    worker = await h.worker(open=False)
    (run,) = await h.trigger()
    assert await status(h, run) is Status.QUEUED
    await worker.open()
    assert (await worker.next())[0].task_id == run


async def test_wk_1_reconnect_keeps_the_id_and_the_slots(h: Harness) -> None:
    await h.put()
    worker = await h.worker(slots=2, protocol="session")
    await h.trigger(count=3)
    first, second = await worker.next(2)
    stream = reconnected(worker)
    held = [(task.task_id, task.attempt) for task in (first, second)]
    await stream.open(held)
    assert stream.started == []
    assert worker.closed is not None
    assert h.engine.hot.workers[worker.id].free == {"default": 0}


@pytest.mark.parametrize("name", ["", "a b", "ä", "a\n", "x" * 256, "a\x00"])
async def test_wk_1_bad_names_are_refused(h: Harness, name: str) -> None:
    with refused(Code.INVALID_ARGUMENT, "worker_name"):
        await h.engine.submit(RegisterWorker(TENANT, name, ["a:a"], {}))
    assert await h.count("worker") == 0


@pytest.mark.parametrize("action", ["", "a", ":a", "a:", "a b:c", "a:b\n", "a:b\x00", "a:b:c:d"])
async def test_wk_1_bad_actions_are_refused(h: Harness, action: str) -> None:
    with refused(Code.INVALID_ARGUMENT, "actions"):
        await h.engine.submit(RegisterWorker(TENANT, "w", ["ok:ok", action], {}))
    assert await h.count("worker") == 0


async def test_reg_23_actions_match_whatever_their_case(h: Harness) -> None:
    await h.put("hello")
    worker = FakeWorker(h.engine)
    worker.id = await h.engine.submit(RegisterWorker(TENANT, "w", ["Hello:HELLO"], {}))
    await worker.open()
    await h.trigger()
    (task,) = await worker.next()
    assert task.action == "Hello:HELLO"  # in the worker's own spelling


async def test_wk_3_heartbeat_of_an_unknown_worker_is_not_found(h: Harness) -> None:
    await add_tenant(h)
    worker = await h.worker()
    for tenant_id, worker_id in ((TENANT, uuid4()), (OTHER_TENANT, worker.id)):
        with refused(Code.NOT_FOUND, "register again"):
            h.engine.heartbeat(tenant_id, worker_id)


async def test_wk_3_heartbeat_with_a_closed_stream_asks_to_listen_again(h: Harness) -> None:
    worker = await h.worker()
    await close(h, worker)
    with refused(Code.FAILED_PRECONDITION, "ListenV2"):
        h.engine.heartbeat(TENANT, worker.id)
    await reconnected(worker).open()
    h.engine.heartbeat(TENANT, worker.id)


async def test_wk_3_heartbeat_before_the_first_stream_is_taken(h: Harness) -> None:
    worker = await h.worker(open=False)
    h.engine.heartbeat(TENANT, worker.id)


async def test_wk_4_closed_stream_gets_no_work_and_reopened_gets_it(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    await close(h, worker)
    (run,) = await h.trigger()
    assert await status(h, run) is Status.QUEUED
    stream = reconnected(worker)
    await stream.open()
    assert (await stream.next())[0].task_id == run


async def test_wk_4_late_close_of_an_old_stream_changes_nothing(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    newer = reconnected(worker)
    await newer.open()
    assert worker.closed == "a newer stream of this worker was opened"
    await close(h, worker)
    await h.trigger()
    assert len(await newer.next()) == 1


async def test_wk_4_reports_without_a_stream_are_welcome(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    (task,) = await worker.next()
    await close(h, worker)
    await worker.complete(task)
    assert await status(h, run) is Status.COMPLETED


async def test_wk_6_draining_worker_gets_no_work_but_ends_its_own(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    first, second = await h.trigger(), None
    (task,) = await worker.next()
    await drain(h, worker, True)
    (second,) = await h.trigger()
    await worker.complete(task)
    assert await status(h, first[0]) is Status.COMPLETED
    assert await status(h, second) is Status.QUEUED
    assert (await h.fetch("select draining from worker"))[0]["draining"]
    h.engine.heartbeat(TENANT, worker.id)
    await drain(h, worker, False)
    assert (await worker.next())[0].task_id == second


async def test_wk_6_draining_survives_reconnect_and_restart(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    await drain(h, worker, True)
    assert h.engine._connection is not None
    await h.engine.take_over(h.engine._connection)
    stream = reconnected(worker)
    await stream.open()
    (run,) = await h.trigger()
    assert await status(h, run) is Status.QUEUED


async def test_wk_8_draining_worker_keeps_a_long_task(h: Harness) -> None:
    await h.put()
    draining = await h.worker()
    (run,) = await h.trigger()
    (task,) = await draining.next()
    idle = await h.worker()
    await drain(h, draining, True)
    await draining.report(task, ReportKind.STARTED)
    await pass_time(h, 90_000, draining, idle)
    assert idle.started == []
    await draining.complete(task)
    (row,) = await h.fetch("select attempt, worker_id from outcome where id = $1", run)
    assert tuple(row) == (0, draining.id)


async def test_wk_9_silent_worker_loses_its_tasks_after_thirty_seconds(h: Harness) -> None:
    await h.put(retries=0)
    silent = await h.worker()
    runs = await h.trigger(count=3)
    for task in await silent.next(3):
        await silent.report(task, ReportKind.STARTED)
    heir = await h.worker()
    await pass_time(h, 29_999, heir)
    assert heir.started == []
    await h.advance(1)
    taken = await heir.next(3)
    assert [(task.task_id, task.attempt) for task in taken] == [(run, 1) for run in runs]
    assert silent.closed == "no heartbeat in time"
    for run in runs:
        assert await events(h, run) == [EventKind.REASSIGNED]
    (row,) = await h.fetch("select left_at from worker where id = $1", silent.id)
    assert row["left_at"].timestamp() * 1_000 == h.clock.now_ms()


async def test_wk_9_reassigned_task_goes_first(h: Harness) -> None:
    await h.put()
    silent = await h.worker(slots=1)
    (lost, *waiting) = await h.trigger(count=3, priority=3)
    (task,) = await silent.next()
    await silent.report(task, ReportKind.STARTED)
    await h.advance(30_000)
    heir = await h.worker(slots=1)
    order = []
    for _ in range(3):
        (task,) = await heir.next()
        order.append(task.task_id)
        await heir.complete(task)
    assert order == [lost, *waiting]


async def test_wk_9_late_report_of_the_dead_is_refused(h: Harness) -> None:
    await h.put()
    silent = await h.worker()
    (run,) = await h.trigger()
    (old,) = await silent.next()
    await h.advance(30_000)
    heir = await h.worker()
    (new,) = await heir.next()
    assert await silent.complete(old, '{"from":"the dead"}')
    assert await status(h, run) is Status.RUNNING
    await heir.complete(new, '{"from":"the heir"}')
    assert (await h.result(run)).tasks[0].output == '{"from":"the heir"}'


async def test_wk_9_heartbeats_keep_a_worker_for_ever(h: Harness) -> None:
    await h.put(execution_timeout_ms=86_400_000)
    worker = await h.worker()
    (run,) = await h.trigger()
    (task,) = await worker.next()
    await worker.report(task, ReportKind.STARTED)
    await pass_time(h, 600_000, worker)
    assert (await status(h, run), len(worker.started)) == (Status.RUNNING, 1)


async def test_wk_9_given_up_worker_may_come_back(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    await h.advance(30_000)
    with refused(Code.NOT_FOUND):
        h.engine.heartbeat(TENANT, worker.id)
    stream = reconnected(worker)
    await stream.open()
    await h.trigger()
    assert len(await stream.next()) == 1
    h.engine.heartbeat(TENANT, worker.id)
    assert (await h.fetch("select left_at from worker"))[0]["left_at"] is None


async def test_wk_9_changing_a_given_up_worker_does_not_revive_it(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    await h.advance(30_000)
    await drain(h, worker, True)
    assert (await h.fetch("select draining from worker"))[0]["draining"]
    await h.advance(30_000)
    assert worker.id not in h.engine.hot.workers
    (run,) = await h.trigger()
    assert await status(h, run) is Status.QUEUED


async def test_wk_10_leaving_hands_tasks_over_at_once(h: Harness) -> None:
    """By our own protocol a goodbye is the last word."""
    await h.put()
    leaver = await h.worker(protocol="session")
    (run,) = await h.trigger()
    (task,) = await leaver.next()
    await leaver.report(task, ReportKind.STARTED)
    heir = await h.worker()
    await h.engine.submit(LeaveWorker(TENANT, leaver.id))
    (again,) = await heir.next()
    assert (again.task_id, again.attempt) == (run, 1)
    assert leaver.closed == "the worker has left"
    with refused(Code.NOT_FOUND):
        h.engine.heartbeat(TENANT, leaver.id)


async def test_wk_10_official_workers_may_still_finish_what_they_hold(h: Harness) -> None:
    await h.put()
    leaver = await h.worker()
    (run,) = await h.trigger()
    (task,) = await leaver.next()
    await leaver.report(task, ReportKind.STARTED)
    heir = await h.worker()
    await h.engine.submit(LeaveWorker(TENANT, leaver.id))
    assert leaver.closed == "the worker has left"
    (second,) = await h.trigger()
    assert (await heir.next())[0].task_id == second
    await leaver.complete(task)
    assert (await h.result(run)).status is Status.COMPLETED


async def test_wk_11_changed_labels_count_at_once(h: Harness) -> None:
    from hatchet_engine.domain.labels import DesiredLabel

    await h.put()
    worker = await h.worker(labels={"zone": "a"})
    (run,) = await h.trigger(desired_labels={"zone": DesiredLabel("b", required=True)})
    assert await status(h, run) is Status.QUEUED
    await h.engine.submit(ChangeWorker(TENANT, worker.id, labels={"zone": "b", "gpu": 1}))
    assert (await worker.next())[0].task_id == run
    (row,) = await h.fetch("select labels::text as labels from worker")
    assert row["labels"] == '{"gpu": 1, "zone": "b"}'


async def test_wk_12_terminated_workers_stay_in_the_table(h: Harness) -> None:
    worker = await h.worker()
    await h.engine.submit(LeaveWorker(TENANT, worker.id))
    (row,) = await h.fetch("select id, left_at from worker")
    assert row["id"] == worker.id
    assert row["left_at"] is not None


async def test_wk_13_task_without_a_worker_waits_and_is_taken_when_one_comes(h: Harness) -> None:
    await h.put("a")
    await h.worker("b")
    (run,) = await h.trigger("a")
    assert await status(h, run) is Status.QUEUED
    worker = await h.worker("a")
    assert (await worker.next())[0].task_id == run


async def test_worker_may_register_before_the_workflow_exists(h: Harness) -> None:
    worker = await h.worker("hello")
    await h.put("hello")
    (run,) = await h.trigger()
    assert (await worker.next())[0].task_id == run


@pytest.mark.parametrize("command", [OpenStream, LeaveWorker, ChangeWorker])
async def test_te_1_another_tenants_worker_is_not_found(h: Harness, command: type) -> None:
    await add_tenant(h)
    await h.put()
    worker = await h.worker()
    more = (FakeWorker(h.engine),) if command is OpenStream else ()
    for tenant_id, worker_id in ((OTHER_TENANT, worker.id), (TENANT, uuid4())):
        with refused(Code.NOT_FOUND, str(worker_id)):
            await h.engine.submit(command(tenant_id, worker_id, *more))
    await h.trigger()
    assert len(await worker.next()) == 1


async def test_te_1_workers_serve_their_own_tenant_only(h: Harness) -> None:
    other = await add_tenant(h)
    await h.put(tenant_id=other)
    mine = await h.worker()
    (run,) = await h.trigger(tenant_id=other)
    assert mine.started == []
    theirs = await h.worker(tenant_id=other)
    assert (await theirs.next())[0].task_id == run


# ------------------------------------------------------------ lost start messages


async def test_unacknowledged_start_is_queued_again_after_the_grace(h: Harness) -> None:
    """Protocol "grpc": the stream broke with a start message on its way."""
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.next()
    await h.advance(1_000)
    await close(h, worker)
    await h.advance(2_999)
    assert (await status(h, run), h.engine.hot.running[run].attempt) == (Status.RUNNING, 0)
    await h.advance(1)
    assert await events(h, run) == [EventKind.REASSIGNED]
    stream = reconnected(worker)
    await stream.open()
    (again,) = await stream.next()
    assert (again.task_id, again.attempt) == (run, 1)


async def test_acknowledged_start_outlives_the_stream(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    for kind in (ReportKind.ACKNOWLEDGED, ReportKind.STARTED):
        await h.trigger()
        await worker.report((await worker.next())[0], kind)
    await close(h, worker)
    await h.advance(3_000)
    await reconnected(worker).open()
    await h.advance(3_000)
    assert {running.attempt for running in h.engine.hot.running.values()} == {0}
    assert len(h.engine.hot.running) == 2


async def test_acknowledgement_within_the_grace_saves_the_attempt(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    (task,) = await worker.next()
    await close(h, worker)
    await h.advance(2_999)
    await worker.report(task, ReportKind.ACKNOWLEDGED)
    await h.advance(10_000)
    assert h.engine.hot.running[run].attempt == 0


async def test_start_sent_over_the_new_stream_is_not_taken_for_lost(h: Harness) -> None:
    """In the very turn of opening, a backlog goes over the new stream; it needs no hurry."""
    await h.put()
    (run,) = await h.trigger()
    worker = await h.worker()
    await worker.next()
    await h.advance(10_000)
    assert h.engine.hot.running[run].attempt == 0
    assert await events(h, run) == []


async def test_session_worker_gets_what_it_does_not_hold_once_more(h: Harness) -> None:
    """Protocol "session": the same attempts are delivered again, and only those that are lost."""
    await h.put()
    worker = await h.worker(protocol="session")
    runs = await h.trigger(count=3, input='{"x":1}')
    got, *_ = await worker.next(3)
    await close(h, worker)
    await h.advance(5_000)  # nothing is given up meanwhile
    stream = reconnected(worker)
    await stream.open([(got.task_id, 0)])
    again = await stream.next(2)
    assert [(task.task_id, task.attempt, task.input) for task in again] == [
        (run, 0, '{"x":1}') for run in runs[1:]
    ]
    await h.advance(5_000)
    assert len(stream.started) == 2
    for task in (got, *again):
        await stream.complete(task)
    assert await h.count("assignment") == 0


async def test_session_worker_holding_nothing_gets_all_again(h: Harness) -> None:
    await h.put(retries=1)
    worker = await h.worker(protocol="session")
    (run,) = await h.trigger()
    await worker.fail((await worker.next())[0])
    await worker.next()
    stream = reconnected(worker)
    await stream.open([(run, 0)])  # the old attempt is not the one it should have
    (again,) = await stream.next()
    assert (again.task_id, again.attempt) == (run, 1)


async def test_cancelled_task_is_not_delivered_again(h: Harness) -> None:
    await h.put()
    worker = await h.worker(protocol="session")
    (run,) = await h.trigger()
    await worker.next()
    await close(h, worker)
    await cancel(h, run)
    stream = reconnected(worker)
    await stream.open([])
    await h.settle()
    assert stream.started == []
