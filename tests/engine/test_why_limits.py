"""Why a task waits for a place, for units or for the end of a pause."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hatchet_engine.domain import why as domain
from hatchet_engine.domain.definition import (
    ConcurrencyRule,
    RateLimitUse,
)
from hatchet_engine.domain.why import Kind, moment
from hatchet_engine.turn.commands import (
    Pause,
    PauseKind,
    PauseRateLimit,
    PutRateLimit,
)
from tests.support.concurrency import key
from tests.support.engine import START_MS, TENANT, Harness
from tests.support.why import ask, kinds, maybe, only, rule

pytestmark = pytest.mark.usefixtures("forget_definitions")

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
    assert blocker.kind is Kind.PAUSED
    assert blocker.message == (
        f"Its rate limit 'api' is paused since {moment(START_MS)}, "
        f"until {moment(START_MS + 90_000)}."
    )
    assert (blocker.key, blocker.until_ms) == ("api", START_MS + 90_000)
    assert await ask(h, run) == replace(await ask(h, run, hot=None), partial="")
    await pause(h, PauseKind.RATE_LIMIT, "api")
    assert (await only(h, run)).message.endswith(", until somebody resumes it: a deploy.")
    await h.engine.submit(PutRateLimit(TENANT, "api", 0, "SECOND"))
    paused, lacking = (await ask(h, run)).blockers  # both are to change
    assert (paused.kind, lacking.kind) == (Kind.PAUSED, Kind.RATE_LIMIT)


async def test_units_and_workers_both_lack(h: Harness) -> None:
    await h.put(rate_limits=[RateLimitUse("api", 1), RateLimitUse("mail", 1)])
    (run,) = await h.trigger()
    answer = await ask(h, run)
    assert kinds(answer) == [Kind.RATE_LIMIT, Kind.RATE_LIMIT, Kind.NO_WORKER]
    assert [one.key for one in answer.blockers[:2]] == ["api", "mail"]


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
