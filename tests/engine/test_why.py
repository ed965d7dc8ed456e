"""Why a task does not run: each blocker, as the engine and its tables tell it."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from hatchet_engine.domain import why as domain
from hatchet_engine.domain.definition import (
    ConcurrencyRule,
    Condition,
    RateLimitUse,
    TaskDefinition,
)
from hatchet_engine.domain.labels import Comparator, DesiredLabel
from hatchet_engine.domain.states import Status
from hatchet_engine.domain.why import Kind, moment
from hatchet_engine.observe import standing, why
from hatchet_engine.turn.commands import (
    ChangeWorker,
    CloseStream,
    NewEvent,
    Pause,
    PauseKind,
    PauseRateLimit,
    PushEvents,
    PutRateLimit,
)
from hatchet_engine.turn.why_workers import Asked, worker_blocker
from tests.support.engine import START_MS, TENANT, Harness
from tests.support.rules import OTHER_TENANT, pass_time, replay
from tests.support.why import ask, kinds, maybe, only

pytestmark = pytest.mark.usefixtures("forget_definitions")


def key(value: str) -> str:
    return f'{{"key":"{value}"}}'


def rule(most: int = 1) -> ConcurrencyRule:
    return ConcurrencyRule("input.key", most, "GROUP_ROUND_ROBIN")


# ---------------------------------------------------------------- workers


async def test_no_worker_at_all(h: Harness) -> None:
    await h.put()
    first, second = await h.trigger(count=2)
    answer = await ask(h, second)
    assert (answer.task_id, answer.run_id, answer.status) == (second, second, Status.QUEUED)
    [blocker] = answer.blockers
    assert blocker.kind is Kind.NO_WORKER
    assert blocker.action == "hello:hello"
    assert blocker.message == "No worker offers hello:hello."
    assert answer.remedy == "Start a worker that offers hello:hello."
    assert answer.place == domain.Place("the queue of hello:hello", 2)
    assert (await ask(h, first)).place == domain.Place("the queue of hello:hello", 1)
    assert answer.since_ms == START_MS
    assert answer.times_out_ms == START_MS + 300_000
    assert answer.message.endswith("It is number 2 in the queue of hello:hello.")


async def test_workers_of_another_action_or_tenant_do_not_count(h: Harness) -> None:
    await h.put()
    await h.worker("other")
    (run,) = await h.trigger()
    blocker = await only(h, run)
    assert (blocker.kind, blocker.workers_total) == (Kind.NO_WORKER, 0)


async def test_workers_that_are_paused_or_away(h: Harness) -> None:
    await h.put()
    paused = await h.worker()
    await h.engine.submit(ChangeWorker(TENANT, paused.id, paused=True))
    away = await h.worker(open=False)
    (run,) = await h.trigger()
    blocker = await only(h, run)
    assert blocker.kind is Kind.NO_WORKER
    assert {(one.id, one.state) for one in blocker.workers} == {
        (paused.id, "paused"),
        (away.id, "away"),
    }
    assert "paused: w" in blocker.message
    assert "away, without a connection: w" in blocker.message
    assert blocker.remedy == "Resume w, or start another worker."


async def test_workers_that_are_full_and_by_what(h: Harness) -> None:
    await h.put()
    worker = await h.worker(slots=2)
    running = await h.trigger(count=2)
    (run,) = await h.trigger()
    answer = await ask(h, run)
    [blocker] = answer.blockers
    assert blocker.kind is Kind.WORKERS_FULL
    assert blocker.message == "Worker w is full: 2 of 2 default slots in use."
    [use] = blocker.workers
    assert (use.id, use.slots, use.free) == (worker.id, {"default": 2}, {"default": 0})
    assert {task.task_id for task in use.tasks} == set(running)
    assert {task.since_ms for task in use.tasks} == {START_MS}
    assert use.tasks_total == 2
    assert answer.place == domain.Place("the queue of hello:hello", 1)


async def test_of_many_full_workers_some_are_shown(h: Harness) -> None:
    await h.put()
    count = domain.WORKERS_SHOWN_MAX + 1
    for _ in range(count):
        await h.worker(slots=domain.TASKS_SHOWN_MAX + 1)
    runs = await h.trigger(count=count * (domain.TASKS_SHOWN_MAX + 1) + 1)
    waiting = next(run for run in runs if run not in h.engine.hot.running)
    blocker = await only(h, waiting)
    assert blocker.workers_total == count
    assert len(blocker.workers) == domain.WORKERS_SHOWN_MAX
    assert len(blocker.workers[0].tasks) == domain.TASKS_SHOWN_MAX
    assert blocker.workers[0].tasks_total == domain.TASKS_SHOWN_MAX + 1
    assert blocker.message.startswith(f"All {count} workers of hello:hello are full: ")


async def test_the_nearest_worker_by_labels(h: Harness) -> None:
    at_least = DesiredLabel(80, True, Comparator.GREATER_THAN_OR_EQUAL)
    await h.put(labels={"gpu": at_least, "zone": DesiredLabel("a", True), "x": DesiredLabel("y")})
    await h.worker(labels={"gpu": 40, "zone": "b"})
    near = await h.worker(labels={"gpu": 40, "zone": "a"})
    (run,) = await h.trigger()
    blocker = await only(h, run)
    assert blocker.kind is Kind.LABELS
    assert blocker.labels == (domain.LabelMiss("gpu", ">= 80", 40),)
    assert [one.id for one in blocker.workers] == [near.id]
    assert "the nearest is w: gpu must be >= 80, it has 40." in blocker.message
    assert blocker.remedy == "Start a worker with gpu >= 80, or set that on w."


async def test_a_paused_worker_has_what_the_others_lack(h: Harness) -> None:
    await h.put(labels={"gpu": DesiredLabel("yes", True)}, slots={"default": 4})
    await h.worker(slots=9)
    small = await h.worker(labels={"gpu": "yes"}, slots=2)
    paused = await h.worker(labels={"gpu": "yes"}, slots=4)
    await h.engine.submit(ChangeWorker(TENANT, paused.id, paused=True))
    (run,) = await h.trigger()
    blocker = await only(h, run)
    assert (blocker.kind, [one.id for one in blocker.workers]) == (Kind.SLOTS, [paused.id])
    assert blocker.message == (
        "No worker of hello:hello with the slots it needs takes tasks now; paused: w."
    )
    assert blocker.remedy == "Resume w, or start another worker."
    await h.engine.submit(ChangeWorker(TENANT, small.id, paused=True))
    blocker = await only(h, run)
    assert (blocker.kind, [one.id for one in blocker.workers]) == (Kind.LABELS, [paused.id])
    assert "with the labels it requires takes tasks now; paused: w." in blocker.message
    assert blocker.remedy == "Resume w, or start another worker."


async def test_labels_whose_weights_are_too_low(h: Harness) -> None:
    await h.put(labels={"slow": DesiredLabel("yes", weight=-5)})
    await h.worker(labels={"slow": "yes"})
    (run,) = await h.trigger()
    blocker = await only(h, run)
    assert (blocker.kind, blocker.labels) == (Kind.LABELS, ())
    assert "less than 0" in blocker.message


async def test_more_slots_than_any_worker_has(h: Harness) -> None:
    await h.put(slots={"default": 1, "gpu": 4})
    await h.worker(slots={"default": 10, "gpu": 2})
    (run,) = await h.trigger()
    blocker = await only(h, run)
    assert (blocker.kind, blocker.slots) == (Kind.SLOTS, {"default": 1, "gpu": 4})
    assert blocker.message.startswith("It takes 1 default slot, 4 gpu slots, and no worker")


async def test_a_task_bound_to_a_worker(h: Harness) -> None:
    """Sticky: the worker has left, is away, paused, full, or has room (B13.6)."""
    await h.put()
    worker = await h.worker(slots=1)
    (_,) = await h.trigger()

    def bound(to: UUID, units: int = 1, *, lasting: bool = False) -> str:
        asked = Asked(TENANT, "hello:hello", {"default": units}, {}, to)
        blocker = worker_blocker(h.engine.hot, asked, lasting=lasting)
        if blocker is None:
            return ""
        assert blocker.kind is Kind.STICKY
        return blocker.message

    assert "which has left" in bound(uuid4())
    assert "full: 1 of 1 default slots in use" in bound(worker.id)
    assert bound(worker.id, lasting=True) == ""
    assert "too few slots" in bound(worker.id, 2)
    await worker.complete(worker.started[0])
    assert bound(worker.id) == ""
    await h.engine.submit(ChangeWorker(TENANT, worker.id, paused=True))
    assert "which is paused" in bound(worker.id)
    other = await h.worker("other")
    assert "does not offer hello:hello" in bound(other.id)
    away = await h.worker(open=False)
    assert "which is away" in bound(away.id)


# ---------------------------------------------------------------- concurrency and rate limits


async def test_a_concurrency_key_with_its_holders(h: Harness) -> None:
    await h.put(concurrency=[rule(2)])
    await h.worker()
    runs = await h.trigger(input=key("acme"), count=2)
    await h.advance(1_000)
    waiting = await h.trigger(input=key("acme"), count=3)
    answer = await ask(h, waiting[1])
    [blocker] = answer.blockers
    assert (blocker.kind, blocker.key, blocker.limit, blocker.used) == (
        Kind.CONCURRENCY,
        "acme",
        2,
        2,
    )
    assert blocker.message == "Concurrency key 'acme': 2 of 2 places are taken."
    assert blocker.holders == tuple(domain.Holder(run, "hello", START_MS) for run in runs)
    assert answer.place == domain.Place("the line of concurrency key 'acme'", 2)
    assert answer.since_ms == START_MS + 1_000


async def test_of_many_holders_the_oldest_are_shown(h: Harness) -> None:
    most = domain.HOLDERS_SHOWN_MAX + 2
    await h.put(concurrency=[rule(most)])
    runs = await h.trigger(input=key("a"), count=most + 1)
    blocker = (await ask(h, runs[-1])).blockers[0]
    assert blocker.used == most
    assert [one.id for one in blocker.holders] == runs[: domain.HOLDERS_SHOWN_MAX]


async def test_two_blockers(h: Harness) -> None:
    """A place under its key would not be enough: nobody offers the action either."""
    await h.put(concurrency=[rule()])
    _, second = await h.trigger(input=key("a"), count=2)
    answer = await ask(h, second)
    assert kinds(answer) == [Kind.CONCURRENCY, Kind.NO_WORKER]
    assert answer.message.endswith("And one more.")
    assert "cancel one" in answer.remedy
    assert "Start a worker" in answer.remedy


async def test_full_workers_are_no_blocker_of_what_waits_in_a_line(h: Harness) -> None:
    """The place and the slot become free together."""
    await h.put(concurrency=[rule()])
    await h.worker(slots=1)
    _, second = await h.trigger(input=key("a"), count=2)
    assert kinds(await ask(h, second)) == [Kind.CONCURRENCY]


async def test_a_later_rule_that_is_full_is_told_as_well(h: Harness) -> None:
    later = ConcurrencyRule("'all'", 1, "GROUP_ROUND_ROBIN")
    await h.put(concurrency=[rule(), later])
    await h.worker()
    await h.trigger(input=key("a"))
    (other,) = await h.trigger(input=key("b"))
    assert [one.key for one in (await ask(h, other)).blockers] == ["all"]
    (third,) = await h.trigger(input=key("a"))
    assert [one.key for one in (await ask(h, third)).blockers] == ["a", "all"]


async def test_units_of_a_rate_limit(h: Harness) -> None:
    await h.engine.submit(PutRateLimit(TENANT, "api", 2, "MINUTE"))
    await h.put(rate_limits=[RateLimitUse("api", 1)])
    await h.worker()
    runs = await h.trigger(count=4)
    answer = await ask(h, runs[3])
    [blocker] = answer.blockers
    assert (blocker.kind, blocker.key, blocker.limit, blocker.used, blocker.needed) == (
        Kind.RATE_LIMIT,
        "api",
        2,
        2,
        1,
    )
    assert blocker.until_ms == START_MS + 60_000
    assert blocker.message == (
        "Rate limit 'api' has 0 of 2 units per minute left, and the task asks for 1; "
        f"it refills at {moment(START_MS + 60_000)}."
    )
    assert answer.place == domain.Place("the line of rate limit 'api'", 2)


async def test_looking_at_a_limit_begins_no_window(h: Harness) -> None:
    """RL-6: only who asks for units begins one."""
    await h.engine.submit(PutRateLimit(TENANT, "api", 1, "MINUTE"))
    await h.put(rate_limits=[RateLimitUse("api", 2)])
    (run,) = await h.trigger()
    meter = h.engine.hot.buckets.get(TENANT, "api").meter
    h.clock.advance(70_000)
    await maybe(h, run)
    assert meter.began_ms == START_MS


async def test_a_rate_limit_that_was_never_put(h: Harness) -> None:
    await h.put(rate_limits=[RateLimitUse("api", 1)])
    await h.worker()
    (run,) = await h.trigger()
    blocker = await only(h, run)
    assert (blocker.limit, blocker.until_ms) == (None, None)
    assert "never been put" in blocker.message
    assert blocker.remedy == "Put a limit for 'api'."


async def test_more_units_than_the_limit_has(h: Harness) -> None:
    await h.engine.submit(PutRateLimit(TENANT, "api", 2, "SECOND"))
    await h.put(rate_limits=[RateLimitUse("api", 3)])
    await h.worker()
    (run,) = await h.trigger()
    blocker = await only(h, run)
    assert blocker.message == "Rate limit 'api' has 2 units in all, and the task asks for 3."
    assert blocker.until_ms is None


async def test_a_rate_limit_that_is_paused(h: Harness) -> None:
    await h.engine.submit(PutRateLimit(TENANT, "api", 2, "SECOND"))
    await h.engine.submit(PauseRateLimit(TENANT, "api", START_MS + 90_000))
    await h.put(rate_limits=[RateLimitUse("api", 1)])
    await h.worker()
    (run,) = await h.trigger()
    blocker = await only(h, run)
    assert blocker.message == f"Rate limit 'api' is paused until {moment(START_MS + 90_000)}."
    assert blocker.until_ms == START_MS + 90_000


async def test_units_and_workers_both_lack(h: Harness) -> None:
    await h.put(rate_limits=[RateLimitUse("api", 1), RateLimitUse("mail", 1)])
    (run,) = await h.trigger()
    answer = await ask(h, run)
    assert kinds(answer) == [Kind.RATE_LIMIT, Kind.RATE_LIMIT, Kind.NO_WORKER]
    assert [one.key for one in answer.blockers[:2]] == ["api", "mail"]


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


async def pause(
    h: Harness, kind: PauseKind, target: object = "", until_ms: int | None = None
) -> None:
    await h.engine.submit(Pause(TENANT, kind, str(target), until_ms, "ada", "a deploy"))


async def test_pauses_of_its_tenant_and_its_workflow(h: Harness) -> None:
    workflow = await h.put()
    other = await h.put("other")
    _, run = await h.trigger(count=2)
    await pause(h, PauseKind.WORKFLOW, workflow.workflow_id, START_MS + 5_000)
    await pause(h, PauseKind.WORKFLOW, other.workflow_id)
    await pause(h, PauseKind.TENANT)
    answer = await ask(h, run)
    assert kinds(answer) == [Kind.PAUSED, Kind.PAUSED, Kind.NO_WORKER]
    tenant, own, _ = answer.blockers
    assert tenant.message == (
        f"Its tenant is paused by ada since {moment(START_MS)}, until somebody resumes it: "
        "a deploy."
    )
    assert (own.by, own.reason, own.until_ms) == ("ada", "a deploy", START_MS + 5_000)
    assert own.remedy == "Resume it, or wait until then."
    assert answer.place == domain.Place("the line of its pause", 2)
    assert answer.times_out_ms is None  # nothing times out meanwhile (REG-25)


async def test_full_workers_are_no_blocker_of_what_is_paused(h: Harness) -> None:
    workflow = await h.put()
    await h.worker(slots=1)
    _, run = await h.trigger(count=2)
    await pause(h, PauseKind.WORKFLOW, workflow.workflow_id)
    assert kinds(await ask(h, run)) == [Kind.PAUSED]


async def test_a_paused_concurrency_key(h: Harness) -> None:
    await h.put(concurrency=[rule()])
    await h.worker()
    runs = await h.trigger(input=key("a"), count=2)
    await h.settle()
    (row,) = await h.fetch("select line from parked_item")
    await pause(h, PauseKind.CONCURRENCY_KEY, row["line"])
    answer = await ask(h, runs[1])
    assert kinds(answer) == [Kind.PAUSED, Kind.CONCURRENCY]
    assert answer.blockers[0].key == "a"
    assert answer.blockers[0].line == answer.blockers[1].line == row["line"]


async def test_a_paused_key_with_free_places(h: Harness) -> None:
    await h.put(concurrency=[rule(5)])
    await h.worker()
    (first,) = await h.trigger(input=key("a"))
    (row,) = await h.fetch("select line from concurrency_place")
    await pause(h, PauseKind.CONCURRENCY_KEY, row["line"])
    (second,) = await h.trigger(input=key("a"))
    assert kinds(await ask(h, first)) == [Kind.RUNNING]
    assert kinds(await ask(h, second)) == [Kind.PAUSED]


# ---------------------------------------------------------------- runs of several tasks


def task(name: str, *parents: str, **more: object) -> TaskDefinition:
    return TaskDefinition(name=name, action=f"{name}:{name}", parents=list(parents), **more)  # type: ignore[arg-type]


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
