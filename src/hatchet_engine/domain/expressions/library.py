"""The CEL library behind types of ours; nothing else imports it.

It is Google's C++ implementation. What it limits by itself, per evaluation: 32 levels of nesting,
9,999 steps of macros (``all``, ``map``, …) in total, and regular expressions without backtracking.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Protocol

# The package ships stubs without the marker that would let type checkers use them.
from cel_expr_python import cel  # type: ignore[import-untyped]
from cel_expr_python.ext.ext_strings import ExtStrings  # type: ignore[import-untyped]

from hatchet_engine.domain.expressions.environments import Environment, Kind

NESTING_MAX = 32
STEPS_MAX = 9_999


class Result(Protocol):
    def type(self) -> Any: ...
    def value(self) -> Any:
        """A Python value; the text of the error when ``type()`` is ``ERROR``."""
        ...


class Compiled(Protocol):
    def eval(self, *, data: Mapping[str, Any]) -> Result: ...
    def return_type(self) -> Any: ...
    def serialize(self) -> bytes: ...


class Compiler(Protocol):
    def compile(self, expression: str) -> Compiled:
        """Raises RuntimeError."""
        ...


ERROR = cel.Type.ERROR
_TYPES: dict[Kind, Any] = {
    Kind.MAP: cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    Kind.HEADERS: cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
    Kind.STRING: cel.Type.STRING,
    Kind.BOOL: cel.Type.BOOL,
    Kind.INT: cel.Type.INT,
}


@cache
def compiler(environment: Environment) -> Compiler:
    """The compiler of an environment; made once, as that takes a millisecond."""
    made: Compiler = cel.NewEnv(
        variables={name: _TYPES[kind] for name, kind in environment.variables.items()},
        extensions=[ExtStrings(), _mixed_arithmetic(), _checksum()],
    )
    return made


def _checksum() -> Any:
    overload = cel.Overload(
        "checksum_string",
        cel.Type.STRING,
        [cel.Type.STRING],
        impl=lambda text: hashlib.sha256(text.encode()).hexdigest(),
    )
    return cel.CelExtension("checksum", [cel.FunctionDecl("checksum", [overload])])


def _mixed_arithmetic() -> Any:
    """Arithmetic of int with double gives double.

    JSON does not tell 2 from 2.0, so an expression must not depend on how a number was written.
    """
    functions = []
    for symbol, name, operation in (
        ("_+_", "add", lambda a, b: a + b),
        ("_-_", "subtract", lambda a, b: a - b),
        ("_*_", "multiply", lambda a, b: a * b),
        ("_/_", "divide", _divide),
    ):
        overloads = [
            cel.Overload(f"{name}_int64_double", _DOUBLE, [_INT, _DOUBLE], impl=_floats(operation)),
            cel.Overload(f"{name}_double_int64", _DOUBLE, [_DOUBLE, _INT], impl=_floats(operation)),
        ]
        functions.append(cel.FunctionDecl(symbol, overloads))
    return cel.CelExtension("mixed_arithmetic", functions)


_INT = cel.Type.INT
_DOUBLE = cel.Type.DOUBLE


def _floats(operation: Callable[[float, float], float]) -> Callable[[float, float], float]:
    return lambda a, b: operation(float(a), float(b))


def _divide(a: float, b: float) -> float:
    """As IEEE 754 has it, and as CEL divides two doubles."""
    if b:
        return a / b
    if not a or math.isnan(a):
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)
