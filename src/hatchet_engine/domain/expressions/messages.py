"""Turns what the library says into sentences that name the thing and the remedy."""

from __future__ import annotations

import re
from typing import Any

from hatchet_engine.domain.expressions.environments import Environment
from hatchet_engine.domain.expressions.errors import ExpressionError
from hatchet_engine.domain.expressions.library import NESTING_MAX, STEPS_MAX
from hatchet_engine.domain.expressions.sizes import VALUES_NESTING_MAX

_PLACE = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_OVERLOAD = re.compile(r"(?:found no matching overload for|No matching overloads found :) ?(.*)")
_SYNTAX = re.compile(r"Syntax error: (?:mismatched|extraneous) input '(.*?)' expecting .*")
_NO_KEY = re.compile(r"Key not found in map : (.*)")
_NO_VALUE = re.compile(r'No value with name "([^"]*)" found in Activation')
_STATUS = re.compile(r"^[A-Z_]+: (.*)$", re.DOTALL)
_TAIL = re.compile(r" \[[A-Z_]+\]$")
_TYPE_NAMES = {bool: "bool", int: "int", float: "double", str: "string", type(None): "null"}


def of_compilation(text: str, environment: Environment, said: str) -> ExpressionError:
    """The error for what the library said when it refused ``text``."""
    if "recursion" in said:
        return ExpressionError(text, f"is nested too deeply, the limit is {NESTING_MAX} levels")
    found = _PLACE.search(said)
    if found is None:
        if not _is_unicode(text):
            return ExpressionError(text, "holds characters that are no valid Unicode")
        return ExpressionError(text, f"does not compile: {_plain(said)}")
    line, column, problem = max(0, int(found[1])), max(0, int(found[2])), found[3]
    reason = _undeclared(text, environment, line, column, problem) or _syntax(problem)
    return ExpressionError(text, reason, line=line, column=column)


def of_evaluation(said: str) -> str:
    """Why there is no result, in words of ours."""
    said = _plain(said)
    if "Iteration budget" in said:
        return f"needs more than {STEPS_MAX} steps of macros such as all, exists, map or filter"
    if "Recursion limit" in said:
        return f"the values are nested more than {VALUES_NESTING_MAX} levels deep"
    if found := _NO_KEY.search(said):
        return f"no such key: {found[1].strip(chr(34))}"
    if found := _NO_VALUE.search(said):
        return f"{found[1]} has no value here"
    if found := _OVERLOAD.search(said):
        return f"no such operation: {_operation(found[1])}"
    if "SELECT to non-message" in said:
        return "takes a key of a value that is no map"
    return said


def type_of(value: Any) -> str:
    """CEL's name for the type of a result."""
    return _TYPE_NAMES.get(type(value), "a value that is no plain value")


def _undeclared(
    text: str, environment: Environment, line: int, column: int, problem: str
) -> str | None:
    found = _UNDECLARED.search(problem)
    if found is None:
        return None
    lines = text.split("\n")
    at = lines[line - 1][column - 1 : column] if 0 < line <= len(lines) else ""
    if at == "(":
        return f"there is no function `{found[1]}`"
    name = found[1].split(".")[0]
    known = ", ".join(environment.variables)
    return f"unknown variable `{name}`; {environment.name} knows {known}"


def _syntax(problem: str) -> str:
    if found := _SYNTAX.match(problem):
        what = "the expression ends too early" if found[1] == "<EOF>" else f"unexpected {found[1]}"
        return f"syntax error: {what}"
    if found := _OVERLOAD.search(problem):
        return f"no such operation: {_operation(found[1])}"
    return problem[:1].lower() + problem[1:]


def _operation(said: str) -> str:
    """``'_+_' applied to '(int, string)'`` or ``_+_(int64, string)`` as ``+ of (int, string)``.

    What is missing of a method comes as ``(int).charAt(int)`` and stays so; some operators come
    without types: those that take bools.
    """
    name, bracket, types = said.replace("'", "").replace(" applied to ", "").partition("(")
    types = types.replace("uint64", "uint").replace("int64", "int")
    if not name:
        return f"({types}"
    name = "?:" if name == "<jump_condition>" else name.replace("@", "").replace("_", "") or name
    if not bracket:
        return f"{name} of what is no bool"
    numbers = set(types.removesuffix(")").split(", "))
    mixed = len(numbers) > 1 and numbers <= {"int", "uint", "double"}
    return f"{name} of ({types}" + ("; convert one with int() or double()" if mixed else "")


def _plain(said: str) -> str:
    said = _TAIL.sub("", said)
    found = _STATUS.match(said)
    return found[1] if found else said


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
