"""Why a task of a batch does not run (BA-*)."""

from __future__ import annotations

import pytest

from hatchet_engine.domain import why as domain
from hatchet_engine.domain.definition import BatchConfig, TaskDefinition
from hatchet_engine.domain.labels import DesiredLabel
from hatchet_engine.domain.why import Kind, moment
from tests.support.engine import START_MS, Harness
from tests.support.rules import pause_worker
from tests.support.why import ask, kinds_of, only

pytestmark = pytest.mark.usefixtures("forget_definitions")


async def test_a_batch(h: Harness) -> None:
    await h.put(batch=BatchConfig(3, 200))
    await h.worker(slots=1)
    _, run = await h.trigger(count=2)
    answer = await ask(h, run)
    [blocker] = answer.blockers
    assert blocker.kind is Kind.BATCH
    assert blocker.message == (
        "Its batch has 2 of 3 tasks; it is made when it is full, at the latest at "
        f"{moment(START_MS + 200)}."
    )
    assert blocker.remedy == "Wait until then, or start 1 more of its group."
    assert (blocker.used, blocker.limit, blocker.until_ms) == (2, 3, START_MS + 200)
    assert answer.place == domain.Place("its batch", 2)
    standby = await ask(h, run, hot=None)
    assert standby.blockers[0].message == "It waits until its batch is full, or old enough."
    await h.advance(199)
    assert await kinds_of(h, run) == [Kind.BATCH]
    await h.advance(1)
    assert await kinds_of(h, run) == [Kind.RUNNING]


async def test_a_batch_that_no_worker_takes(h: Harness) -> None:
    await h.put(batch=BatchConfig(2, 200))
    (young,) = await h.trigger()
    assert await kinds_of(h, young) == [Kind.BATCH, Kind.NO_WORKER]
    await h.advance(200)  # old enough
    assert await kinds_of(h, young) == [Kind.NO_WORKER]
    worker = await h.worker(slots=1)
    await h.settle()
    runs = await h.trigger(count=3)  # one batch by its size
    full = await ask(h, runs[0])
    assert full.blockers[0].message == "Worker w is full: 1 of 1 default slots in use."
    assert [use.id for use in full.blockers[0].workers] == [worker.id]
    assert full.place == domain.Place("its batch", 1)
    assert (await only(h, runs[2])).kind is Kind.WORKERS_FULL
    await pause_worker(h, worker)
    blocker = await only(h, runs[0])
    assert (blocker.kind, blocker.remedy) == (
        Kind.NO_WORKER,
        "Resume w, or start another worker.",
    )


async def test_a_batch_whose_group_runs_as_often_as_it_may(h: Harness) -> None:
    await h.put(batch=BatchConfig(1, 200, group_max_runs=2))
    await h.worker()
    *_, third = await h.trigger(count=3)
    blocker = await only(h, third)
    assert blocker.kind is Kind.BATCH
    assert blocker.message == "As many batches of its group run as may: 2 of 2."
    assert (blocker.used, blocker.limit) == (2, 2)


async def test_ba_9_a_batch_goes_where_its_first_task_may_go(h: Harness) -> None:
    bound, other = await h.worker(slots=1), await h.worker()
    task = TaskDefinition(name="hello", action="hello:hello", batch=BatchConfig(2, 200))
    await h.put_dag("hello", task, sticky="HARD")
    await h.trigger(count=2, desired_worker_id=bound.id)  # take its slot
    runs = await h.trigger(desired_worker_id=bound.id) + await h.trigger(desired_worker_id=other.id)
    for run in runs:
        blocker = await only(h, run)
        assert blocker.kind is Kind.STICKY
        assert [use.id for use in blocker.workers] == [bound.id]
        assert "which is full" in blocker.message
    await bound.complete_batch(bound.batches[0])
    assert [await kinds_of(h, run) for run in runs] == [[Kind.RUNNING], [Kind.RUNNING]]


async def test_ro_9_labels_of_a_trigger_do_not_count(h: Harness) -> None:
    await h.put(batch=BatchConfig(1, 200), labels={"zone": DesiredLabel("eu", True)})
    await h.worker(labels={"zone": "us", "gpu": "yes"})
    (run,) = await h.trigger(desired_labels={"gpu": DesiredLabel("no", True)})
    blocker = await only(h, run)
    assert (blocker.kind, [miss.key for miss in blocker.labels]) == (Kind.LABELS, ["zone"])
    await h.worker(labels={"zone": "eu", "gpu": "yes"})
    assert await kinds_of(h, run) == [Kind.RUNNING]
