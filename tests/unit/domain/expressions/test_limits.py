"""What an expression may cost: lengths, nesting, steps, and the time it could take."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from hatchet_engine.domain.expressions import (
    CONCURRENCY_KEY,
    CONDITION,
    EvaluationError,
    ExpressionError,
    compile,
    compiling,
    evaluate_condition,
)
from hatchet_engine.domain.expressions.compiling import CACHED_WEIGHT_MAX, EXPRESSION_CHARACTERS_MAX
from hatchet_engine.domain.expressions.library import NESTING_MAX, STEPS_MAX
from hatchet_engine.domain.expressions.program import (
    NODES_MAX,
    RESULT_BYTES_MAX,
)
from hatchet_engine.domain.expressions.sizes import VALUES_NESTING_MAX

# Ten times the bound, for slow machines; what is refused would take minutes or gigabytes.
PATIENCE_S = 2.5


def test_length() -> None:
    longest = "'" + "a" * (EXPRESSION_CHARACTERS_MAX - 2) + "'"
    assert compile(longest, CONCURRENCY_KEY).text == longest
    with pytest.raises(ExpressionError, match=f"is {len(longest) + 1} characters long, the limit"):
        compile(longest + " ", CONCURRENCY_KEY)


def test_nesting() -> None:
    def nested(levels: int) -> str:
        return "(" * levels + "true" + ")" * levels

    deepest = max(n for n in range(NESTING_MAX + 1) if compiles(nested(n)))
    assert deepest >= NESTING_MAX - 2
    for text in (nested(deepest + 1), nested(4_000), "[" * 3_000, "true?true:" * 900 + "true"):
        with pytest.raises(ExpressionError) as caught:
            compile(text, CONDITION)
        assert f"nested too deeply, the limit is {NESTING_MAX}" in str(caught.value)


def compiles(text: str) -> bool:
    try:
        compile(text, CONDITION)
    except ExpressionError:
        return False
    return True


def test_nodes() -> None:
    def list_of(items: int) -> str:  # with `in` and 1 itself two nodes more, and the list
        return "1 in [" + ",".join("1" * items) + "]"

    assert evaluate_condition(list_of(NODES_MAX - 3))
    with pytest.raises(ExpressionError, match=f"has {NODES_MAX + 1} parts, the limit is"):
        compile(list_of(NODES_MAX - 2), CONDITION)


def test_steps() -> None:
    values = {"l": list(range(STEPS_MAX))}
    assert evaluate_condition("input.l.all(x, x >= 0)", input=values)
    for text in ("input.l.all(x, x >= 0)", "input.l.all(x, input.l.all(y, true))"):
        with pytest.raises(EvaluationError, match=f"needs more than {STEPS_MAX} steps of macros"):
            evaluate_condition(text, input={"l": [*values["l"], 1]})


def test_result() -> None:
    key = compile("input.x", CONCURRENCY_KEY)
    longest = "é" * (RESULT_BYTES_MAX // 2)
    assert key.evaluate({"input": {"x": longest}}) == longest
    with pytest.raises(EvaluationError, match=f"of {RESULT_BYTES_MAX + 1} bytes, the limit is"):
        key.evaluate({"input": {"x": longest + "a"}})


@pytest.fixture
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> compiling._Cache:
    cache = compiling._Cache()
    monkeypatch.setattr(compiling, "_cache", cache)
    return cache


def test_cache(empty_cache: compiling._Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    weight = compile("input.x == 0", CONDITION).weight
    monkeypatch.setattr(compiling, "CACHED_WEIGHT_MAX", 3 * weight)
    first, second, third = (compile(f"input.x == {n}", CONDITION) for n in range(3))
    assert empty_cache.weight == 3 * weight == sum(one.weight for one in (first, second, third))
    assert compile("input.x == 0", CONDITION) is first
    compile("input.x == 3", CONDITION)  # the second is the least recently used one
    assert [key[0] for key in empty_cache.programs] == [
        "input.x == 2",
        "input.x == 0",
        "input.x == 3",
    ]
    assert empty_cache.weight == 3 * weight
    assert compile("input.x == 1", CONDITION) is not second


def test_weight_counts_nodes_and_text() -> None:
    short = compile("input.x == 'a'", CONDITION).weight
    assert compile("input.x == 'a'" + " || input.x == 'a'" * 100, CONDITION).weight > 100 * short
    assert compile("input.x == '" + "a" * 9_900 + "'", CONDITION).weight == short + 198
    assert compile(" " * 10_000, CONDITION).weight == 201
    assert 5_000 * short <= CACHED_WEIGHT_MAX


def deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_nesting_of_values() -> None:
    text = "input.x == input.x"
    # The variables are a map, and `input` is another one.
    assert evaluate_condition(text, input={"x": deep(VALUES_NESTING_MAX - 2)})
    for levels in (VALUES_NESTING_MAX - 1, 1_000, 100_000):
        with pytest.raises(EvaluationError, match=f"more than {VALUES_NESTING_MAX} levels deep"):
            evaluate_condition(text, input={"x": deep(levels)})


NUMBERS = {"l": list(range(5_000)), "m": list(range(50_000)), "s": "ab" * 500_000, "t": "a" * 9_999}
HOSTILE = {
    "nested all": "input.l.all(x, input.l.all(y, input.l.all(z, x + y + z >= 0)))",
    "compare lists": "input.l.all(x, input.m == input.m)",
    "search a list": "input.l.all(x, !('a' in input.m))",
    "map": "input.m.map(x, x + 1).size() > 1",
    "filter": "input.m.filter(x, x > 1).size() > 1",
    "lists of lists": "[1, 2, 3].map(a, input.l.map(b, input.m)).size() > 1",
    "growing by replace": "input.t" + ".replace('a', 'aaaaaaaaaa')" * 9 + " == ''",
    "growing by literals": "'a'" + ".replace('a', 'aaaaaaaaaa')" * 9 + " == ''",
    "growing by plus": "[input.s].map(a, [a + a + a + a + a + a].map(b, [b + b + b + b + b + b]"
    ".map(c, c + c + c + c))).size() == 1",
    "growing by join": "input.m.map(x, 'a').join(input.s) == ''",
    "growing by format": "input.l.all(x, '%.999f'.format([1.5]) != '')",
    "growing lists": "[input.l].map(a, [a, a, a, a]).map(b, [b, b, b, b]).map(c, [c, c, c, c])"
    " == [input.l].map(a, [a, a, a, a]).map(b, [b, b, b, b]).map(c, [c, c, c, c])",
    "splitting": "input.l.all(x, input.s.split('').size() > 0)",
    "searching": "input.s.contains(input.s.substring(500000) + 'c')",
    "searching in a loop": "input.l.all(x, !input.s.contains(input.t + 'b'))",
    "pattern with states": r"input.s.matches('((a|b)?.){500}c')",
    "pattern in a loop": r"input.l.all(x, !input.t.matches('(\\pL|\\pN){30}z'))",
    "pattern in data": "input.l.all(x, !input.t.matches(input.p))",
    "pattern made up": r"input.l.all(x, !input.t.matches('(.' + '{0,300}b)' + '{3}c'))",
    "backtracking": "input.t.matches('(a+)+b') || input.t.matches('(a*)*b')",
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_hostile_expressions_are_refused_or_quick(name: str) -> None:
    values = NUMBERS | {"p": r"((a|aa)+.){300}b"}
    started = time.perf_counter()
    try:
        evaluate_condition(HOSTILE[name], input=values)
    except ValueError as error:
        text = str(error)
        assert "too long" in text or "steps of macros" in text, text
    assert time.perf_counter() - started < PATIENCE_S


def test_what_is_refused_says_why() -> None:
    text = HOSTILE["compare lists"]
    with pytest.raises(EvaluationError) as caught:
        evaluate_condition(text, input=NUMBERS)
    assert "could take too long: it looks at" in caught.value.reason
    assert text in str(caught.value)
    assert evaluate_condition(text, input={"l": [1, 2], "m": [3]})
    with pytest.raises(ExpressionError, match="would take too long to evaluate"):
        compile(HOSTILE["growing by literals"], CONDITION)


PEOPLE = [
    {"id": f"{n:032}", "name": f"name {n}", "tags": ["red", "blue"], "price": n, "bad": n % 2 == 1}
    for n in range(1_000)
]
ORDINARY = {
    "exists": "input.people.exists(i, i.name == input.wanted)",
    "nested exists": "input.people.exists(i, i.tags.exists(t, t == 'green'))",
    "filter": "input.people.filter(i, i.bad).size() > 3",
    "map and join": "input.people.map(i, i.id).join(',').contains('0007')",
    "pattern": r"input.people.all(i, i.name.matches('^name [0-9]+$'))",
    "pattern in data": "input.rules.exists(r, input.wanted.matches(r.pattern))",
    "allowed": "input.people.map(i, i.id).all(i, i in input.allowed)",
    "total": "input.people.all(i, i.price * 1.5 >= 0.0)",
    "one value of many": "input.wanted.startsWith('name')",
}


@pytest.mark.parametrize("name", list(ORDINARY))
def test_ordinary_expressions_over_a_thousand_objects_are_evaluated(name: str) -> None:
    values = {
        "people": PEOPLE,
        "wanted": "name 999",
        "rules": [{"pattern": "^a+$"}, {"pattern": "[0-9]+$"}],
        "allowed": [person["id"] for person in PEOPLE[:20]],
    }
    if name == "allowed":
        values["people"] = PEOPLE[:20]
    evaluate_condition(ORDINARY[name], input=values)


def test_values_that_are_not_looked_at_cost_nothing() -> None:
    """Only looked-up keys are handed over, so the rest may be anything."""
    values = {"x": 1, "other": deep(100_000), "name": object()}
    for text in ("input.x == 1", "input['x'] == 1", "has(input.x) && !has(input.y)"):
        assert evaluate_condition(text, input=values)


def test_names_of_macros_hide_variables() -> None:
    values = {"l": [{"a": 1}], "a": 2}
    assert evaluate_condition("input.l.all(input, input.a == 1) && input.a == 2", input=values)
    assert evaluate_condition("input.l.all(x, input.a == 2)", input=values)
    assert evaluate_condition("input.all(input, input in ['l', 'a'])", input=values)


@pytest.mark.parametrize(
    "value",
    [2**64, -(2**63) - 1, "\ud800", object(), {1: 2}, float("nan"), float("inf"), b"a", (1, 2)],
    ids=repr,
)
def test_values_that_no_json_holds_do_no_harm(value: Any) -> None:
    try:
        found = evaluate_condition("input.x == 1", input={"x": value})
    except EvaluationError as error:
        str(error).encode()
    else:
        assert found is False


def test_noise_never_raises_anything_else() -> None:
    chance = random.Random(7)
    pieces = ["input", ".", "x", "[", "]", "(", ")", "'", '"', "all", "has", ",", "1", "+", "&&",
              "?", ":", "{", "}", "==", "\\", "\n", "é", "\0", "matches", "in", "u", "e", "0x", "-",
              "!", "`", "//", "🐱", "\ud800", "replace", "format", "%s", "%"]  # fmt: skip
    for _ in range(2_000):
        text = "".join(chance.choices(pieces, k=chance.randint(1, 25)))
        try:
            evaluate_condition(text, input={"x": ["a", 1, {"x": None}]})
        except (ExpressionError, EvaluationError) as error:
            str(error).encode()
