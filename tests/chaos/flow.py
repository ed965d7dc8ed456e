"""Workflows that use everything of flow control, for callers and workers, and what they promise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, NamedTuple

from pydantic import BaseModel

from hatchet import (
    BatchContext,
    BatchMemberId,
    ConcurrencyExpression,
    Context,
    DesiredWorkerLabel,
    Hatchet,
    RateLimit,
    RateLimitDuration,
    StatusBasedIdempotencyConfig,
    StickyStrategy,
    TTLBasedIdempotencyConfig,
)
from hatchet import ConcurrencyLimitStrategy as Strategy

RETRIES = 2
TIMES = {"execution_timeout": timedelta(minutes=2), "schedule_timeout": timedelta(minutes=2)}
BY_CLOCK = -1  # the number of all jobs that crons start


class Job(BaseModel):
    """Attempts in `fail_on` fail. `key`, `other`, `places`, `units` are what the limits look at."""

    number: int
    key: str = ""
    other: str = ""
    places: int = 1
    units: int = 1
    sleep_ms: int = 10
    fail_on: list[int] = []


class Done(BaseModel):
    """`batch`: its id; empty for a task that is called for each run."""

    number: int
    attempt: int
    batch: str = ""


class Rule(NamedTuple):
    """At most `max_runs` with the same value of `field` at once."""

    field: str
    max_runs: int | str
    strategy: Strategy = Strategy.GROUP_ROUND_ROBIN
    name: str = ""  # of one that workflows share

    def expression(self) -> ConcurrencyExpression:
        return ConcurrencyExpression(
            expression=f"input.{self.field}",
            max_runs=self.max_runs,
            limit_strategy=self.strategy,
            name=self.name or None,
            is_tenant_scoped=bool(self.name),
        )

    def places(self, job: Job) -> int:
        return self.max_runs if isinstance(self.max_runs, int) else job.places


SHARED = Rule("key", 2, name="shared")
RULES: dict[str, list[Rule]] = {
    "limited": [Rule("key", 2)],
    "dynamic": [Rule("key", "input.places")],
    "shared-a": [SHARED],
    "shared-b": [SHARED],
    "chain": [Rule("key", 2), Rule("other", 3)],
    "newest": [Rule("key", 1, Strategy.CANCEL_IN_PROGRESS)],
    "first": [Rule("key", 1, Strategy.CANCEL_NEWEST)],
    "newest-waits": [Rule("key", 1, Strategy.CANCEL_QUEUED_EXCEPT_NEWEST)],
    "oldest-waits": [Rule("key", 1, Strategy.CANCEL_QUEUED_EXCEPT_OLDEST)],
}
CANCELLING = ("newest", "first", "newest-waits", "oldest-waits")

# Units per second: of all that is metered, and of each key of "metered".
API, API_UNITS, KEY_UNITS = "api", 20, 8
METERED = ("metered", "api-only")

CHOSEN_WORKER = "two"  # of "routed"
BATCH_SIZE = 5

Body = Callable[[Job, Context], Awaitable[Done]]
BatchBody = Callable[
    [dict[BatchMemberId, Job], BatchContext], Awaitable[dict[BatchMemberId, Done | Exception]]
]


async def _elsewhere(input: Job, ctx: Context) -> Done:
    raise AssertionError("runs in flow_worker.py")


async def _batch_elsewhere(
    inputs: dict[BatchMemberId, Job], ctx: BatchContext
) -> dict[BatchMemberId, Done | Exception]:
    raise AssertionError("runs in flow_worker.py")


def declare_flow(
    hatchet: Hatchet, body: Body = _elsewhere, batch_body: BatchBody = _batch_elsewhere
) -> dict[str, Any]:
    """All workflows by name."""
    flow: dict[str, Any] = {}

    def add(name: str, **options: Any) -> None:
        rules = [rule.expression() for rule in RULES.get(name, [])] or None
        task = hatchet.task(
            name=name,
            input_validator=Job,
            retries=RETRIES,
            concurrency=rules,
            **TIMES,  # type: ignore[arg-type]
            **options,
        )
        flow[name] = task(body)

    def add_chain(name: str, **options: Any) -> None:
        rules = [rule.expression() for rule in RULES.get(name, [])] or None
        chain = hatchet.workflow(name=name, input_validator=Job, concurrency=rules, **options)
        begin = chain.task(name="begin", retries=RETRIES, **TIMES)(body)
        chain.task(name="end", parents=[begin], retries=RETRIES, **TIMES)(body)
        flow[name] = chain

    add("limited", slot_cost=2)
    for name in ("dynamic", "shared-a", "shared-b", *CANCELLING):
        add(name)
    add_chain("chain")
    api = RateLimit(static_key=API, units=1)
    by_key = RateLimit(
        dynamic_key="'key-' + input.key",
        units="input.units",
        limit=KEY_UNITS,
        duration=RateLimitDuration.SECOND,
    )
    add("metered", rate_limits=[api, by_key])
    by_minute = RateLimit(dynamic_key="'minute-' + input.key", units="input.units", limit=10_000)
    add("api-only", rate_limits=[api, by_minute])
    label = DesiredWorkerLabel(key="name", value=CHOSEN_WORKER, required=True)
    add("routed", desired_worker_labels=[label])
    add_chain("film", sticky=StickyStrategy.HARD)
    once = TTLBasedIdempotencyConfig(key_expression="input.key", ttl=timedelta(hours=1))
    add("once", idempotency=once)
    alone = StatusBasedIdempotencyConfig(
        key_expression="input.key", fallback_ttl=timedelta(hours=1)
    )
    add("alone", idempotency=alone)
    add("later")
    add("ticking", on_crons=["* * * * * *"], cron_input=Job(number=BY_CLOCK))
    flow["batch"] = hatchet.batch_task(
        name="batch",
        input_validator=Job,
        retries=RETRIES,
        batch_max_size=BATCH_SIZE,
        batch_max_interval=timedelta(milliseconds=150),
        batch_group_key="input.key",
        batch_group_max_runs=1,
        **TIMES,
    )(batch_body)
    return flow
