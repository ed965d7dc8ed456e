"""Why a task waits for time, parents and conditions; its place; what does not wait."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from hatchet_engine.domain import why as domain
from hatchet_engine.domain.definition import (
    Condition,
    RateLimitUse,
)
from hatchet_engine.domain.states import Status
from hatchet_engine.domain.why import Kind, moment
from hatchet_engine.observe import standing, why
from hatchet_engine.turn.commands import (
    CloseStream,
    NewEvent,
    PushEvents,
    PutRateLimit,
)
from tests.support.concurrency import key
from tests.support.engine import START_MS, TENANT, Harness
from tests.support.rules import OTHER_TENANT, pass_time, replay
from tests.support.why import ask, kinds, maybe, only, rule, task

pytestmark = pytest.mark.usefixtures("forget_definitions")

# ---------------------------------------------------------------- time, pauses


async def test_backoff(h: Harness) -> None:
    await h.put(retries=3, backoff_factor=2.0)
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.fail(worker.started[0])
    answer = await ask(h, run)
    [blocker] = answer.blockers
    assert (blocker.kind, blocker.attempt, blocker.attempts) == (Kind.BACKOFF, 2, 4)
    (row,) = await h.fetch("select due_ms from delayed_item")
    assert blocker.until_ms == row["due_ms"]
    assert blocker.message.startswith("Attempt 2 of 4 begins at 2026-01-01")
    assert (answer.since_ms, answer.place, answer.times_out_ms) == (None, None, None)


async def test_backoff_after_a_replay_counts_anew(h: Harness) -> None:
    await h.put(retries=1, backoff_factor=2.0)
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.fail(worker.started[-1])
    await pass_time(h, 10_000, worker)
    await worker.fail(worker.started[-1])
    await replay(h, run)
    await h.settle()
    await worker.fail(worker.started[-1])
    [blocker] = (await ask(h, run)).blockers
    assert (blocker.kind, blocker.attempt, blocker.attempts) == (Kind.BACKOFF, 2, 2)


async def members(h: Harness, run: UUID) -> dict[int, UUID]:
    rows = await h.fetch("select id, step from task where run_id = $1 and kind = 2", run)
    return {row["step"]: row["id"] for row in rows}


async def test_parents(h: Harness) -> None:
    await h.put_dag("dag", task("a"), task("b"), task("c", "a", "b"))
    worker = await h.worker("a")
    (run,) = await h.trigger("dag")
    ids = await members(h, run)
    await worker.next()
    answer = await ask(h, ids[2])
    assert (answer.task_id, answer.run_id) == (ids[2], run)
    [blocker] = answer.blockers
    assert blocker.kind is Kind.PARENTS
    assert [(one.task_id, one.name, one.status) for one in blocker.parents] == [
        (ids[0], "a", Status.RUNNING),
        (ids[1], "b", Status.QUEUED),
    ]
    assert blocker.message == "It comes after tasks that have not ended: a (running), b (queued)."
    await worker.complete(worker.started[0])
    assert [one.name for one in (await only(h, ids[2])).parents] == ["b"]


async def test_a_run_of_several_tasks_tells_what_is_nearest_first(h: Harness) -> None:
    failure = task("f", on_failure=True)
    await h.put_dag("dag", task("z", "y"), task("y"), task("x"), failure)
    worker = await h.worker("x")
    (run,) = await h.trigger("dag")
    await worker.next()
    answer = await ask(h, run)
    assert (answer.task_id, answer.run_id, answer.status) == (None, run, Status.RUNNING)
    assert [(one.task, one.kind) for one in answer.blockers] == [
        ("x", Kind.RUNNING),
        ("y", Kind.NO_WORKER),
        ("z", Kind.PARENTS),
        ("f", Kind.PARENTS),
    ]
    assert {one.task_id for one in answer.blockers} == set((await members(h, run)).values())
    assert answer.place is None
    assert answer.since_ms == START_MS


async def test_a_large_run_tells_of_its_first_tasks(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(why, "TASKS_MAX", 2)
    await h.put_dag("dag", task("a"), task("b"), task("c"))
    (run,) = await h.trigger("dag")
    answer = await ask(h, run)
    assert len(answer.blockers) == 2
    assert answer.tasks_left_out == 1
    assert answer.place == domain.Place("the queue of a:a", 1)


async def test_conditions(h: Harness) -> None:
    conditions = [
        Condition("event", "CANCEL", "c", "c", event_key="stop"),
        Condition("sleep", "QUEUE", "s", "g", sleep="1m"),
        Condition("event", "QUEUE", "e", "g", event_key="go", event_scope="eu"),
        Condition("event", "QUEUE", "f", "h", "input.litres > 40", event_key="fuel"),
    ]
    await h.put_dag("dag", task("a", conditions=conditions))
    (run,) = await h.trigger("dag")
    ids = await members(h, run)
    blocker = await only(h, ids[0])
    assert blocker.kind is Kind.CONDITIONS
    assert blocker.conditions == (
        domain.Awaited(1, START_MS + 60_000, None, None, False, "1"),
        domain.Awaited(2, None, "go", "eu", False, "1"),
        domain.Awaited(3, None, "fuel", None, False, "2", "input.litres > 40"),
    )
    time = moment(START_MS + 60_000)
    assert blocker.message == (
        f"It waits for {time} or event 'go' in scope 'eu', and event 'fuel' with "
        "input.litres > 40. It is cancelled on event 'stop'."
    )
    assert blocker.until_ms == START_MS + 60_000
    assert blocker.remedy == (
        f"Wait until {time} or push event 'go' in scope 'eu', and push event 'fuel' with "
        "input.litres > 40."
    )
    await h.engine.submit(PushEvents(TENANT, [NewEvent("go", "{}", scope="eu")]))
    blocker = await only(h, ids[0])
    assert [one.met for one in blocker.conditions] == [False, True, False]
    assert blocker.message == (
        "It waits for event 'fuel' with input.litres > 40. It is cancelled on event 'stop'."
    )


async def test_a_run_that_waits_for_a_place_as_a_whole(h: Harness) -> None:
    await h.put_dag("dag", task("a"), task("b", "a"), concurrency=[rule()])
    await h.worker("a", "b")
    (first,) = await h.trigger("dag", key("k"))
    second, third = await h.trigger("dag", key("k"), count=2)
    answer = await ask(h, third)
    [blocker] = answer.blockers
    assert (blocker.kind, blocker.task_id) == (Kind.CONCURRENCY, None)
    assert blocker.holders == (domain.Holder(first, "dag", START_MS),)
    assert answer.place == domain.Place("the line of concurrency key 'k'", 2)
    assert answer.status is Status.QUEUED
    # Each of its tasks waits for the same.
    ids = await members(h, second)
    for id in ids.values():
        of_task = await ask(h, id)
        assert kinds(of_task) == [Kind.CONCURRENCY]
        assert of_task.place == domain.Place("the line of concurrency key 'k'", 1)


# ---------------------------------------------------------------- what does not wait


async def test_running(h: Harness) -> None:
    await h.put(retries=1)
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.next()
    await h.advance(1_000)
    answer = await ask(h, run)
    [blocker] = answer.blockers
    assert answer.status is Status.RUNNING
    assert (blocker.kind, blocker.since_ms, blocker.until_ms) == (
        Kind.RUNNING,
        START_MS,
        START_MS + 300_000,
    )
    assert (blocker.attempt, blocker.attempts) == (1, 2)
    assert [one.id for one in blocker.workers] == [worker.id]
    assert answer.remedy == ""


async def test_running_on_a_worker_that_is_away(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    await h.engine.submit(CloseStream(TENANT, worker.id, worker))
    blocker = await only(h, run)
    assert blocker.message.startswith("It runs on worker w, which has lost its connection, since")
    assert [one.state for one in blocker.workers] == ["away"]


async def test_ended(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.complete(worker.started[0])
    answer = await ask(h, run)
    assert answer.blockers == ()
    assert answer.message == f"It has ended: COMPLETED at {moment(START_MS)}."
    assert answer.since_ms == START_MS


async def test_unknown_ids_and_those_of_other_tenants(h: Harness) -> None:
    await h.put()
    (run,) = await h.trigger()
    assert await maybe(h, uuid4()) is None
    assert await maybe(h, run, OTHER_TENANT) is None


# ---------------------------------------------------------------- places, standbys


@pytest.mark.parametrize(("ahead", "place"), [(3, (4, False)), (4, (3, True))])
async def test_places_are_counted_up_to_a_bound(
    h: Harness, monkeypatch: pytest.MonkeyPatch, ahead: int, place: tuple[int, bool]
) -> None:
    monkeypatch.setattr(standing, "PLACES_COUNTED_MAX", 3)
    await h.put()
    runs = await h.trigger(count=5)
    found = (await ask(h, runs[ahead])).place
    assert found is not None
    assert (found.position, found.more) == place


async def test_priorities_and_turns_of_keys_count(h: Harness) -> None:
    await h.put("plain")
    low = await h.trigger("plain", count=2)
    (high,) = await h.trigger("plain", priority=3)
    assert [(await ask(h, run)).place.position for run in (high, *low)] == [1, 2, 3]  # type: ignore[union-attr]
    await h.put("fair", concurrency=[rule(10)])
    many = await h.trigger("fair", key("a"), count=3)
    (one,) = await h.trigger("fair", key("b"))
    places = [(await ask(h, run)).place.position for run in (*many, one)]  # type: ignore[union-attr]
    assert sorted(places) == [1, 2, 3, 4]
    assert places[3] == 2  # its key's first turn


async def test_a_standby_tells_what_the_tables_say(h: Harness) -> None:
    await h.engine.submit(PutRateLimit(TENANT, "api", 0, "HOUR"))
    await h.put(concurrency=[rule()], rate_limits=[RateLimitUse("api", 1)])
    runs = await h.trigger(input=key("a"), count=2)
    await h.put("plain")
    (plain,) = await h.trigger("plain")
    answer = await ask(h, runs[1], hot=None)
    assert kinds(answer) == [Kind.CONCURRENCY, Kind.RATE_LIMIT]
    assert answer.blockers[0].message == "Concurrency key 'a': it waits for a place."
    assert answer.place == domain.Place("the line of concurrency key 'a'", 1)
    assert answer.partial == why.STANDBY_TEXT
    answer = await ask(h, plain, hot=None)
    assert kinds(answer) == [Kind.STANDBY]
    assert answer.message.startswith("It waits for a worker that offers plain:plain.")
    assert answer.place is not None


async def test_after_a_restart_the_answer_is_the_same(h: Harness) -> None:
    await h.put(concurrency=[rule()])
    runs = await h.trigger(input=key("a"), count=2)
    before = await ask(h, runs[1])
    await h.restart()
    assert await ask(h, runs[1]) == before
