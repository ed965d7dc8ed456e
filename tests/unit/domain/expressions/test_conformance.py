"""The language as its specification has it: expressions that hold, fail or don't compile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from hatchet_engine.domain.expressions import FILTER, EvaluationError, ExpressionError, compile

# Read by the JSON decoder that reads payloads, so that numbers are what they are there.
VALUES: dict[str, Any] = {
    "input": orjson.loads(
        """{"one": 1, "one_double": 1.0, "half": 0.5, "nothing": null, "numbers": [1, 2, 3],
        "tags": ["a", "b"], "user": {"name": "Ada", "admin": true}, "key with space": 1,
        "items": [{"name": "apple", "price": 3}, {"name": "bread", "price": 5.5}],
        "big": 9223372036854775807, "beyond": 9223372036854775808, "text": "x",
        "at": "2024-02-29T12:30:45Z"}"""
    ),
    "additional_metadata": {"tenant": "acme"},
    "payload": {"limit": 10},
    "event_id": "01900000-0000-7000-8000-000000000001",
    "event_key": "order:paid",
}


def _true() -> list[str]:
    text = (Path(__file__).parent / "true.cel").read_text()
    # The one literal that spans lines is put together again.
    lines = text.replace("three\n'", "three\\n'").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("//")]


TRUE = _true()

# Expressions without a result, and words of the reason.
FAILS = {
    "1 / 0 == 1": "divide by zero",
    "1 % 0 == 1": "modulus by zero",
    "1u / 0u == 1u": "divide by zero",
    "9223372036854775807 + 1 == 0": "overflow",
    "-9223372036854775808 - 1 == 0": "overflow",
    "9223372036854775807 * 2 == 0": "overflow",
    "-(-9223372036854775808) == 0": "overflow",
    "input.big + 1 > 0": "overflow",
    "input.beyond + 1 > 0": "no such operation: + of (uint, int); convert",
    "0u - 1u == 0u": "overflow",
    "int(1e20) == 0": "out of",
    "int('x') == 1": "cannot convert string to int",
    "int('') == 1": "cannot convert",
    "double('x') == 1.0": "",
    "uint(-1) == 1u": "out of",
    "bool('yes')": "",
    "timestamp('yesterday') == timestamp(0)": "",
    "duration('1 fortnight') == duration('1s')": "",
    "input.missing == 1": "no such key: missing",
    "input['missing'] == 1": "no such key: missing",
    "input.user.age > 3": "no such key: age",
    "{'a': 1}['b'] == 1": "no such key: b",
    "input.numbers[3] == 1": "index=3",
    "input.numbers[-1] == 1": "index=-1",
    "[][0] == 1": "index=0",
    "input.text + 1 == 'x1'": "no such operation: + of (string, int)",
    "input.one + 'a' == '1a'": "no such operation: + of (int, string)",
    "input.text > 1": "no such operation: > of (string, int)",
    "input.one.startsWith('a')": "no such operation",
    "!input.one": "no such operation: ! of what is no bool",
    "input.one && true": "no such operation: && of what is no bool",
    "input.one ? true : false": "no such operation: ?: of what is no bool",
    "input.one.x == 1": "takes a key of a value that is no map",
    "input.text[0] == 'x'": "Invalid container type",
    "input.nothing.x == 1": "takes a key of a value that is no map",
    "[1, 0].all(x, 1 / x == 1)": "divide by zero",
    "[0, 0].exists_one(x, 1 / x == 1)": "divide by zero",
    "input.text.matches('(')": "invalid regular expression",
    "input.text.charAt(7) == ''": "charAt",
    "input.text.substring(2) == ''": "",
    "input.text.substring(1, 0) == ''": "",
    "'%d'.format(['a']) == ''": "",
    "'%s'.format([]) == ''": "",
    "string(b'\\xff') == ''": "",
    "checksum(input.one) == ''": "no such operation: checksum of (int)",
    "input.one": "gives int, but a filter must be a bool",
    "input.text": "gives string, but a filter must be a bool",
    "input.nothing": "gives null, but a filter must be a bool",
    "input.half": "gives double, but a filter must be a bool",
    "input.numbers": "gives a value that is no plain value",
}

# Expressions that don't compile: line, column and words of the reason.
REFUSED = {
    "1 +": (1, 4, "syntax error: the expression ends too early"),
    "1 == 1)": (1, 7, "syntax error: unexpected )"),
    "true &&\n  && true": (2, 3, "syntax error: unexpected &&"),
    "'abc": (1, 1, "syntax error"),
    "1 == #": (1, 6, "syntax error"),
    "user == 1": (1, 1, "unknown variable `user`; a filter knows input, additional_metadata"),
    "'é' == user": (1, 8, "unknown variable `user`"),
    "user.name.first == 1": (1, 10, "unknown variable `user`"),
    "output.x == 1": (1, 7, "unknown variable `output`"),
    "now() > 1": (1, 4, "there is no function `now`"),
    "input.text.shout() == ''": (1, 17, "there is no function `shout`"),
    "1 + 'a' == 2": (1, 3, "no such operation: + of (int, string)"),
    "1 == 'a'": (1, 3, "no such operation: == of (int, string)"),
    "!1": (1, 1, "no such operation: ! of (int)"),
    "1 ? true : false": (1, 3, "no such operation: ?: of (int, bool, bool)"),
    "event_key.size > 1": (1, 10, ""),
    "event_key + 1 == ''": (1, 11, "no such operation: + of (string, int)"),
    "has(input)": (1, 5, "has() argument must be a field selection"),
    "[1].map(1, 2) == []": (1, 9, "map() variable name must be a simple identifier"),
    "1u + 1 == 2u": (1, 4, "no such operation: + of (uint, int)"),
    "'\\q' == ''": (1, 0, ""),
    "1 = 1": (1, 3, "syntax error"),
    "true and true": (1, 0, "syntax error"),
    "99999999999999999999 > 1": (1, 1, ""),
    "1 == 1; true": (1, 0, "syntax error"),
    "var x = 1": (1, 1, "reserved identifier: var"),
    "1 < 1.5": (1, 3, "no such operation: < of (int, double); convert one with int() or double()"),
    "1 + 1": (0, 0, "gives int, but a filter must be a bool"),
    "input": (0, 0, "gives map<string, dyn>, but a filter must be a bool"),
    "'\ud800' == ''": (0, 0, "no valid Unicode"),
}


def test_the_table_is_big_enough() -> None:
    assert len(TRUE) >= 250


@pytest.mark.parametrize("expression", TRUE)
def test_holds(expression: str) -> None:
    assert compile(expression, FILTER).evaluate(VALUES) is True


@pytest.mark.parametrize("expression", list(FAILS))
def test_has_no_result(expression: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        compile(expression, FILTER).evaluate(VALUES)
    assert FAILS[expression] in caught.value.reason
    assert expression in str(caught.value)
    assert "[" not in caught.value.reason[-12:]  # none of the library's own codes


@pytest.mark.parametrize("expression", list(REFUSED), ids=ascii)
def test_does_not_compile(expression: str) -> None:
    line, column, words = REFUSED[expression]
    with pytest.raises(ExpressionError) as caught:
        compile(expression, FILTER)
    error = caught.value
    assert words in error.reason
    assert (error.line, error.column or column) == (line, column or error.column)
    str(error).encode()
    if error.line:
        *_, shown, caret = str(error).split("\n")
        assert shown == "  " + expression.split("\n")[line - 1]
        assert caret == "  " + " " * (error.column - 1) + "^"
