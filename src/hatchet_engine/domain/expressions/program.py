"""Compiled expressions: :func:`compile`, :class:`Program` and short forms for bool results."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from hatchet_engine.domain.expressions import library, messages
from hatchet_engine.domain.expressions.environments import (
    CONDITION,
    FILTER,
    Environment,
    Kind,
)
from hatchet_engine.domain.expressions.errors import EvaluationError, ExpressionError

EXPRESSION_CHARACTERS_MAX = 10_000
PROGRAMS_CACHED_MAX = 10_000  # the least recently used one goes first

_NAME_OF_RESULT = {Kind.BOOL: "a bool", Kind.STRING: "a string", Kind.INT: "a number"}
_TYPES_OF_RESULT = {
    Kind.BOOL: ("BOOL", "DYN"),
    Kind.STRING: ("STRING", "DYN"),
    Kind.INT: ("INT", "UINT", "DOUBLE", "DYN"),
}
_EMPTY: Mapping[str, Any] = {}


class Program:
    """An expression that compiled; immutable, may be kept and shared."""

    __slots__ = ("_compiled", "environment", "text")

    def __init__(
        self, text: str, environment: Environment, compiled: library.Compiled | None
    ) -> None:
        self.text = text
        self.environment = environment
        self._compiled = compiled  # None: an empty expression

    def evaluate(self, variables: Mapping[str, Any]) -> bool | str | int:
        """The result, of the type that the environment asks for.

        ``variables`` are values as a JSON decoder gives them, by name; a map that is not given is
        empty, a string that is not given can't be used. Raises ``EvaluationError``.
        """
        if self._compiled is None:
            return bool(self.environment.empty)
        try:
            result = self._compiled.eval(data=self._data(variables))
        except RuntimeError as error:
            raise self._failed(messages.of_evaluation(str(error))) from None
        value = result.value()
        if value is True or value is False:
            if self.environment.result is Kind.BOOL:
                return bool(value)
        elif result.type() == library.ERROR:
            raise self._failed(messages.of_evaluation(str(value)))
        return self._converted(value)

    def _data(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for name, kind in self.environment.variables.items():
            value = variables.get(name)
            if kind is Kind.STRING:
                if value is not None:
                    data[name] = str(value)
            elif value is None:
                data[name] = _EMPTY
            elif isinstance(value, dict):
                data[name] = value
            else:
                raise self._failed(f"{name} is not a JSON object")
        return data

    def _converted(self, value: Any) -> bool | str | int:
        environment = self.environment
        if environment.result is Kind.STRING and type(value) is str:
            text = value.strip() if environment.stripped else value
            if environment.reserved_prefix and text.startswith(environment.reserved_prefix):
                raise self._failed(
                    f"gives {text[:100]!r}, but keys that begin with "
                    f"{environment.reserved_prefix} belong to the engine"
                )
            return text
        if environment.result is Kind.INT and type(value) in (int, float):
            if not math.isfinite(value):
                raise self._failed(f"gives {value}, which is not a finite number")
            return int(value)
        if environment.lenient:
            return False
        raise self._failed(
            f"gives {messages.type_of(value)}, but {environment.name} "
            f"must be {_NAME_OF_RESULT[environment.result]}"
        )

    def _failed(self, reason: str) -> EvaluationError:
        return EvaluationError(self.text, reason)


@lru_cache(maxsize=PROGRAMS_CACHED_MAX)
def compile(text: str, environment: Environment) -> Program:
    """Compile an expression for a place; equal calls share it. Raises ``ExpressionError``."""
    if len(text) > EXPRESSION_CHARACTERS_MAX:
        raise ExpressionError(
            text,
            f"is {len(text)} characters long, the limit is {EXPRESSION_CHARACTERS_MAX}",
        )
    if not text.strip():
        if environment.empty is None:
            raise ExpressionError(text, f"is empty, but {environment.name} is required")
        return Program(text, environment, None)
    try:
        compiled = library.compiler(environment).compile(text)
    except (RuntimeError, TypeError) as error:  # TypeError: text that is not Unicode
        raise messages.of_compilation(text, environment, str(error)) from None
    result = compiled.return_type().name()
    if result not in _TYPES_OF_RESULT[environment.result]:
        raise ExpressionError(
            text,
            f"gives {result.lower()}, but {environment.name} "
            f"must be {_NAME_OF_RESULT[environment.result]}",
        )
    return Program(text, environment, compiled)


def evaluate_condition(
    text: str, *, input: Mapping[str, Any] | None = None, output: Mapping[str, Any] | None = None
) -> bool:
    """Whether a condition holds; raises ``ExpressionError`` and ``EvaluationError``."""
    return bool(compile(text, CONDITION).evaluate({"input": input, "output": output}))


def evaluate_filter(
    text: str,
    *,
    input: Mapping[str, Any],
    additional_metadata: Mapping[str, Any] | None = None,
    payload: Mapping[str, Any] | None = None,
    event_id: str | None = None,
    event_key: str | None = None,
) -> bool:
    """Whether an event passes a filter; raises ``ExpressionError`` and ``EvaluationError``."""
    variables = {
        "input": input,
        "additional_metadata": additional_metadata,
        "payload": payload,
        "event_id": event_id,
        "event_key": event_key,
    }
    return bool(compile(text, FILTER).evaluate(variables))
