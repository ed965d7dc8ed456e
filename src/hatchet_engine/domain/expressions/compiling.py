"""From texts to programs: :func:`compile` with its cache, and short forms for bool results."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from hatchet_engine.domain.expressions import library, messages
from hatchet_engine.domain.expressions.environments import CONDITION, FILTER, Environment, Kind
from hatchet_engine.domain.expressions.errors import ExpressionError
from hatchet_engine.domain.expressions.program import NAME_OF_RESULT, Empty, Program

EXPRESSION_CHARACTERS_MAX = 10_000
# Programs are kept up to this weight, about 100 MB; the least recently used one goes first. A usual
# filter weighs 10.
CACHED_WEIGHT_MAX = 100_000

_TYPES_OF_RESULT = {
    Kind.BOOL: ("BOOL", "DYN"),
    Kind.STRING: ("STRING", "DYN"),
    Kind.INT: ("INT", "UINT", "DOUBLE", "DYN"),
}


class _Cache:
    """Programs by text and environment, bounded by their weight."""

    def __init__(self) -> None:
        self.programs: OrderedDict[tuple[str, Environment], Program] = OrderedDict()
        self.weight = 0

    def get(self, key: tuple[str, Environment]) -> Program | None:
        found = self.programs.get(key)
        if found is not None:
            self.programs.move_to_end(key)
        return found

    def put(self, key: tuple[str, Environment], program: Program) -> None:
        self.programs[key] = program
        self.weight += program.weight
        while self.weight > CACHED_WEIGHT_MAX:
            _, dropped = self.programs.popitem(last=False)
            self.weight -= dropped.weight


_cache = _Cache()


def compile(text: str, environment: Environment) -> Program:
    """Compile an expression for a place; equal calls share it. Raises ``ExpressionError``.

    For the engine's thread only, like the cache behind it.
    """
    program = _cache.get((text, environment))
    if program is None:
        program = _compiled(text, environment)
        _cache.put((text, environment), program)
    return program


def _compiled(text: str, environment: Environment) -> Program:
    if len(text) > EXPRESSION_CHARACTERS_MAX:
        raise ExpressionError(
            text,
            f"is {len(text)} characters long, the limit is {EXPRESSION_CHARACTERS_MAX}",
        )
    if not text.strip():
        if environment.empty is None:
            raise ExpressionError(text, f"is empty, but {environment.name} is required")
        return Empty(text, environment)
    try:
        compiled = library.compiler(environment).compile(text)
    except (RuntimeError, TypeError) as error:  # TypeError: text that is not Unicode
        raise messages.of_compilation(text, environment, str(error)) from None
    result = compiled.return_type().name()
    if result not in _TYPES_OF_RESULT[environment.result]:
        raise ExpressionError(
            text,
            f"gives {result.lower()}, but {environment.name} "
            f"must be {NAME_OF_RESULT[environment.result]}",
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
