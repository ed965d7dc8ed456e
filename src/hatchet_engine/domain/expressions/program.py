"""A compiled expression: checks what goes in, what it may cost, and what comes out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from hatchet_engine.domain.expressions import library, messages
from hatchet_engine.domain.expressions.cost import COST_MAX_NS, affordable_bytes, cost_ns
from hatchet_engine.domain.expressions.environments import Environment, Kind
from hatchet_engine.domain.expressions.errors import EvaluationError, ExpressionError
from hatchet_engine.domain.expressions.sizes import json_bytes, measure
from hatchet_engine.domain.expressions.syntax import count, parts_used, tree

CHARACTERS_PER_NODE = 50  # of text, for the weight
NODES_MAX = 2_000  # of the syntax tree, macros expanded
# Keys are indexed, and an entry of an index has to fit on a third of a page.
RESULT_BYTES_MAX = 2_000
_PATH = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*)+\Z", re.ASCII)
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1

NAME_OF_RESULT = {Kind.BOOL: "a bool", Kind.STRING: "a string", Kind.INT: "a number"}


class Program:
    """An expression that compiled; immutable, may be kept and shared.

    ``weight``: the memory it takes, in units of about a kilobyte.
    """

    __slots__ = (
        "_affordable",
        "_compiled",
        "_parts",
        "_path",
        "_tree",
        "environment",
        "text",
        "weight",
    )

    def __init__(self, text: str, environment: Environment, compiled: library.Compiled) -> None:
        self.text = text
        self.environment = environment
        self._compiled = compiled
        self._tree = tree(compiled.serialize())
        nodes = count(self._tree)
        self.weight = nodes + len(text) // CHARACTERS_PER_NODE
        if nodes > NODES_MAX:
            raise ExpressionError(text, f"has {nodes} parts, the limit is {NODES_MAX}")
        self._affordable = affordable_bytes(self._tree)
        if self._affordable < 0:
            raise ExpressionError(text, "would take too long to evaluate, whatever the values are")
        # Only what the expression looks at is handed to the library, which converts all it gets.
        # The most frequent expressions only name a value of a map: no need for the library.
        plain = _PATH.match(text) if environment.result is Kind.STRING else None
        self._path = tuple(text.split(".")) if plain else None
        self._parts = [
            (name, environment.variables[name], None if keys is None else tuple(sorted(keys)))
            for name, keys in parts_used(self._tree).items()
            if name in environment.variables
        ]

    @property
    def names(self) -> frozenset[str]:
        """The variables that it looks at."""
        return frozenset(name for name, _, _ in self._parts)

    def evaluate(self, variables: Mapping[str, Any]) -> bool | str | int:
        """The result, of the type that the environment asks for.

        ``variables`` are values as a JSON decoder gives them, by name. A map that is not given is
        empty; a string that is not given has no value. Raises ``EvaluationError``.
        """
        if self._path is not None:
            text = self._looked_up(variables)
            if text is not None:
                return self._converted(text)
        data = self._data(variables)
        try:
            size = json_bytes(data)
            if size > self._affordable:
                self._check_cost(data, size)
            result = self._compiled.eval(data=data)
        except (RuntimeError, TypeError) as error:
            raise self._failed(messages.of_evaluation(str(error))) from None
        value = result.value()
        if value is True or value is False:
            if self.environment.result is Kind.BOOL:
                return bool(value)
        elif result.type() == library.ERROR:
            raise self._failed(messages.of_evaluation(str(value)))
        return self._converted(value)

    def _looked_up(self, variables: Mapping[str, Any]) -> str | None:
        """The string at the path that the whole expression is. None: there is none, and the
        library tells why."""
        value: Any = variables
        for name in self._path or ():
            if type(value) is not dict or name not in value:
                return None
            value = value[name]
        return value if type(value) is str else None

    def _data(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for name, kind, keys in self._parts:
            value = variables.get(name)
            if kind is Kind.STRING:
                if value is not None:
                    data[name] = str(value)
            elif value is None:
                data[name] = {}
            elif not isinstance(value, dict):
                raise self._failed(f"{name} is not a JSON object")
            elif keys is None:
                data[name] = value
            else:
                data[name] = {key: value[key] for key in keys if key in value}
        return data

    def _check_cost(self, data: Mapping[str, Any], size: int) -> None:
        if cost_ns(self._tree, measure(data, size)) > COST_MAX_NS:
            raise self._failed(
                f"could take too long: it looks at {size} bytes of values, too many for what it "
                "does with them"
            )

    def _converted(self, value: Any) -> bool | str | int:
        environment = self.environment
        if environment.result is Kind.STRING and type(value) is str:
            text = value.strip() if environment.stripped else value
            if len(text.encode()) > RESULT_BYTES_MAX:
                raise self._failed(
                    f"gives a string of {len(text.encode())} bytes, the limit is {RESULT_BYTES_MAX}"
                )
            if "\x00" in text:
                raise self._failed("gives a string with the null character; remove it")
            if environment.reserved_prefix and text.startswith(environment.reserved_prefix):
                raise self._failed(
                    f"gives {text[:100]!r}, but keys that begin with "
                    f"{environment.reserved_prefix} belong to the engine"
                )
            return text
        if environment.result is Kind.INT and type(value) in (int, float):
            if not math.isfinite(value) or not _INT_MIN <= int(value) <= _INT_MAX:
                raise self._failed(f"gives {value}, which is no number of 64 bits")
            return int(value)
        if environment.lenient:
            return False
        raise self._failed(
            f"gives {messages.type_of(value)}, but {environment.name} "
            f"must be {NAME_OF_RESULT[environment.result]}"
        )

    def _failed(self, reason: str) -> EvaluationError:
        return EvaluationError(self.text, reason)


class Empty(Program):
    """An empty expression, where that means something."""

    __slots__ = ()

    def __init__(self, text: str, environment: Environment) -> None:
        self.text = text
        self.environment = environment
        self.weight = 1 + len(text) // CHARACTERS_PER_NODE
        self._parts = []
        self._path = None

    def evaluate(self, variables: Mapping[str, Any]) -> bool:
        return bool(self.environment.empty)
