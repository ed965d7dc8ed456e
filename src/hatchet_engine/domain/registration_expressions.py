"""Compiles the expressions of a workflow definition, so that no broken one is ever stored."""

from __future__ import annotations

from collections.abc import Iterable

from hatchet_engine.domain.definition import (
    ConcurrencyRule,
    Condition,
    RateLimitUse,
    TaskDefinition,
    WorkflowDefinition,
)
from hatchet_engine.domain.errors import invalid
from hatchet_engine.domain.expressions import (
    BATCH_KEY,
    CONCURRENCY_KEY,
    CONDITION,
    CONSTANT,
    FILTER,
    IDEMPOTENCY_KEY,
    MAX_RUNS,
    RATE_LIMIT_KEY,
    RATE_LIMIT_UNITS,
    RUN_CONCURRENCY_KEY,
    RUN_MAX_RUNS,
    Environment,
    EvaluationError,
    ExpressionError,
    compile,
)

NO_LIMIT_GIVEN = "-1"  # as clients send it: the limit stays as it is


def check_expressions(definition: WorkflowDefinition) -> None:
    """Raise ``Refused`` INVALID_ARGUMENT for the first expression that does not compile."""
    for position, rule in enumerate(definition.concurrency):
        _check_rule(rule, f"concurrency[{position}]", RUN_CONCURRENCY_KEY, RUN_MAX_RUNS)
    for position, entry in enumerate(definition.default_filters):
        where = f"default_filters[{position}].expression"
        _compile(entry.expression, FILTER, where, "default_filters")
    if definition.idempotency is not None:
        expression = definition.idempotency.expression
        _compile(expression, IDEMPOTENCY_KEY, "idempotency.expression", "idempotency")
    for task in definition.tasks:
        _check_task(task, f"task {task.name!r}")


def _check_task(task: TaskDefinition, where: str) -> None:
    for position, rule in enumerate(task.concurrency):
        _check_rule(rule, f"{where}: concurrency[{position}]", CONCURRENCY_KEY, MAX_RUNS)
    for use in task.rate_limits:
        for name, text, environment in _of_rate_limit(use):
            if text:
                place = f"{where}: rate limit {use.key!r}: {name}"
                _compile(text, environment, place, _LIMITS)
                if environment is RATE_LIMIT_UNITS:
                    _check_constant(text, 0, place, _LIMITS)
    for condition in task.conditions:
        _compile(
            condition.expression,
            CONDITION,
            f"{where}: {described(condition)}: expression",
            "conditions",
        )
    if task.batch is not None and task.batch.group_key:
        _compile(task.batch.group_key, BATCH_KEY, f"{where}: batch_group_key", "batch")


def described(condition: Condition) -> str:
    """A condition for a message: "condition on parent 'first'"."""
    if condition.kind == "parent":
        return f"condition on parent {condition.parent!r}"
    if condition.kind == "event":
        return f"condition on event {condition.event_key!r}"
    return f"sleep condition {condition.sleep!r}"


_LIMITS = "rate_limits"


def _of_rate_limit(use: RateLimitUse) -> Iterable[tuple[str, str | None, Environment]]:
    limit = None if use.limit_expr == NO_LIMIT_GIVEN else use.limit_expr
    return (
        ("key_expr", use.key_expr, RATE_LIMIT_KEY),
        ("units_expr", use.units_expr, RATE_LIMIT_UNITS),
        ("limit_values_expr", limit, RATE_LIMIT_UNITS),
    )


def _check_rule(rule: ConcurrencyRule, where: str, key: Environment, max_runs: Environment) -> None:
    _compile(rule.expression, key, f"{where}.expression", "concurrency")
    if rule.max_runs_expression:
        where = f"{where}.max_runs_expression"
        _compile(rule.max_runs_expression, max_runs, where, "concurrency")
        _check_constant(rule.max_runs_expression, 1, where, "concurrency")


def _compile(text: str, environment: Environment, where: str, field: str) -> None:
    try:
        compile(text, environment)
    except ExpressionError as error:
        raise invalid(f"{where}: {error}", field=field) from None


def _check_constant(text: str, least: int, where: str, field: str) -> None:
    """A number that is the same for all runs is judged here, not when the first of them fails."""
    try:
        value = compile(text, CONSTANT).evaluate({})
    except ExpressionError:
        return  # it looks at something of the run
    except EvaluationError as error:
        raise invalid(f"{where}: {error}", field=field) from None
    if int(value) < least:
        raise invalid(f"{where}: must be at least {least}, {text!r} is {value}", field=field)
