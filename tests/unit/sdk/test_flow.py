"""Options of concurrency, rate limits and labels; rate limits put and paused over gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from hatchet import (
    ClientConfig,
    ConcurrencyExpression,
    ConcurrencyLimitStrategy,
    Context,
    DesiredWorkerLabel,
    EmptyModel,
    Hatchet,
    HatchetCallError,
    RateLimit,
    RateLimitDuration,
)
from hatchet.types.concurrency import MAX_RUNS_MAX
from hatchet_protocol import v1_workflows as wire
from hatchet_protocol import workflows as v0
from hatchet_protocol.times import new_timestamp, timestamp_ms

from .conftest import working
from .fake_engine import FakeEngine, make_token

ROUND = ConcurrencyLimitStrategy.GROUP_ROUND_ROBIN


def rule(expression: str = "input.user", **more: Any) -> ConcurrencyExpression:
    return ConcurrencyExpression(
        **{"expression": expression, "max_runs": 1, "limit_strategy": ROUND, **more}
    )


@pytest.fixture
def offline() -> Hatchet:
    return Hatchet(config=ClientConfig(token=make_token("localhost:1")))


def declared(hatchet: Hatchet, how: str, **options: Any) -> wire.CreateTaskOpts:
    """The task's part of the registration, by each way of declaring one."""

    def sync_fn(input: EmptyModel, ctx: Context) -> None: ...
    async def fn(input: EmptyModel, ctx: Context) -> None: ...

    if how == "task":
        message = hatchet.task(name="t", **options)(fn).to_proto()
    elif how == "durable_task":
        message = hatchet.durable_task(name="t", **options)(fn).to_proto()
    else:
        flow = hatchet.workflow(name="w")
        if how.startswith("on_"):
            flow.task(name="first")(sync_fn)
        getattr(flow, how.removeprefix("workflow."))(name="t", **options)(fn)
        message = flow.to_proto()
    if how == "on_failure_task":
        return message.on_failure_task
    return message.tasks[-1]


WAYS = (
    "task",
    "durable_task",
    "workflow.task",
    "workflow.durable_task",
    "on_failure_task",
    "on_success_task",
)


@pytest.mark.parametrize("how", WAYS)
def test_every_form_of_concurrency_everywhere(offline: Hatchet, how: str) -> None:
    def expressions(value: Any) -> list[str]:
        return [entry.expression for entry in declared(offline, how, concurrency=value).concurrency]

    assert expressions(5) == ["'constant'"]
    assert expressions(rule()) == ["input.user"]
    assert expressions([rule(), rule("'b'")]) == ["input.user", "'b'"]
    assert expressions((rule(), rule("'b'"))) == ["input.user", "'b'"]
    assert expressions(None) == []
    for wrong, text in (
        (0, "concurrency must be at least 1, not 0"),
        (-1, "concurrency must be at least 1, not -1"),
    ):
        with pytest.raises(ValueError, match=text):
            declared(offline, how, concurrency=wrong)
    for wrong in (True, "input.user", 1.5, [rule(), "x"]):
        with pytest.raises(TypeError, match="concurrency takes a number, one Concurr"):
            declared(offline, how, concurrency=wrong)


@pytest.mark.parametrize("how", WAYS)
def test_rate_limits_everywhere(offline: Hatchet, how: str) -> None:
    limit = RateLimit(static_key="api")
    for value in ([limit], (limit,)):
        (sent,) = declared(offline, how, rate_limits=value).rate_limits
        assert (sent.key, sent.units, sent.limit_values_expr) == ("api", 1, "-1")
    with pytest.raises(TypeError, match="rate_limits takes one RateLimit or a sequence of them"):
        declared(offline, how, rate_limits=["api"])


def test_workflow_concurrency(offline: Hatchet) -> None:
    def sent(value: Any) -> wire.CreateWorkflowVersionRequest:
        flow = offline.workflow(name="w", concurrency=value)

        @flow.task()
        def t(input: EmptyModel, ctx: Context) -> None: ...

        return flow.to_proto()

    assert sent(3).concurrency.max_runs == 3
    assert sent(rule()).concurrency.expression == "input.user"
    assert len(sent((rule(), rule("'b'"))).concurrency_arr) == 2
    shared = sent(rule(name="gpu", is_tenant_scoped=True))
    assert (len(shared.concurrency_arr), shared.HasField("concurrency")) == (1, False)
    with pytest.raises(ValueError, match="concurrency must be at least 1"):
        offline.workflow(name="w", concurrency=0)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"expression": " "}, "expression must not be blank"),
        ({"max_runs": 0}, "max_runs must be 1 to"),
        ({"max_runs": MAX_RUNS_MAX + 1}, "max_runs must be 1 to"),
        ({"max_runs": " "}, "max_runs as an expression must not be blank"),
        ({"limit_strategy": "QUEUE_NEWEST"}, "QUEUE_NEWEST is known to no engine"),
        ({"limit_strategy": "QUEUE_OLDEST"}, "QUEUE_OLDEST is known to no engine"),
        ({"is_tenant_scoped": True}, "name: a tenant-scoped rule needs one"),
        ({"is_tenant_scoped": True, "name": " "}, "name: a tenant-scoped rule needs one"),
    ],
)
def test_rules_that_say_nothing(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        rule(**fields)
    assert rule(max_runs=MAX_RUNS_MAX).max_runs == MAX_RUNS_MAX


@pytest.mark.parametrize("strategy", [s for s in ConcurrencyLimitStrategy if "QUEUE_" not in s[:6]])
def test_every_strategy_has_its_number(
    offline: Hatchet, strategy: ConcurrencyLimitStrategy
) -> None:
    (sent,) = declared(offline, "task", concurrency=rule(limit_strategy=strategy)).concurrency
    assert wire.ConcurrencyLimitStrategy(sent.limit_strategy).name == strategy


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "needs either static_key or dynamic_key"),
        ({"static_key": "a", "dynamic_key": "b", "limit": 1}, "needs either"),
        ({"static_key": " "}, "static_key must not be blank"),
        ({"dynamic_key": "input.u"}, "limit: a rate limit with dynamic_key needs one"),
        ({"static_key": "a", "units": -1}, "units must not be negative"),
        ({"static_key": "a", "units": ""}, "units must not be blank"),
        ({"dynamic_key": "a", "limit": -2}, "limit must not be negative"),
    ],
)
def test_limits_that_say_nothing(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        RateLimit(**fields)
    assert RateLimit(static_key="a", units=0).units == 0


def test_labels_without_key_are_ignored_aloud(offline: Hatchet) -> None:
    keyed = DesiredWorkerLabel(key="gpu", value="a100")
    with pytest.warns(RuntimeWarning, match="a label without key is ignored"):
        task = declared(offline, "task", desired_worker_labels=[keyed, DesiredWorkerLabel(value=1)])
    assert list(task.worker_labels) == ["gpu"]
    by_key = {"gpu": DesiredWorkerLabel(value="a100")}
    assert list(declared(offline, "task", desired_worker_labels=by_key).worker_labels) == ["gpu"]
    with pytest.raises(TypeError, match="desired_worker_labels takes one DesiredWorkerLabel"):
        declared(offline, "task", desired_worker_labels=["gpu"])


# ---------------------------------------------------------------- over gRPC


def test_put_and_pause(hatchet: Hatchet, engine: FakeEngine) -> None:
    limits = hatchet.rate_limits
    limits.put("api", 10, RateLimitDuration.MINUTE)
    limits.put("plain", 1)
    asyncio.run(limits.aio_put("day", 0, RateLimitDuration.DAY))
    assert engine.limits == [
        v0.PutRateLimitRequest(key="api", limit=10, duration=1),
        v0.PutRateLimitRequest(key="plain", limit=1, duration=0),
        v0.PutRateLimitRequest(key="day", limit=0, duration=3),
    ]
    in_tokyo = datetime(2030, 1, 1, 9, tzinfo=timezone(timedelta(hours=9)))
    assert limits.pause("api", in_tokyo) == datetime(2030, 1, 1, tzinfo=UTC)
    # Naive is UTC; a fraction of a millisecond is rounded up.
    naive = datetime(2030, 1, 1, 0, 0, 0, 1)  # noqa: DTZ001
    ends = asyncio.run(limits.aio_pause("api", naive))
    assert ends == datetime(2030, 1, 1, 0, 0, 0, 1_000, tzinfo=UTC)
    engine.paused_until_ms = 4_000_000_000_000  # a longer pause is on
    assert limits.pause("api", naive).timestamp() == 4_000_000_000


def test_put_refuses_locally_what_can_not_be(hatchet: Hatchet, engine: FakeEngine) -> None:
    for key, limit, text in (
        ("", 1, "key: a rate limit needs a key"),
        ("api", -1, "limit must be 0 to 2147483647, not -1"),
        ("api", 2**31, "limit must be 0 to 2147483647, not 2147483648"),
    ):
        with pytest.raises(ValueError, match=text):
            hatchet.rate_limits.put(key, limit)
    with pytest.raises(ValueError, match="FORTNIGHT"):
        hatchet.rate_limits.put("api", 1, "FORTNIGHT")  # type: ignore[arg-type]
    assert engine.limits == []
    hatchet.rate_limits.put("x" * 10, 2**31 - 1)
    with pytest.raises(HatchetCallError, match="too long"):
        hatchet.rate_limits.put("refuse", 1)


def test_tasks_pause_limits(make_client: Callable[..., Hatchet], engine: FakeEngine) -> None:
    hatchet = make_client()
    until = datetime(2030, 1, 1, tzinfo=UTC)
    seen: list[datetime] = []

    @hatchet.task()
    def sync_task(input: EmptyModel, ctx: Context) -> None:
        seen.append(ctx.pause_rate_limit("api", until))

    @hatchet.task()
    async def async_task(input: EmptyModel, ctx: Context) -> None:
        seen.append(await ctx.aio_pause_rate_limit("api", until))

    with working(hatchet.worker("w", workflows=[sync_task, async_task])):
        sync_task.run()
        async_task.run()
    assert seen == [until, until]
    assert [timestamp_ms(pause.paused_until) for pause in engine.pauses] == [
        timestamp_ms(new_timestamp(int(until.timestamp() * 1_000)))
    ] * 2


def test_mocked_tasks_pause_nothing(offline: Hatchet) -> None:
    @offline.task()
    def task(input: EmptyModel, ctx: Context) -> dict[str, str]:
        naive = datetime(2030, 1, 1)  # noqa: DTZ001
        return {"until": ctx.pause_rate_limit("api", naive).isoformat()}

    assert task.mock_run() == {"until": "2030-01-01T00:00:00+00:00"}
