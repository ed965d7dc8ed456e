"""Checks and normal form of workflow definitions (REG-*, limits of registration)."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchet_engine.domain.definition import (
    BatchConfig,
    ConcurrencyRule,
    Condition,
    EventFilter,
    IdempotencyConfig,
    RateLimitUse,
    TaskDefinition,
    WorkflowDefinition,
    digest,
    from_json,
    to_json,
)
from hatchet_engine.domain.durations import MAX_MS
from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.domain.labels import Comparator, DesiredLabel
from hatchet_engine.domain.registration import check


def task(name: str = "step", **fields: Any) -> TaskDefinition:
    return TaskDefinition(name=name, **{"action": f"svc:{name}", **fields})


def workflow(*tasks: TaskDefinition, **fields: Any) -> WorkflowDefinition:
    return WorkflowDefinition(**{"name": "flow", "tasks": list(tasks) or [task()], **fields})


def full() -> WorkflowDefinition:
    """Something in every field."""
    first = task(
        "first",
        retries=2,
        backoff_factor=2.0,
        backoff_max_s=10,
        slots={"default": 2},
        labels={"gpu": DesiredLabel("a100", True, Comparator.EQUAL, 5)},
        concurrency=[ConcurrencyRule("input.user")],
        rate_limits=[RateLimitUse("key", units=1)],
        conditions=[
            Condition("sleep", "QUEUE", "wait", "g1", sleep="5s"),
            Condition("event", "SKIP", "stop", "g1", event_key="stop"),
        ],
        batch=BatchConfig(10),
    )
    last = task("on-fail", on_failure=True)
    return workflow(
        task("second", parents=["first"]),
        first,
        last,
        description="text",
        event_triggers=["created"],
        cron_triggers=["* * * * *"],
        cron_input='{"a":1}',
        sticky="SOFT",
        default_priority=2,
        concurrency=[ConcurrencyRule("'all'")],
        default_filters=[EventFilter("true", "scope")],
        input_json_schema="{}",
        idempotency=IdempotencyConfig("input.id", 1_000),
    )


CHANGES: dict[str, Callable[[WorkflowDefinition], None]] = {
    "description": lambda w: setattr(w, "description", "other"),
    "event trigger": lambda w: w.event_triggers.append("deleted"),
    "cron trigger": lambda w: w.cron_triggers.append("1 * * * *"),
    "cron input": lambda w: setattr(w, "cron_input", '{"a":2}'),
    "sticky": lambda w: setattr(w, "sticky", "HARD"),
    "default priority": lambda w: setattr(w, "default_priority", 3),
    "workflow concurrency": lambda w: w.concurrency.append(ConcurrencyRule("'b'")),
    "concurrency max runs": lambda w: setattr(w.concurrency[0], "max_runs", 2),
    "concurrency strategy": lambda w: setattr(w.concurrency[0], "strategy", "CANCEL_NEWEST"),
    "concurrency expression": lambda w: setattr(w.concurrency[0], "expression", "'c'"),
    "default filter": lambda w: w.default_filters.clear(),
    "filter payload": lambda w: setattr(w.default_filters[0], "payload", '{"b":1}'),
    "input schema": lambda w: setattr(w, "input_json_schema", '{"type":"object"}'),
    "idempotency": lambda w: setattr(w, "idempotency", None),
    "idempotency ttl": lambda w: setattr(w.idempotency, "ttl_ms", 2_000),
    "idempotency method": lambda w: setattr(w.idempotency, "method", "STATUS"),
    "task added": lambda w: w.tasks.append(task("third")),
    "task renamed": lambda w: setattr(w.tasks[2], "name", "on-fail-2"),
    "on-failure task": lambda w: w.tasks.pop(2) and None,
    "action": lambda w: setattr(w.tasks[1], "action", "svc:other"),
    "execution timeout": lambda w: setattr(w.tasks[1], "execution_timeout_ms", 1),
    "schedule timeout": lambda w: setattr(w.tasks[1], "schedule_timeout_ms", 1),
    "retries": lambda w: setattr(w.tasks[1], "retries", 3),
    "backoff factor": lambda w: setattr(w.tasks[1], "backoff_factor", 2.5),
    "backoff max": lambda w: setattr(w.tasks[1], "backoff_max_s", 11),
    "parents": lambda w: w.tasks[0].parents.clear(),
    "slots": lambda w: w.tasks[1].slots.update(default=3),
    "slot type": lambda w: w.tasks[1].slots.update(gpu=1),
    "label added": lambda w: w.tasks[1].labels.update(zone=DesiredLabel("eu")),
    "label value": lambda w: w.tasks[1].labels.update(gpu=DesiredLabel("h100", True, weight=5)),
    "label required": lambda w: w.tasks[1].labels.update(gpu=DesiredLabel("a100", weight=5)),
    "label weight": lambda w: w.tasks[1].labels.update(gpu=DesiredLabel("a100", True, weight=6)),
    "label comparator": lambda w: w.tasks[1].labels.update(
        gpu=DesiredLabel("a100", True, Comparator.NOT_EQUAL, 5)
    ),
    "rate limit": lambda w: w.tasks[1].rate_limits.clear(),
    "rate limit units": lambda w: setattr(w.tasks[1].rate_limits[0], "units", 2),
    "rate limit window": lambda w: setattr(w.tasks[1].rate_limits[0], "duration", "HOUR"),
    "task concurrency": lambda w: w.tasks[1].concurrency.clear(),
    "condition": lambda w: w.tasks[1].conditions.pop() and None,
    "condition sleep": lambda w: setattr(w.tasks[1].conditions[0], "sleep", "6s"),
    "condition key": lambda w: setattr(w.tasks[1].conditions[0], "data_key", "later"),
    "condition group": lambda w: setattr(w.tasks[1].conditions[1], "or_group", "g2"),
    "condition expression": lambda w: setattr(w.tasks[1].conditions[1], "expression", "input.x"),
    "batch": lambda w: setattr(w.tasks[1], "batch", None),
    "batch size": lambda w: setattr(w.tasks[1], "batch", BatchConfig(11)),
    "durable": lambda w: setattr(w.tasks[0], "durable", True),
}


@pytest.mark.parametrize("change", list(CHANGES))
def test_reg_3_any_changed_field_makes_a_new_digest(change: str) -> None:
    before, after = full(), full()
    CHANGES[change](after)
    assert digest(check(before)) != digest(check(after))


def test_reg_2_equal_definitions_have_equal_digests() -> None:
    assert digest(check(full())) == digest(check(full()))
    assert digest(check(check(full()))) == digest(check(full()))


def test_definition_reads_back_from_its_stored_form() -> None:
    definition = check(full())
    assert from_json(to_json(definition)) == definition


@given(st.randoms(use_true_random=False))
def test_reg_4_order_of_tasks_does_not_count(shuffle: random.Random) -> None:
    tasks = [
        task("a"),
        task("b", parents=["a"]),
        task("c", parents=["a"]),
        task("d", parents=["c", "b"]),
        task("e"),
    ]
    expected = digest(check(workflow(*copy.deepcopy(tasks))))
    shuffle.shuffle(tasks)
    for one in tasks:
        shuffle.shuffle(one.parents)
    definition = check(workflow(*tasks))
    assert digest(definition) == expected
    names = [one.name for one in definition.tasks]
    for one in definition.tasks:
        assert all(names.index(parent) < names.index(one.name) for parent in one.parents)


def conditions(*groups: str) -> list[Condition]:
    return [
        Condition("event", "QUEUE", f"k{n}", group, event_key="e") for n, group in enumerate(groups)
    ]


def test_reg_4_names_of_or_groups_do_not_count() -> None:
    first = check(workflow(task(conditions=conditions("x", "y", "x"))))
    second = check(workflow(task(conditions=conditions("p", "q", "p"))))
    other = check(workflow(task(conditions=conditions("p", "q", "q"))))
    assert digest(first) == digest(second) != digest(other)
    assert [one.or_group for one in first.tasks[0].conditions] == ["0", "1", "0"]


@pytest.mark.parametrize("none", ["", str(UUID(int=0))])
def test_condition_without_a_group_is_a_group_of_its_own(none: str) -> None:
    definition = check(workflow(task(conditions=conditions(none, "x", none))))
    assert [one.or_group for one in definition.tasks[0].conditions] == ["0", "1", "2"]


def test_reg_4_and_reg_7_one_default_slot_equals_none() -> None:
    none = digest(check(workflow(task())))
    assert digest(check(workflow(task(slots={"default": 1})))) == none
    assert digest(check(workflow(task(slots={"default": 2})))) != none
    assert digest(check(workflow(task(slots={"gpu": 1})))) != none


def test_durable_task_asks_for_a_durable_slot() -> None:
    assert check(workflow(task(durable=True))).tasks[0].slots == {"durable": 1}


def test_reg_6_data_key_of_a_parent_condition_does_not_count() -> None:
    """Official Python puts the time of its start into that key."""

    def of(key: str) -> bytes:
        condition = Condition("parent", "SKIP", key, "g", "output.x", parent="a")
        return digest(check(workflow(task("a"), task("b", parents=["a"], conditions=[condition]))))

    assert of("a:output.x:2026-01-01") == of("a:output.x:2026-02-02")


@pytest.mark.parametrize("names", [["nobody"], ["a", "nobody"]])
def test_reg_8_missing_parent_is_refused(names: list[str]) -> None:
    with pytest.raises(Refused, match="'nobody' is not a task") as caught:
        check(workflow(task("a"), task("b", parents=names)))
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_reg_8_on_failure_task_is_no_parent() -> None:
    with pytest.raises(Refused, match="not a task of this workflow"):
        check(workflow(task("a", parents=["f"]), task("f", on_failure=True)))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_reg_8_circle_is_refused(size: int) -> None:
    tasks = [task(f"t{n}", parents=[f"t{(n + 1) % size}"]) for n in range(size)]
    with pytest.raises(Refused, match="circle") as caught:
        check(workflow(task("root"), *tasks))
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_reg_9_doubled_names_are_refused() -> None:
    with pytest.raises(Refused, match="'a' is used twice"):
        check(workflow(task("a"), task("b"), task("a")))
    with pytest.raises(Refused, match="'a' is used twice"):
        check(workflow(task("a"), task("a", on_failure=True)))


def test_reg_15_concurrency_of_a_one_task_workflow_moves_to_its_task() -> None:
    mine, its = ConcurrencyRule("'w'"), ConcurrencyRule("'t'")
    definition = check(workflow(task(concurrency=[its]), concurrency=[mine]))
    assert definition.concurrency == []
    assert definition.tasks[0].concurrency == [mine, its]


def test_reg_15_concurrency_stays_with_an_on_failure_task() -> None:
    definition = check(
        workflow(task("a"), task("f", on_failure=True), concurrency=[ConcurrencyRule("'w'")])
    )
    assert len(definition.concurrency) == 1
    assert definition.tasks[0].concurrency == []


def test_reg_23_actions_are_lower_case() -> None:
    assert check(workflow(task(action="Svc:Step"))).tasks[0].action == "svc:step"


GOOD: dict[str, WorkflowDefinition] = {
    "shortest name": workflow(name="a"),
    "all characters": workflow(name="aZ09._-"),
    "longest name": workflow(name="n" * 255),
    "priority 1": workflow(default_priority=1),
    "priority 3": workflow(default_priority=3),
    "no retries": workflow(task(retries=0)),
    "most retries": workflow(task(retries=10_000)),
    "factor 1": workflow(task(backoff_factor=1)),
    "factor 1000": workflow(task(backoff_factor=1_000)),
    "backoff 1 s": workflow(task(backoff_factor=2, backoff_max_s=1)),
    "backoff a day": workflow(task(backoff_factor=2, backoff_max_s=86_400)),
    "one unit": workflow(task(slots={"gpu": 1})),
    "action of three parts": workflow(task(action="ns:svc:step")),
    "batch least": workflow(task(batch=BatchConfig(1, 1, None, 1))),
    "batch most": workflow(task(batch=BatchConfig(100_000, 86_400_000, None, 10_000))),
    "ttl 1": workflow(idempotency=IdempotencyConfig("input.x", 1)),
    "longest ttl": workflow(idempotency=IdempotencyConfig("input.x", MAX_MS)),
    "most tasks": workflow(*[task(f"t{n}") for n in range(1_000)]),
    "sleep": workflow(task(conditions=[Condition("sleep", "QUEUE", "k", "g", sleep="1h")])),
    "units by expression": workflow(task(rate_limits=[RateLimitUse("k", units_expr="1")])),
    "longest event key": workflow(
        task(conditions=[Condition("event", "QUEUE", "k", "g", event_key="e" * 1_024)])
    ),
    "condition on a parent": workflow(
        task("a"),
        task("b", parents=["a"], conditions=[Condition("parent", "SKIP", "k", "g", parent="a")]),
    ),
    "data key used twice": workflow(
        task(
            conditions=[
                Condition("event", "QUEUE", "k", "0", event_key="e"),
                Condition("event", "QUEUE", "k", "1", event_key="f"),
            ]
        )
    ),
    "filter that lets nothing pass": workflow(default_filters=[EventFilter("", "s")]),
}


@pytest.mark.parametrize("name", list(GOOD))
def test_limits_themselves_are_taken(name: str) -> None:
    definition = check(copy.deepcopy(GOOD[name]))
    assert from_json(to_json(definition)) == definition


def rule(**fields: Any) -> ConcurrencyRule:
    return ConcurrencyRule(**{"expression": "'x'", **fields})


def shared(**fields: Any) -> ConcurrencyRule:
    """A place of the limit "s"."""
    fields = {"name": "s", "tenant_scoped": True, "strategy": "GROUP_ROUND_ROBIN", **fields}
    return rule(**fields)


BAD: dict[str, tuple[WorkflowDefinition, str]] = {
    "no name": (workflow(name=""), "name: is required"),
    "space in name": (workflow(name="a b"), "may hold only"),
    "newline after name": (workflow(name="a\n"), "may hold only"),
    "umlaut in name": (workflow(name="ä"), "may hold only"),
    "slash in name": (workflow(name="a/b"), "may hold only"),
    "long name": (workflow(name="n" * 256), "limit is 255"),
    "no task name": (workflow(task("", action="a:b")), "task.readable_id: is required"),
    "space in task name": (workflow(task("a b", action="a:b")), "may hold only"),
    "newline after task name": (workflow(task("a\n", action="a:b")), "may hold only"),
    "no tasks": (WorkflowDefinition("w"), "at least one task"),
    "on-failure alone": (workflow(task(on_failure=True)), "at least one task"),
    "too many tasks": (workflow(*[task(f"t{n}") for n in range(1_001)]), "at most 1000"),
    "no action": (workflow(task(action="")), "service:verb"),
    "no verb": (workflow(task(action="svc:")), "service:verb"),
    "no service": (workflow(task(action=":verb")), "service:verb"),
    "no colon": (workflow(task(action="verb")), "service:verb"),
    "newline after action": (workflow(task(action="a:b\n")), "service:verb"),
    "null in action": (workflow(task(action="a:b\x00")), "service:verb"),
    "priority 0": (workflow(default_priority=0), "between 1 and 3, got 0"),
    "priority 4": (workflow(default_priority=4), "between 1 and 3, got 4"),
    "retries -1": (workflow(task(retries=-1)), "retries"),
    "retries 10001": (workflow(task(retries=10_001)), "retries"),
    "factor 0.99": (workflow(task(backoff_factor=0.99)), "backoff_factor"),
    "factor 1000.1": (workflow(task(backoff_factor=1_000.1)), "backoff_factor"),
    "factor nan": (workflow(task(backoff_factor=float("nan"))), "backoff_factor"),
    "factor inf": (workflow(task(backoff_factor=float("inf"))), "backoff_factor"),
    "backoff 0 s": (workflow(task(backoff_factor=2, backoff_max_s=0)), "backoff_max_seconds"),
    "backoff too long": (workflow(task(backoff_max_s=86_401)), "backoff_max_seconds"),
    "no slot type": (workflow(task(slots={"": 1})), "slot_requests"),
    "no units": (workflow(task(slots={"default": 0})), "slot_requests"),
    "less than no units": (workflow(task(slots={"default": -1})), "slot_requests"),
    "concurrency without expression": (workflow(concurrency=[rule(expression="")]), "expression"),
    "dead strategy": (workflow(concurrency=[rule(strategy="DROP_NEWEST")]), "DROP_NEWEST"),
    "no runs": (workflow(task(concurrency=[rule(max_runs=0)])), "max_runs"),
    "shared limit without name": (workflow(concurrency=[rule(tenant_scoped=True)]), "needs a name"),
    "shared limit of two sizes": (
        workflow(task("a", concurrency=[shared()]), task("b", concurrency=[shared(max_runs=2)])),
        "task 'b': concurrency: the shared limit 's' has max_runs 2 here and 1 in task 'a': conc",
    ),
    "shared limit of two strategies": (
        workflow(task(concurrency=[shared(strategy="CANCEL_NEWEST")]), concurrency=[shared()]),
        "has strategy CANCEL_NEWEST here and GROUP_ROUND_ROBIN in concurrency",
    ),
    "shared limit of number and expression": (
        workflow(task(concurrency=[shared(), shared(max_runs_expression="input.n")])),
        "has max_runs_expression input.n here and None in",
    ),
    "a run that waits for itself": (
        workflow(task("a"), task("b", concurrency=[shared()]), concurrency=[shared()]),
        "its run would wait for itself",
    ),
    "an on-failure task that waits for its run": (
        workflow(
            task("a"),
            task("f", on_failure=True, concurrency=[shared()]),
            concurrency=[shared()],
        ),
        "its run would wait for itself",
    ),
    "rate limit without key": (workflow(task(rate_limits=[RateLimitUse("", 1)])), "key and units"),
    "rate limit with a long key": (
        workflow(task(rate_limits=[RateLimitUse("k" * 2_001, 1)])),
        "longer than 2000 bytes",
    ),
    "rate limit without units": (workflow(task(rate_limits=[RateLimitUse("k")])), "key and units"),
    "batch size 0": (workflow(task(batch=BatchConfig(0))), "max_size"),
    "batch size too large": (workflow(task(batch=BatchConfig(100_001))), "max_size"),
    "batch interval 0": (workflow(task(batch=BatchConfig(1, 0))), "interval_ms"),
    "batch interval too long": (workflow(task(batch=BatchConfig(1, 86_400_001))), "interval_ms"),
    "batch group runs 0": (workflow(task(batch=BatchConfig(1, 1, None, 0))), "group_max_runs"),
    "batch group runs too many": (
        workflow(task(batch=BatchConfig(1, 1, None, 10_001))),
        "group_max_runs",
    ),
    "idempotency without expression": (
        workflow(idempotency=IdempotencyConfig("", 1)),
        "idempotency.expression",
    ),
    "idempotency ttl 0": (workflow(idempotency=IdempotencyConfig("x", 0)), "ttl_ms"),
    "idempotency ttl too long": (
        workflow(idempotency=IdempotencyConfig("x", MAX_MS + 1)),
        str(MAX_MS),
    ),
    "idempotency method": (
        workflow(idempotency=IdempotencyConfig("x", 1, "NEVER")),
        "TTL or STATUS",
    ),
    "filter payload": (workflow(default_filters=[EventFilter("x", "s", "{")]), "not valid JSON"),
    "cron input": (workflow(cron_input="{"), "not valid JSON"),
    "condition without key": (
        workflow(task(conditions=[Condition("event", "QUEUE", "", "g")])),
        "data key",
    ),
    "condition action": (
        workflow(task(conditions=[Condition("event", "CREATE", "k", "g")])),
        "not CREATE",
    ),
    "sleep without duration": (
        workflow(task(conditions=[Condition("sleep", "QUEUE", "k", "g")])),
        "duration",
    ),
    "sleep of nonsense": (
        workflow(task(conditions=[Condition("sleep", "QUEUE", "k", "g", sleep="soon")])),
        "duration",
    ),
    "event without key": (
        workflow(task(conditions=[Condition("event", "QUEUE", "k", "g")])),
        "a condition on an event needs its key",
    ),
    "event key too long": (
        workflow(task(conditions=[Condition("event", "QUEUE", "k", "g", event_key="e" * 1_025)])),
        "1025 characters long, the limit is 1024",
    ),
    "condition on a task that is no parent": (
        workflow(
            task("a"),
            task("b", conditions=[Condition("parent", "SKIP", "k", "g", parent="a")]),
        ),
        "task 'b': condition on parent 'a': that is no parent of this task",
    ),
    "condition on no parent": (
        workflow(task(conditions=[Condition("parent", "SKIP", "k", "g")])),
        "that is no parent of this task",
    ),
    "null in description": (workflow(description="\x00"), "null character"),
    "null in expression": (workflow(concurrency=[rule(expression="\x00")]), "null character"),
    "half character": (workflow(description="\ud800"), "can't be stored"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_beyond_the_limits_is_refused_by_name(name: str) -> None:
    definition, words = BAD[name]
    with pytest.raises(Refused) as caught:
        check(copy.deepcopy(definition))
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert words in caught.value.message


def test_a_shared_limit_may_stand_at_several_tasks() -> None:
    both = [task("a", concurrency=[shared()]), task("b", concurrency=[shared(expression="'k'")])]
    assert len(check(workflow(*both)).tasks) == 2
    one = check(workflow(task("a", concurrency=[shared()]), concurrency=[shared()]))
    assert len(one.tasks[0].concurrency) == 2
    plain = rule(name="s", max_runs=7)  # a name alone shares nothing
    assert check(workflow(task("a", concurrency=[plain, shared()]), task("b")))


def test_backslash_before_u0000_is_plain_text() -> None:
    assert check(workflow(description="\\u0000")).description == "\\u0000"
