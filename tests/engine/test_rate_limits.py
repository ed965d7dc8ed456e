"""Rate limits (RL-*)."""

from __future__ import annotations

import pytest

from hatchet_engine.domain.definition import RateLimitUse
from hatchet_engine.domain.errors import Code
from hatchet_engine.domain.states import EventKind, Status
from hatchet_engine.turn import rates
from hatchet_engine.turn.commands import (
    DeleteRateLimit,
    PauseRateLimit,
    PutRateLimit,
    TriggerItem,
    TriggerRuns,
)
from tests.support.engine import START_MS, TENANT, Harness
from tests.support.rules import cancel, events, outcome, pass_time, refused, replay, status


def static(key: str = "api", units: int = 1) -> RateLimitUse:
    return RateLimitUse(key, units)


def per_user(limit: str = "10", units: str | None = None, window: str = "MINUTE") -> RateLimitUse:
    return RateLimitUse("user", None if units else 1, "'user-' + input.user", units, limit, window)


def by_input(key: str = "api") -> RateLimitUse:
    return RateLimitUse(key, None, None, "input.n", None)


async def put(h: Harness, key: str = "api", limit: int = 2, window: str = "SECOND") -> None:
    await h.engine.submit(PutRateLimit(TENANT, key, limit, window))


async def test_rl_6_fixed_windows_and_exact_refill(h: Harness) -> None:
    await put(h)
    await h.put(rate_limits=[static()])
    worker = await h.worker()
    runs = await h.trigger(count=7)
    for passed, started in ((0, 2), (999, 2), (1, 4), (999, 4), (1, 6), (1_000, 7)):
        await h.advance(passed)
        assert [task.task_id for task in worker.started] == runs[:started]


async def test_rl_6_unused_units_are_not_carried_over(h: Harness) -> None:
    await put(h)
    await h.put(rate_limits=[static()])
    worker = await h.worker()
    await pass_time(h, 10_000, worker)
    await h.trigger(count=5)
    assert len(worker.started) == 2


async def test_rl_7_all_keys_or_none(h: Harness) -> None:
    await put(h, "a", 1)
    await put(h, "b", 1, "MINUTE")
    await h.put("both", rate_limits=[static("a"), static("b")])
    await h.put("only_a", rate_limits=[static("a")])
    worker = await h.worker("both", "only_a")
    await h.trigger("both", count=2)
    assert len(worker.started) == 1
    await h.advance(1_000)
    assert len(worker.started) == 1  # the second lacks b, and has taken nothing of a
    (one,) = await h.trigger("only_a")
    assert worker.started[-1].task_id == one


async def test_rl_7_each_attempt_takes_units(h: Harness) -> None:
    await put(h, limit=1)
    await h.put(rate_limits=[static()], retries=1)
    worker = await h.worker()
    (run,) = await h.trigger()
    await worker.fail(worker.started[0])
    assert len(worker.started) == 1
    await h.advance(1_000)
    assert len(worker.started) == 2
    await worker.complete(worker.started[1])
    await replay(h, run)
    assert len(worker.started) == 2
    await h.advance(1_000)
    assert len(worker.started) == 3


async def test_rl_7_nothing_is_taken_without_a_worker(h: Harness) -> None:
    await put(h)
    await h.put(rate_limits=[static()])
    await h.trigger(count=5)
    bucket = h.engine.hot.buckets.find(TENANT, "api")
    assert bucket is not None
    assert bucket.meter.remaining == 2


async def test_rl_8_workflows_share_a_key(h: Harness) -> None:
    await put(h)
    await h.put("one", rate_limits=[static()])
    await h.put("two", rate_limits=[per_user_named("api")])
    worker = await h.worker("one", "two")
    await h.trigger("one", count=1)
    await h.trigger("two", count=4)
    assert len(worker.started) == 2


def per_user_named(key: str) -> RateLimitUse:
    return RateLimitUse(key, 1, f"'{key}'", None, "-1", "SECOND")


async def test_rl_9_others_pass_and_the_wait_is_told(h: Harness) -> None:
    await put(h, limit=1, window="HOUR")
    await h.put("limited", rate_limits=[static()])
    await h.put("free")
    worker = await h.worker("limited", "free")
    runs = await h.trigger("limited", count=3)
    (free,) = await h.trigger("free")
    assert [task.task_id for task in worker.started] == [runs[0], free]
    assert await events(h, runs[1]) == [EventKind.REQUEUED_RATE_LIMIT]
    rows = await h.fetch("select message from task_event where task_id = $1", runs[1])
    assert "'api': 1 of 1 units per hour are used" in rows[0]["message"]


async def test_rl_9_nobody_overtakes_those_who_wait(h: Harness) -> None:
    await put(h)
    await h.put(rate_limits=[by_input()])
    worker = await h.worker()
    (first,) = await h.trigger(input='{"n":1}')
    (large,) = await h.trigger(input='{"n":2}')
    (small,) = await h.trigger(input='{"n":1}')
    assert [task.task_id for task in worker.started] == [first]
    await h.advance(1_000)
    assert [task.task_id for task in worker.started] == [first, large]
    await h.advance(1_000)
    assert [task.task_id for task in worker.started] == [first, large, small]


async def test_rl_10_an_unknown_key_waits_until_it_is_put(h: Harness) -> None:
    await h.put(rate_limits=[static("later")])
    worker = await h.worker()
    (run,) = await h.trigger()
    assert await status(h, run) is Status.QUEUED
    rows = await h.fetch("select message from task_event where task_id = $1", run)
    assert "never been put" in rows[0]["message"]
    await put(h, "later")
    await h.settle()
    assert len(worker.started) == 1


async def test_rl_11_more_units_than_the_limit_wait_for_another_limit(h: Harness) -> None:
    await put(h, limit=2)
    await h.put(rate_limits=[by_input()])
    worker = await h.worker()
    (never,) = await h.trigger(input='{"n":5}')
    (run,) = await h.trigger(input='{"n":1}')
    assert [task.task_id for task in worker.started] == [run]
    await put(h, limit=5)
    await pass_time(h, 1_000, worker)
    assert [task.task_id for task in worker.started] == [run, never]


async def test_rl_12_no_units_always_pass(h: Harness) -> None:
    await put(h, limit=0)
    await h.put(rate_limits=[by_input()])
    worker = await h.worker()
    await h.trigger(input='{"n":0}', count=3)
    assert len(worker.started) == 3


async def test_rl_13_the_schedule_timeout_runs_on_while_parked(h: Harness) -> None:
    await put(h, limit=1, window="MINUTE")
    await h.put(rate_limits=[static()], schedule_timeout_ms=90_000)
    worker = await h.worker()
    runs = await h.trigger(count=3)
    await pass_time(h, 89_999, worker)
    assert len(worker.started) == 2
    await pass_time(h, 1, worker)
    assert await status(h, runs[2]) is Status.CANCELLED


async def test_rl_14_parked_tasks_and_used_units_survive_a_restart(h: Harness) -> None:
    await put(h, limit=2, window="MINUTE")
    await h.put(rate_limits=[static()])
    worker = await h.worker()
    runs = await h.trigger(count=5)
    await h.restart()
    await worker.open(held=[(task.task_id, task.attempt) for task in worker.started])
    await h.settle()
    assert [task.task_id for task in worker.started] == runs[:2]
    await pass_time(h, 60_000, worker)
    assert [task.task_id for task in worker.started] == runs[:4]


async def test_rl_1_dynamic_keys(h: Harness) -> None:
    await h.put(rate_limits=[per_user("2")])
    worker = await h.worker()
    for user in "aab" * 2:
        await h.trigger(input=f'{{"user":"{user}"}}')
    assert len(worker.started) == 4
    await pass_time(h, 60_000, worker)
    assert len(worker.started) == 6
    rows = await h.fetch("select key, limit_value, window_length from rate_limit order by key")
    assert [tuple(row) for row in rows] == [("user-a", 2, "MINUTE"), ("user-b", 2, "MINUTE")]


async def test_rl_3_a_higher_limit_gives_no_units_before_the_refill(h: Harness) -> None:
    await put(h, limit=1, window="MINUTE")
    await h.put(rate_limits=[static()])
    worker = await h.worker()
    await h.trigger(count=4)
    await put(h, limit=3, window="MINUTE")
    await h.settle()
    assert len(worker.started) == 1
    await pass_time(h, 60_000, worker)
    assert len(worker.started) == 4


async def test_rl_3_of_several_limits_in_one_call_the_smallest_counts(h: Harness) -> None:
    await h.put(rate_limits=[RateLimitUse("k", 1, "'k'", None, "input.limit", "MINUTE")])
    worker = await h.worker()
    items = [TriggerItem("hello", f'{{"limit":{limit}}}') for limit in (9, 2, 5)]
    await h.engine.submit(TriggerRuns(TENANT, items))
    assert len(worker.started) == 2


async def test_rl_2_an_expression_without_a_result_fails_the_task(h: Harness) -> None:
    await h.put(rate_limits=[per_user()], retries=2)
    (run,) = await h.trigger(input="{}")
    assert (await outcome(h, run))["error"].startswith("failed to parse step expression")
    await h.put(rate_limits=[per_user(units="input.n")])
    (run,) = await h.trigger(input='{"user":"a","n":-1}')
    assert "negative" in (await outcome(h, run))["error"]


async def test_b16_a_pause_lets_nothing_pass_before_its_end(h: Harness) -> None:
    await put(h, limit=10, window="SECOND")
    await h.put(rate_limits=[static()])
    worker = await h.worker()
    until = START_MS + 20_000
    assert await h.engine.submit(PauseRateLimit(TENANT, "api", until)) == until
    assert await h.engine.submit(PauseRateLimit(TENANT, "api", until - 5_000)) == until
    runs = await h.trigger(count=3)
    await pass_time(h, 19_999, worker)
    assert worker.started == []
    await pass_time(h, 1, worker)
    assert [task.task_id for task in worker.started] == runs


async def test_a_deleted_limit_is_unknown_again(h: Harness) -> None:
    await put(h)
    await h.put(rate_limits=[static()])
    assert await h.engine.submit(DeleteRateLimit(TENANT, "api")) is True
    assert await h.engine.submit(DeleteRateLimit(TENANT, "api")) is False
    assert await h.count("rate_limit") == 0
    worker = await h.worker()
    await h.trigger()
    assert worker.started == []
    await put(h)
    await h.settle()
    assert len(worker.started) == 1


@pytest.mark.parametrize(
    ("field", "command"),
    [
        ("key", PutRateLimit(TENANT, "", 1)),
        ("key", PutRateLimit(TENANT, "k" * 2_001, 1)),
        ("key", PutRateLimit(TENANT, "a\x00b", 1)),
        ("limit", PutRateLimit(TENANT, "k", -1)),
        ("limit", PutRateLimit(TENANT, "k", 1 << 31)),
        ("duration", PutRateLimit(TENANT, "k", 1, "FORTNIGHT")),
    ],
)
async def test_bad_limits_are_refused(h: Harness, field: str, command: PutRateLimit) -> None:
    with refused(Code.INVALID_ARGUMENT, field):
        await h.engine.submit(command)
    assert await h.count("rate_limit") == 0
    await h.engine.submit(PutRateLimit(TENANT, "k" * 2_000, (1 << 31) - 1, "YEAR"))


async def test_many_are_called_in_bounded_steps(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "CALLED_MAX", 4)
    await put(h, limit=10)
    await h.put(rate_limits=[static()])
    worker = await h.worker()
    runs = await h.trigger(count=30)
    await h.advance(1_000)
    await h.settle()
    await h.advance(1_000)
    await h.settle()
    assert [task.task_id for task in worker.started] == runs


async def test_two_uses_of_one_key_take_the_sum(h: Harness) -> None:
    await put(h, limit=5)
    await h.put(rate_limits=[static(units=2), static(units=1)])
    worker = await h.worker()
    await h.trigger(count=2)
    assert len(worker.started) == 1
    bucket = h.engine.hot.buckets.find(TENANT, "api")
    assert bucket is not None
    assert bucket.meter.remaining == 2
    await h.advance(1_000)
    assert len(worker.started) == 2


async def test_the_next_in_line_goes_when_the_first_one_leaves_it(h: Harness) -> None:
    await put(h, limit=3, window="HOUR")
    await h.put(rate_limits=[by_input()])
    worker = await h.worker()
    (first,) = await h.trigger(input='{"n":1}')
    (large,) = await h.trigger(input='{"n":3}')
    (small,) = await h.trigger(input='{"n":1}')
    assert [task.task_id for task in worker.started] == [first]
    await cancel(h, large)
    await h.settle()
    assert [task.task_id for task in worker.started] == [first, small]


async def test_who_comes_before_all_that_wait_does_not_wait_for_them(h: Harness) -> None:
    await put(h, limit=3, window="HOUR")
    await h.put(rate_limits=[by_input()])
    worker = await h.worker()
    await h.trigger(input='{"n":1}')
    await h.trigger(input='{"n":3}')
    (urgent,) = await h.trigger(input='{"n":1}', priority=3)
    await h.settle()
    assert worker.started[-1].task_id == urgent


async def test_a_raised_limit_finds_all_that_fit_behind_one_that_does_not(h: Harness) -> None:
    await put(h, limit=1)
    await h.put(rate_limits=[by_input()])
    worker = await h.worker()
    await h.trigger(input='{"n":9}')
    (run,) = await h.trigger(input='{"n":3}')
    await h.restart()
    await worker.open()
    await put(h, limit=4)
    await pass_time(h, 1_000, worker)
    assert [task.task_id for task in worker.started] == [run]


async def test_units_left_over_for_want_of_another_key_are_offered_soon(h: Harness) -> None:
    await put(h, "a", 2, "MINUTE")
    await put(h, "b", 1, "HOUR")
    await h.put("both", rate_limits=[static("a"), static("b")])
    await h.put("only_a", rate_limits=[static("a")])
    worker = await h.worker("both", "only_a")
    await h.trigger("only_a", count=2)
    await h.trigger("both", count=2)
    (one,) = await h.trigger("only_a")
    worker.started.clear()
    await pass_time(h, 60_000, worker)
    await pass_time(h, rates.LEFT_OVER_MS, worker)
    assert worker.started[-1].task_id == one


async def test_a_line_is_held_by_its_first_in_the_queue_too(h: Harness) -> None:
    await put(h, limit=2, window="SECOND")
    await h.put(rate_limits=[by_input()])
    runs = [(await h.trigger(input=f'{{"n":{n}}}'))[0] for n in (1, 2, 1)]
    worker = await h.worker()
    await h.settle()
    assert [task.task_id for task in worker.started] == runs[:1]
    await h.advance(1_000)
    assert [task.task_id for task in worker.started] == runs[:2]


async def test_who_finds_no_worker_lets_those_behind_it_have_the_units(h: Harness) -> None:
    await put(h, limit=2, window="MINUTE")
    await h.put("large", slots={"default": 9_999}, rate_limits=[static("api", 2)])
    await h.put("small", rate_limits=[static("api", 2)])
    worker = await h.worker("small")
    await h.trigger("small", count=2)
    (large,) = await h.trigger("large")
    (small,) = await h.trigger("small")
    await pass_time(h, 60_000, worker)
    await pass_time(h, 60_000, worker)
    assert len(worker.started) == 2
    await h.worker("large")
    await h.settle()
    assert worker.started[-1].task_id == small
    (parked,) = await h.fetch("select * from parked_item")
    assert (parked["task_id"], parked["line"][0]) == (large, "w")
