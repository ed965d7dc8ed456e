"""Batches beside other limits: slots, windows, units, keys, pauses, sticky workers, options."""

from __future__ import annotations

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
from hatchet_engine.turn.commands import (
    Pause,
    PauseKind,
    PutRateLimit,
    Resume,
)
from tests.support.batches import ids, put, sizes
from tests.support.engine import TENANT, FakeWorker, Harness
from tests.support.invariants import check_recovery
from tests.support.rules import (
    cancel,
    events,
    pass_time,
    pause_worker,
    refused,
    replay,
    resume_worker,
    status,
)


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
    await pause_worker(h, away)
    bound = await h.trigger(count=2, desired_worker_id=away.id)
    assert await events(h, bound[0]) == [EventKind.REQUEUED_NO_WORKER]
    free = await h.trigger(count=3)
    assert [ids(batch) for batch in here.batches] == [free[:2]]
    await h.advance(200)
    assert [ids(batch) for batch in here.batches] == [free[:2], free[2:]]
    assert away.batches == []
    await check_recovery(h.engine, h.pool)
    await resume_worker(h, away)
    await h.settle()
    assert [ids(batch) for batch in away.batches] == [bound]


async def test_ba_9_who_waits_for_a_worker_that_is_away_may_be_cancelled(h: Harness) -> None:
    away, here = await _of_two_workers(h)
    await pause_worker(h, away)
    first, second = await h.trigger(count=2, desired_worker_id=away.id)
    await cancel(h, first)
    await pass_time(h, 300_000, here)
    assert await status(h, first) is await status(h, second) is Status.CANCELLED
    await h.trigger(count=2)
    assert sizes(here) == [2]


async def test_ba_9_a_worker_that_is_away_comes_back_after_a_restart(h: Harness) -> None:
    away, here = await _of_two_workers(h)
    await pause_worker(h, away)
    bound = await h.trigger(count=2, desired_worker_id=away.id)
    await h.restart()
    await here.open()
    await away.open()
    assert sizes(here) == []
    await resume_worker(h, away)
    await h.settle()
    assert [ids(batch) for batch in away.batches] == [bound]


async def test_ba_9_few_at_a_time_are_set_aside(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "STRANDED_MAX", 2)
    away, here = await _of_two_workers(h)
    await pause_worker(h, away)
    await h.trigger(count=5, desired_worker_id=away.id)
    await h.advance(200)
    await h.trigger(count=2)
    await h.advance(200)
    assert sizes(here) == [2]
