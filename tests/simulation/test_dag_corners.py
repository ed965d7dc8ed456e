"""The smallest cases of what random runs have brought to light."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hatchet_engine.domain.definition import Condition
from hatchet_engine.turn.commands import CancelTasks, ChangeWorker, ReplayTasks
from tests.support.dags import event, parent, push, sleep, statuses, step, work
from tests.support.engine import TENANT, FakeWorker, Harness, running_engine
from tests.support.invariants import check_all


@pytest.fixture
async def h(database: str) -> AsyncIterator[Harness]:
    async with running_engine(database) as harness:
        yield harness
        await harness.settle()
        await check_all(harness.engine, harness.pool)


async def paused(h: Harness, worker: FakeWorker, paused: bool = True) -> None:
    await h.engine.submit(ChangeWorker(TENANT, worker.id, draining=paused))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", ["event", "sleep"])
@pytest.mark.parametrize(("action", "end"), [("SKIP", "SKIPPED"), ("CANCEL", "CANCELLED")])
async def test_precedence_counts_for_what_one_moment_meets(
    h: Harness, action: str, end: str, kind: str, turned: bool
) -> None:
    """Whatever the order of the conditions, CANCEL and SKIP go before QUEUE."""
    both = [event("go"), event("go", action)]
    if kind == "sleep":
        both = [sleep("5s"), sleep("5s", action)]
    await h.put_dag("flow", step("a", conditions=both[::-1] if turned else both), step("b"))
    (run,) = await h.trigger("flow")
    if kind == "event":
        await push(h, "go")
    else:
        await h.advance(5_000)
    await h.settle()
    assert (await statuses(h, run))["a"] == end


@pytest.mark.parametrize("forgotten", [False, True])
async def test_a_cancel_that_was_due_before_the_start_is_not_missed(
    h: Harness, forgotten: bool
) -> None:
    """Both sleeps end in one turn: the first queues the task, the second cancels it there."""
    conditions: list[Condition] = [sleep("1s"), sleep("3s", "CANCEL")]
    await h.put_dag("flow", step("a", conditions=conditions), step("b"))
    (run,) = await h.trigger("flow")
    if forgotten:
        h.engine.hot.dags.remove(run)
    await h.advance(10_000)
    assert (await statuses(h, run))["a"] == "CANCELLED"
    assert (await h.count("task_wait"), await h.count("queue_item")) == (0, 1)


async def test_half_of_a_cancel_that_comes_with_the_release_is_kept(h: Harness) -> None:
    """One event releases the task and meets one of two groups of its cancel_if."""
    conditions = [event("go"), event("go", "CANCEL", "1"), event("stop", "CANCEL", "2")]
    await h.put_dag("flow", step("a", conditions=conditions), step("b"))
    (run,) = await h.trigger("flow")
    await push(h, "go")
    assert await statuses(h, run) == {}
    await push(h, "stop")
    assert (await statuses(h, run))["a"] == "CANCELLED"


async def test_a_broken_skip_if_does_not_turn_a_false_wait_for_into_a_failure(h: Harness) -> None:
    conditions = [parent("a", "output.missing == 1", "SKIP"), parent("a", "output.n > 1")]
    await h.put_dag("flow", step("a"), step("b", "a", conditions=conditions))
    worker = await h.worker("a", "b")
    (run,) = await h.trigger("flow")
    await work(h, worker, lambda task: '{"n":1}')
    assert await statuses(h, run) == {"a": "COMPLETED", "b": "CANCELLED"}


async def test_a_failure_outside_of_a_replay_still_counts(h: Harness) -> None:
    """It runs the on-failure task again and cancels what follows from both."""
    await h.put_dag(
        "flow",
        step("bad"),
        step("good"),
        step("after", "good"),
        step("both", "bad", "good"),
        step("oops", on_failure=True),
    )
    worker = await h.worker("bad", "good", "after", "both", "oops")
    (run,) = await h.trigger("flow")
    await work(h, worker, lambda task: None if task.task_name == "bad" else "{}")
    rows = await h.fetch(
        "select t.id, t.step from task t where t.run_id = $1 and t.kind = 2 order by t.step", run
    )
    names = [one.name for one in next(iter(h.engine.hot.definitions.versions.values())).steps]
    good = rows[names.index("good")]["id"]
    await paused(h, worker)
    await h.engine.submit(ReplayTasks(TENANT, [good]))
    assert await statuses(h, run) == {"bad": "FAILED", "both": "CANCELLED"}
    h.engine.hot.dags.remove(run)
    await paused(h, worker, False)
    assert sorted(await work(h, worker)) == ["after", "good", "oops"]
    ended = await statuses(h, run)
    assert ended == {
        "bad": "FAILED",
        "good": "COMPLETED",
        "after": "COMPLETED",
        "both": "CANCELLED",
        "oops": "COMPLETED",
    }
    assert await h.engine.submit(CancelTasks(TENANT, [run])) == []
