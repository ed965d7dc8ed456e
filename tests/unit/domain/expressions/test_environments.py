"""What each environment knows, what it gives, and what it makes of empty or odd results."""

from __future__ import annotations

from typing import Any

import pytest

from hatchet_engine.domain.expressions import (
    BATCH_KEY,
    CONCURRENCY_KEY,
    CONDITION,
    FILTER,
    IDEMPOTENCY_KEY,
    MAX_RUNS,
    RATE_LIMIT_KEY,
    RATE_LIMIT_UNITS,
    RUN_CONCURRENCY_KEY,
    RUN_MAX_RUNS,
    WEBHOOK_KEY,
    Environment,
    EvaluationError,
    ExpressionError,
    compile,
    evaluate_condition,
    evaluate_filter,
)
from hatchet_engine.domain.expressions.environments import ENVIRONMENTS, Kind

TASK = {"input", "additional_metadata", "parents", "workflow_run_id", "task_run_id"}
NAMES = {
    CONDITION: {"input", "output"},
    FILTER: {"input", "additional_metadata", "payload", "event_id", "event_key"},
    CONCURRENCY_KEY: TASK,
    MAX_RUNS: TASK,
    RUN_CONCURRENCY_KEY: {"input", "additional_metadata", "workflow_run_id"},
    RUN_MAX_RUNS: {"input", "additional_metadata", "workflow_run_id"},
    RATE_LIMIT_KEY: TASK,
    RATE_LIMIT_UNITS: TASK,
    BATCH_KEY: TASK,
    IDEMPOTENCY_KEY: {"input", "additional_metadata"},
    WEBHOOK_KEY: {"input", "headers"},
}
TEXTS = {"event_id", "event_key", "workflow_run_id", "task_run_id"}
ALL = pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda one: one.name)

KEYS = [one for one in ENVIRONMENTS if one.result is Kind.STRING]
NUMBERS = [one for one in ENVIRONMENTS if one.result is Kind.INT]


def as_result(environment: Environment, text: str) -> str:
    """An expression of the environment's type that evaluates the text, which is a string."""
    if environment.result is Kind.BOOL:
        return f"{text} != ''"
    return text if environment.result is Kind.STRING else f"size({text})"


def test_the_table_is_complete() -> None:
    assert set(ENVIRONMENTS) == set(NAMES)


@ALL
def test_every_declared_variable_evaluates_and_no_other_compiles(environment: Environment) -> None:
    assert set(environment.variables) == NAMES[environment]
    for name in TASK | {"payload", "event_id", "event_key", "output", "headers", "x"}:
        text = as_result(environment, name if name in TEXTS else f"{name}.key")
        if name in environment.variables:
            value = "v" if name in TEXTS else {"key": "v"}
            assert compile(text, environment).evaluate({name: value}) in (True, "v", 1)
        else:
            with pytest.raises(ExpressionError, match=f"unknown variable `{name}`"):
                compile(text, environment)


@ALL
def test_every_function_works_everywhere(environment: Environment) -> None:
    for text in ("checksum('x')", "'a b'.replace(' ', '_')", "'%d'.format([1])", "' a '.trim()"):
        assert compile(as_result(environment, text), environment).evaluate({})


@ALL
def test_empty(environment: Environment) -> None:
    for text in ("", " \n\t"):
        if environment is CONDITION:
            assert compile(text, environment).evaluate({}) is True
        elif environment is FILTER:
            assert compile(text, environment).evaluate({}) is False
        else:
            with pytest.raises(ExpressionError, match=r"is empty, but .* is required"):
                compile(text, environment)


@pytest.mark.parametrize("value", [1, 0, 1.5, "true", None, [], {}])
def test_a_condition_that_gives_no_bool_is_false_and_a_filter_fails(value: Any) -> None:
    assert evaluate_condition("input.x", input={"x": value}) is False
    with pytest.raises(EvaluationError, match="but a filter must be a bool"):
        evaluate_filter("input.x", input={"x": value})


@pytest.mark.parametrize("environment", KEYS, ids=lambda one: one.name)
def test_keys_are_strings(environment: Environment) -> None:
    for text in ("1", "input.size()", "true", "['a']"):
        with pytest.raises(ExpressionError, match="must be a string"):
            compile(text, environment)
    program = compile("input.x", environment)
    assert program.evaluate({"input": {"x": ""}}) == ""
    for value in (1, 1.0, True, None, ["a"]):
        with pytest.raises(EvaluationError, match="must be a string"):
            program.evaluate({"input": {"x": value}})
    with pytest.raises(EvaluationError, match="null character"):
        compile(r"'a\x00'", environment).evaluate({})


def test_only_a_batch_key_is_stripped() -> None:
    for environment in KEYS:
        key = compile("input.x", environment).evaluate({"input": {"x": " a b\n"}})
        assert key == ("a b" if environment is BATCH_KEY else " a b\n")


def test_only_an_idempotency_key_has_a_reserved_prefix() -> None:
    for environment in KEYS:
        program = compile("input.x + '_1'", environment)
        values = {"input": {"x": "hatchet_internal"}}
        if environment is IDEMPOTENCY_KEY:
            with pytest.raises(EvaluationError, match="belong to the engine"):
                program.evaluate(values)
            assert program.evaluate({"input": {"x": "my_hatchet_internal"}})
        else:
            assert program.evaluate(values) == "hatchet_internal_1"


@pytest.mark.parametrize("environment", NUMBERS, ids=lambda one: one.name)
def test_numbers(environment: Environment) -> None:
    for text in ("'1'", "true", "[1]", "null"):
        with pytest.raises(ExpressionError, match="must be a number"):
            compile(text, environment)
    program = compile("input.x", environment)
    for given, taken in ((3, 3), (-3, -3), (0, 0), (2.9, 2), (-2.9, -2), (2**63 - 1, 2**63 - 1)):
        found = program.evaluate({"input": {"x": given}})
        assert found == taken
        assert type(found) is int
    for given in ("3", True, False, None):
        with pytest.raises(EvaluationError, match="must be a number"):
            program.evaluate({"input": {"x": given}})
    for given in (1e300, -1e19, 2**63):
        with pytest.raises(EvaluationError, match="no number of 64 bits"):
            program.evaluate({"input": {"x": given}})
    for text in ("1.0 / 0.0", "-1.0 / 0.0", "0.0 / 0.0"):
        with pytest.raises(EvaluationError, match="no number of 64 bits"):
            compile(text, environment).evaluate({})


def test_headers_are_strings() -> None:
    text = "headers['x-event'] + input.kind"
    values = {"headers": {"x-event": "push:"}, "input": {"kind": "tag"}}
    assert compile(text, WEBHOOK_KEY).evaluate(values) == "push:tag"
    with pytest.raises(ExpressionError, match="no such operation"):
        compile("headers.a + 1", WEBHOOK_KEY)


def test_variables_that_are_not_given() -> None:
    assert evaluate_condition("!has(input.x) && output.size() == 0")
    assert evaluate_filter("payload == {} && additional_metadata == {}", input={})
    with pytest.raises(EvaluationError, match="event_key has no value here"):
        evaluate_filter("event_key == ''", input={})
    assert evaluate_filter("event_key == ''", input={}, event_key="")
    assert evaluate_filter("input.a == 1 || event_id == ''", input={"a": 1})


def test_an_id_is_a_string_whatever_it_was() -> None:
    class Id:
        def __str__(self) -> str:
            return "0190-x"

    assert compile("event_id.startsWith('0190')", FILTER).evaluate({"event_id": Id()}) is True


@pytest.mark.parametrize("value", ["text", 1, [1]])
def test_what_is_no_object_is_refused_where_it_is_used(value: Any) -> None:
    program = compile("additional_metadata.a == 1", FILTER)
    with pytest.raises(EvaluationError, match="additional_metadata is not a JSON object"):
        program.evaluate({"additional_metadata": value})
    assert evaluate_filter("input.a == 1", input={"a": 1}, additional_metadata=value)


def test_the_short_forms_hand_over_every_variable() -> None:
    assert evaluate_condition("input.a == 1 && output.b == 2", input={"a": 1}, output={"b": 2})
    assert evaluate_filter(
        "input.a == 1 && additional_metadata.b == 2 && payload.c == 3 && event_id == 'i'"
        " && event_key == 'k'",
        input={"a": 1},
        additional_metadata={"b": 2},
        payload={"c": 3},
        event_id="i",
        event_key="k",
    )


def test_equal_texts_share_a_program_but_not_across_environments() -> None:
    assert compile("input.a == 1", FILTER) is compile("input.a == 1", FILTER)
    assert compile("input.a == 1", FILTER) is not compile("input.a == 1", CONDITION)
