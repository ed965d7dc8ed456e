"""The registration message: what PutWorkflow carries for each declaration."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from hatchet import (
    ClientConfig,
    ConcurrencyExpression,
    ConcurrencyLimitStrategy,
    Context,
    DefaultFilter,
    DesiredWorkerLabel,
    EmptyModel,
    Hatchet,
    InvalidDependencyError,
    ParentCondition,
    Priority,
    RateLimit,
    RateLimitDuration,
    SleepCondition,
    StatusBasedIdempotencyConfig,
    StickyStrategy,
    TaskDefaults,
    TTLBasedIdempotencyConfig,
    UserEventCondition,
    WorkerLabelComparator,
    or_,
)
from hatchet_protocol import v1_workflows as wire

from .fake_engine import make_token


class Order(BaseModel):
    id: int


@pytest.fixture
def declare() -> Callable[..., Hatchet]:
    def make(**settings: Any) -> Hatchet:
        return Hatchet(config=ClientConfig(token=make_token("localhost:1"), **settings))

    return make


def test_smallest_task(declare: Callable[..., Hatchet]) -> None:
    @declare().task()
    async def DoIt(input: EmptyModel, ctx: Context) -> None: ...  # noqa: N802

    expected = wire.CreateWorkflowVersionRequest(name="DoIt", default_priority=1)
    expected.tasks.add(
        readable_id="doit",
        action="doit:doit",
        timeout="1m",
        schedule_timeout="5m",
        inputs="{}",
        slot_requests={"default": 1},
    )
    assert DoIt.to_proto() == expected


def test_everything_of_a_standalone(declare: Callable[..., Hatchet]) -> None:
    hatchet = declare(namespace="Dev")

    @hatchet.task(
        name="Charge",
        description="takes money",
        on_events=["order:new", "dev_old"],
        on_crons=["0 * * * *"],
        cron_input=Order(id=1),
        version="v2",
        sticky=StickyStrategy.HARD,
        default_priority=Priority.HIGH,
        concurrency=[
            ConcurrencyExpression(
                expression="input.id",
                max_runs="input.limit",
                limit_strategy=ConcurrencyLimitStrategy.CANCEL_NEWEST,
                name="n",
                is_tenant_scoped=True,
            )
        ],
        schedule_timeout=timedelta(hours=2),
        execution_timeout=timedelta(milliseconds=500),
        retries=3,
        rate_limits=[
            RateLimit(static_key="api", units=2),
            RateLimit(
                dynamic_key="input.user",
                units="input.units",
                limit=10,
                duration=RateLimitDuration.DAY,
            ),
        ],
        desired_worker_labels=[
            DesiredWorkerLabel(
                key="memory",
                value=16,
                required=True,
                weight=5,
                comparator=WorkerLabelComparator.GREATER_THAN,
            ),
        ],
        backoff_factor=2.0,
        backoff_max_seconds=60,
        default_filters=[DefaultFilter(expression="true", scope="s", payload={"a": 1})],
        idempotency=TTLBasedIdempotencyConfig(key_expression="input.id", ttl=timedelta(minutes=1)),
        slot_cost=4,
    )
    def charge(input: Order, ctx: Context) -> None: ...

    message = charge.to_proto()
    assert message.name == "dev_Charge"
    assert message.description == "takes money"
    assert message.version == "v2"
    assert list(message.event_triggers) == ["dev_order:new", "dev_old"]
    assert list(message.cron_triggers) == ["0 * * * *"]
    assert message.cron_input == '{"id":1}'
    assert message.sticky == wire.StickyStrategy.HARD
    assert message.default_priority == 3
    assert json.loads(message.input_json_schema)["properties"]["id"]["type"] == "integer"
    assert (message.idempotency.expression, message.idempotency.ttl_ms) == ("input.id", 60_000)
    (filter_,) = message.default_filters
    assert (filter_.expression, filter_.scope, filter_.payload) == ("true", "s", b'{"a":1}')
    (task,) = message.tasks
    assert (task.readable_id, task.action) == ("charge", "dev_charge:charge")
    assert (task.timeout, task.schedule_timeout) == ("500ms", "2h")
    assert (task.retries, task.backoff_factor, task.backoff_max_seconds) == (3, 2.0, 60)
    assert dict(task.slot_requests) == {"default": 4}
    (group,) = task.concurrency
    assert (group.expression, group.max_runs, group.max_runs_expression) == (
        "input.id",
        1,
        "input.limit",
    )
    assert (group.name, group.is_tenant_scoped) == ("n", True)
    assert group.limit_strategy == wire.ConcurrencyLimitStrategy.CANCEL_NEWEST
    static, dynamic = task.rate_limits
    assert (static.key, static.units, static.limit_values_expr) == ("api", 2, "-1")
    assert static.duration == wire.RateLimitDuration.MINUTE
    assert (dynamic.key_expr, dynamic.units_expr) == ("input.user", "input.units")
    assert (dynamic.limit_values_expr, dynamic.duration) == ("10", wire.RateLimitDuration.DAY)
    (key,) = task.worker_labels
    label = task.worker_labels[key]
    assert (key, label.int_value, label.required, label.weight) == ("memory", 16, True, 5)
    assert label.comparator == 2


def test_a_graph(declare: Callable[..., Hatchet]) -> None:
    hatchet = declare(namespace="dev")
    flow = hatchet.workflow(
        name="Flow",
        input_validator=Order,
        concurrency=3,
        task_defaults=TaskDefaults(retries=5, execution_timeout=timedelta(minutes=10)),
        idempotency=StatusBasedIdempotencyConfig(
            key_expression="input.id", fallback_ttl=timedelta(seconds=1)
        ),
    )

    @flow.task()
    async def Start(input: Order, ctx: Context) -> dict[str, int]:  # noqa: N802
        return {}

    @flow.task(
        parents=[Start],
        retries=0,
        wait_for=[
            or_(SleepCondition(timedelta(seconds=90)), UserEventCondition("go", "input.ok")),
            UserEventCondition("then", readable_data_key="k", scope="s"),
        ],
        skip_if=[ParentCondition(Start, "output.skip")],
        cancel_if=[SleepCondition("1h")],
    )
    async def finish(input: Order, ctx: Context) -> None: ...

    @flow.durable_task(parents=[Start])
    async def wait(input: Order, ctx: Any) -> None: ...

    @flow.on_success_task(name="good")
    async def on_success(input: Order, ctx: Context) -> None: ...

    @flow.on_failure_task()
    async def bad(input: Order, ctx: Context) -> None: ...

    message = flow.to_proto()
    names = [task.readable_id for task in message.tasks]
    assert names == ["start", "finish", "wait", "good-on-success"]
    start, end, durable, success = message.tasks
    assert (start.retries, start.timeout) == (5, "10m")
    assert (end.retries, end.timeout, list(end.parents)) == (0, "10m", ["start"])
    assert durable.is_durable
    assert dict(durable.slot_requests) == {"durable": 1}
    assert list(success.parents) == ["finish", "wait"]
    assert message.on_failure_task.readable_id == "bad-on-failure"
    assert message.on_failure_task.action == "dev_flow:bad-on-failure"
    assert (message.concurrency.expression, message.concurrency.max_runs) == ("'constant'", 3)
    assert message.idempotency.method == wire.IdempotencyMethod.STATUS

    sleep, later = end.conditions.sleep_conditions
    event, then = end.conditions.user_event_conditions
    (parent,) = end.conditions.parent_override_conditions
    assert (sleep.sleep_for, sleep.base.readable_data_key) == ("90s", "sleep:90s")
    assert sleep.base.or_group_id == event.base.or_group_id != then.base.or_group_id
    assert (event.user_event_key, event.base.expression) == ("dev_go", "input.ok")
    assert (then.event_scope, then.base.readable_data_key) == ("s", "k")
    assert (parent.parent_readable_id, parent.base.expression) == ("start", "output.skip")
    assert [c.base.action for c in (sleep, parent, later)] == [1, 3, 2]


def test_added_standalone_keeps_its_input(declare: Callable[..., Hatchet]) -> None:
    hatchet = declare()

    @hatchet.task(retries=2)
    async def one(input: Order, ctx: Context) -> None: ...

    flow = hatchet.workflow(name="flow")
    flow.add_task(one)
    (task,) = flow.tasks
    assert (task.action, task.retries, task._input_codec.declared) == ("flow:one", 2, Order)


def test_declarations_that_cannot_work(declare: Callable[..., Hatchet]) -> None:
    hatchet = declare()

    async def fn(input: EmptyModel, ctx: Context) -> None: ...

    with pytest.raises(ValueError, match="execution_timeout must be positive"):
        hatchet.task(execution_timeout=timedelta(0))(fn)
    with pytest.raises(ValueError, match="slot_cost"):
        hatchet.task(slot_cost=0)(fn)
    with pytest.raises(ValueError, match=r"slot_cost\['gpu'\] must be at least 1, not 0"):
        hatchet.task(slot_cost={"default": 1, "gpu": 0})(fn)
    with pytest.raises(ValueError, match="slot_cost names no pool"):
        hatchet.task(slot_cost={})(fn)
    with pytest.raises(ValueError, match="name of a pool is a text, not ''"):
        hatchet.task(slot_cost={"": 1})(fn)
    with pytest.raises(TypeError, match="slot_cost is a number or a dict"):
        hatchet.task(slot_cost="gpu")(fn)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="default_priority"):
        hatchet.task(default_priority=9)(fn)
    with pytest.raises(ValueError, match="needs a name"):
        hatchet.workflow(name="")

    async def wants_more(input: EmptyModel, ctx: Context, pool: Any) -> None: ...

    with pytest.raises(InvalidDependencyError, match="parameter 'pool' a value"):
        hatchet.task()(wants_more)
    flow = hatchet.workflow(name="flow")
    flow.task()(fn)
    with pytest.raises(ValueError, match="two tasks named 'fn'"):
        flow.task(name="FN")(fn)
    with pytest.raises(ValueError, match="declared before"):
        flow.task(parents=[hatchet.task()(fn)._task])(fn)
    same = [SleepCondition("1s"), SleepCondition("1s")]
    with pytest.raises(ValueError, match="readable_data_key"):
        flow.task(name="b", wait_for=same)(fn)
    flow.on_failure_task()(fn)
    with pytest.raises(ValueError, match="on_failure_task already"):
        flow.on_failure_task(name="second")(fn)
    with pytest.raises(ValueError, match="tenant-scoped"):
        ConcurrencyExpression(
            expression="a",
            max_runs=1,
            limit_strategy=ConcurrencyLimitStrategy.CANCEL_NEWEST,
            is_tenant_scoped=True,
        )
    with pytest.raises(ValueError, match="either static_key or dynamic_key"):
        RateLimit()
