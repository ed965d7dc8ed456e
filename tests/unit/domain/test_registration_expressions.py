"""Expressions are compiled when a workflow is registered; the error names where each stands."""

from __future__ import annotations

from typing import Any

import pytest

from hatchet_engine.domain.definition import (
    BatchConfig,
    ConcurrencyRule,
    Condition,
    EventFilter,
    IdempotencyConfig,
    RateLimitUse,
    TaskDefinition,
    WorkflowDefinition,
)
from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.domain.registration import check

GOOD_KEY = "input.user + additional_metadata.tenant"


def workflow(task: dict[str, Any] | None = None, **fields: Any) -> WorkflowDefinition:
    step = TaskDefinition("step", "svc:step", parents=["first"], **(task or {}))
    tasks = [TaskDefinition("first", "svc:first"), step]
    return WorkflowDefinition("flow", tasks=tasks, **fields)


def condition(kind: str, expression: str, **fields: Any) -> dict[str, Any]:
    return {"conditions": [Condition(kind, "QUEUE", "k", "g", expression, **fields)]}


def everywhere(bad: str) -> dict[str, tuple[WorkflowDefinition, str, str]]:
    """The same expression in every place; the field and how the message begins."""
    rule, own = ConcurrencyRule(bad), ConcurrencyRule("'k'", max_runs_expression=bad)
    return {
        "concurrency": (
            workflow(concurrency=[ConcurrencyRule("'k'"), rule]),
            "concurrency",
            "concurrency[1].expression: ",
        ),
        "max runs": (
            workflow(concurrency=[own]),
            "concurrency",
            "concurrency[0].max_runs_expression: ",
        ),
        "concurrency of a task": (
            workflow({"concurrency": [rule]}),
            "concurrency",
            "task 'step': concurrency[0].expression: ",
        ),
        "max runs of a task": (
            workflow({"concurrency": [own]}),
            "concurrency",
            "task 'step': concurrency[0].max_runs_expression: ",
        ),
        "rate limit key": (
            workflow({"rate_limits": [RateLimitUse("api", 1, key_expr=bad)]}),
            "rate_limits",
            "task 'step': rate limit 'api': key_expr: ",
        ),
        "rate limit units": (
            workflow({"rate_limits": [RateLimitUse("api", units_expr=bad)]}),
            "rate_limits",
            "task 'step': rate limit 'api': units_expr: ",
        ),
        "rate limit": (
            workflow({"rate_limits": [RateLimitUse("api", 1, limit_expr=bad)]}),
            "rate_limits",
            "task 'step': rate limit 'api': limit_values_expr: ",
        ),
        "batch": (
            workflow({"batch": BatchConfig(5, group_key=bad)}),
            "batch",
            "task 'step': batch_group_key: ",
        ),
        "event": (
            workflow(condition("event", bad, event_key="go")),
            "conditions",
            "task 'step': condition on event 'go': expression: ",
        ),
        "parent": (
            workflow(condition("parent", bad, parent="first")),
            "conditions",
            "task 'step': condition on parent 'first': expression: ",
        ),
        "sleep": (
            workflow(condition("sleep", bad, sleep="5s")),
            "conditions",
            "task 'step': sleep condition '5s': expression: ",
        ),
        "filter": (
            workflow(default_filters=[EventFilter("true", "s"), EventFilter(bad, "s")]),
            "default_filters",
            "default_filters[1].expression: ",
        ),
        "idempotency": (
            workflow(idempotency=IdempotencyConfig(bad, 1)),
            "idempotency",
            "idempotency.expression: ",
        ),
    }


@pytest.mark.parametrize("place", list(everywhere("")))
@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("nobody.x == 'a'", "unknown variable `nobody`; "),
        ("input.x ==", "syntax error: the expression ends too early (line 1, column 11)\n"),
        ("shout(input.x)", "there is no function `shout`"),
        ("[input.x]", "gives list<dyn>, but "),
    ],
)
def test_an_expression_that_does_not_compile_is_refused(
    place: str, expression: str, words: str
) -> None:
    definition, field, beginning = everywhere(expression)[place]
    with pytest.raises(Refused) as caught:
        check(definition)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.field == field
    assert caught.value.message.startswith(beginning)
    assert words in caught.value.message


@pytest.mark.parametrize("place", ["concurrency", "concurrency of a task", "rate limit key",
                                   "batch", "idempotency"])  # fmt: skip
def test_keys_are_taken(place: str) -> None:
    check(everywhere(GOOD_KEY)[place][0])


@pytest.mark.parametrize("place", ["max runs", "max runs of a task", "rate limit units",
                                   "rate limit"])  # fmt: skip
def test_numbers_are_taken(place: str) -> None:
    for expression in ("10", "input.n", "2.5", "input.premium == true ? 10 : 1"):
        check(everywhere(expression)[place][0])


@pytest.mark.parametrize("place", ["event", "parent", "sleep", "filter"])
def test_conditions_and_filters_are_taken(place: str) -> None:
    for expression in ("", "input.x == 1 && has(input.y)"):
        check(everywhere(expression)[place][0])


def test_parents_are_known_to_tasks_only() -> None:
    """A workflow's own rules hold before any of its tasks has run."""
    places = everywhere("parents.first.key")
    for place in ("concurrency of a task", "rate limit key", "batch"):
        check(places[place][0])
    for place in ("concurrency", "idempotency", "filter", "event"):
        with pytest.raises(Refused, match="unknown variable `parents`"):
            check(places[place][0])


@pytest.mark.parametrize("text", ["0", "-1", "2 - 3", "0.9", "int('0')", "size([])"])
def test_con_1_a_constant_max_runs_is_judged_at_once(text: str) -> None:
    rule = ConcurrencyRule("'k'", max_runs_expression=text)
    for definition in (workflow(concurrency=[rule]), workflow({"concurrency": [rule]})):
        with pytest.raises(Refused) as caught:
            check(definition)
        assert (caught.value.code, caught.value.field) == (Code.INVALID_ARGUMENT, "concurrency")
        assert "max_runs_expression: must be at least 1" in caught.value.message


@pytest.mark.parametrize("text", ["1", "3 - 2", "1.9", "size(input)", "int(input.n) - 5"])
def test_con_1_other_numbers_are_taken(text: str) -> None:
    check(workflow(concurrency=[ConcurrencyRule("'k'", max_runs_expression=text)]))


def test_a_constant_that_gives_nothing_is_refused() -> None:
    rule = ConcurrencyRule("'k'", max_runs_expression="1 / 0")
    with pytest.raises(Refused, match=r"concurrency\[0\].max_runs_expression: .*zero"):
        check(workflow(concurrency=[rule]))


def test_rl_2_constant_units_and_limits_are_not_negative() -> None:
    for use, name in (
        (RateLimitUse("api", units_expr="1 - 2"), "units_expr"),
        (RateLimitUse("api", units_expr="-1"), "units_expr"),
        (RateLimitUse("api", 1, key_expr="'k'", limit_expr="-2"), "limit_values_expr"),
    ):
        with pytest.raises(Refused, match=f"{name}: must be at least 0"):
            check(workflow({"rate_limits": [use]}))
    check(workflow({"rate_limits": [RateLimitUse("api", units_expr="0")]}))
    for key_expr in (None, "'k'"):  # as clients say that no limit is given
        use = RateLimitUse("api", 1, key_expr=key_expr, limit_expr="-1")
        check(workflow({"rate_limits": [use]}))
