"""An upper bound of the time that one evaluation takes, from the tree and the sizes of the values.

The library can't be interrupted, so what could run for long must be refused before it starts. The
bound follows the data through the expression: how big a value can get (``'a'.replace('', input.s)``
grows), how often a part runs, and what each operation costs per byte or element, as measured on an
ordinary machine and rounded up (docs/decisions/0006). Parts of a list are not counted twice: over a
whole loop its variable is as big as the list.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hatchet_engine.domain.expressions.library import STEPS_MAX
from hatchet_engine.domain.expressions.sizes import Sizes, is_plain
from hatchet_engine.domain.expressions.syntax import (
    Call,
    Collection,
    Constant,
    Loop,
    Name,
    Node,
    Select,
)

COST_MAX_NS = 250_000_000
_AFFORDABLE_BITS_MAX = 26  # 64 MiB: more than any message that the engine takes

_NODE_NS = 50
_CALLBACK_NS = 1_500  # a function in Python; also arithmetic, which may mix int and double
_CONVERT_NS = 50  # per byte of JSON that is handed over
_COMPARE_NS = 60  # per byte
_COPY_NS = 50  # per byte: strings and lists that are put together
_APPEND_NS = 40  # per element that a list has when map or filter adds another: it is copied
_SCAN_NS = 10  # per byte: functions that look at a string once
_SPLIT_NS = 100
_SEARCH_NS = 0.03  # per byte of the text and byte of what is searched
_FORMATTED = 250  # bytes that one character of a format can give: "%.999f"
_SCALAR = 2  # size of what is no string, list or map

_REPEAT = re.compile(r"\{(\d*),?(\d*)\}")
_REPEAT_MAX = 1_000  # what regular expressions of the library allow, nested ones multiplied
_UNICODE_CLASS = 300  # a class like \pL is that much bigger than a letter
_PATTERN_NS = 300  # to compile, per state
_PATTERN_MAX_NS = 200_000_000  # to compile: the library limits the memory
_STATE_NS = 8  # to match, per state and byte


class Value(NamedTuple):
    """How big a value can be: in one run, summed over all runs, and what is in it."""

    each: float
    total: float
    elements: float  # elements of the biggest list or map in it
    longest: float  # string in it, in bytes
    plain: bool = False  # see Sizes; never claimed for what a function made

    @property
    def text(self) -> float:
        """Its size if it is a string."""
        return min(self.each, self.longest)


class _Bound(NamedTuple):
    value: Value
    depth: int  # of the loop whose runs ``value.total`` sums over


def cost_ns(node: Node, sizes: Sizes) -> float:
    """The most nanoseconds that an evaluation with values of these sizes takes."""
    walk = _Walk(sizes)
    result = walk.value(node, 1, 0, {})
    return walk.cost + result.total * _CONVERT_NS


def affordable_bytes(node: Node) -> int:
    """Up to how many bytes of JSON any values may be evaluated; -1: not even without values."""
    if cost_ns(node, Sizes(0, 0, 0, plain=True)) > COST_MAX_NS:
        return -1
    low, high = 0, _AFFORDABLE_BITS_MAX + 1  # 2**low fits (or nothing does), 2**high does not
    while high - low > 1:
        middle = (low + high) // 2
        if cost_ns(node, Sizes.at_most(1 << middle)) <= COST_MAX_NS:
            low = middle
        else:
            high = middle
    return 1 << low if low else 0


class _Walk:
    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        self.cost = float(sizes.bytes * _CONVERT_NS)

    def value(self, node: Node, runs: float, depth: int, scope: dict[str, _Bound]) -> Value:
        """The size of a node's value; adds the cost of its runs."""
        self.cost += runs * _NODE_NS
        match node:
            case Constant():
                plain = node.text is not None and is_plain(node.text)
                return _sized(node.size + _SCALAR, runs)._replace(plain=plain)
            case Name():
                return self._name(node.name, runs, depth, scope)
            case Select():
                return self.value(node.operand, runs, depth, scope)
            case Collection():
                items = [self.value(item, runs, depth, scope) for item in node.items]
                return _together(items, runs)
            case Loop():
                return self._loop(node, runs, depth, scope)
            case Call():
                values = [self.value(item, runs, depth, scope) for item in node.arguments]
                return self._call(node, values, runs)

    def _name(self, name: str, runs: float, depth: int, scope: dict[str, _Bound]) -> Value:
        bound = scope.get(name)
        if bound is None:
            sizes = self._sizes
            total = runs * sizes.bytes
            return Value(sizes.bytes, total, sizes.elements, sizes.longest, sizes.plain)
        if bound.depth == depth:
            return bound.value
        return bound.value._replace(total=runs * bound.value.each)

    def _loop(self, node: Loop, runs: float, depth: int, scope: dict[str, _Bound]) -> Value:
        source = self.value(node.range, runs, depth, scope)
        start = self.value(node.start, runs, depth, scope)
        each = min(source.elements, STEPS_MAX)
        inner = min(runs * each, STEPS_MAX)
        inside = dict(scope)
        for name in node.variables:
            inside[name] = _Bound(source, depth + 1)
        builds_list = isinstance(node.start, Collection)
        gathered = _sized(0 if builds_list else _SCALAR, inner)
        inside[node.accumulator] = _Bound(gathered, depth + 1)
        self.value(node.condition, inner, depth + 1, inside)
        step = self.value(node.step, inner, depth + 1, inside)
        if builds_list:
            self.cost += inner * each * _APPEND_NS
            elements = max(each, step.elements)
            gathered = Value(each * step.each, step.total, elements, step.longest)
        else:
            gathered = start
        return self.value(
            node.result, runs, depth, scope | {node.accumulator: _Bound(gathered, depth)}
        )

    def _call(self, node: Call, values: list[Value], runs: float) -> Value:
        made = _CALLS.get(node.function, _other)(_Arguments(node, values, runs))
        self.cost += made.cost
        return made.value


class _Arguments(NamedTuple):
    node: Call
    values: list[Value]
    runs: float

    @property
    def total(self) -> float:
        return sum(value.total for value in self.values)

    def constant(self, index: int) -> str | None:
        """The argument's text, if it is a string that is written out."""
        argument = self.node.arguments[index]
        return argument.text if isinstance(argument, Constant) else None


class _Made(NamedTuple):
    cost: float
    value: Value


def _sized(each: float, runs: float) -> Value:
    return Value(each, runs * each, each, each)


def _together(values: list[Value], runs: float) -> Value:
    """A list of these values, or a map."""
    return Value(
        sum(value.each for value in values) + _SCALAR * len(values),
        sum(value.total for value in values) + _SCALAR * len(values) * runs,
        max([len(values), *(value.elements for value in values)]),
        max([0, *(value.longest for value in values)]),
        all(value.plain for value in values),
    )


def _scalar(call: _Arguments) -> Value:
    return _sized(_SCALAR, call.runs)


def _other(call: _Arguments) -> _Made:
    """A function that looks at each argument once and gives nothing bigger than they are."""
    each = sum(value.each for value in call.values) + 64
    value = Value(each, call.total + 64 * call.runs, each, each)
    return _Made(call.total * _SCAN_NS + call.runs * _NODE_NS, value)


def _free(call: _Arguments) -> _Made:
    return _Made(0, _scalar(call))


def _first(call: _Arguments) -> _Made:
    """An element of the first argument, or that argument itself."""
    return _Made(0, call.values[0])


def _choice(call: _Arguments) -> _Made:
    yes, no = call.values[1:]
    value = Value(
        max(yes.each, no.each),
        yes.total + no.total,
        max(yes.elements, no.elements),
        max(yes.longest, no.longest),
        yes.plain and no.plain,
    )
    return _Made(0, value)


def _scan(call: _Arguments) -> _Made:
    """Only strings are looked at; the size of a list is known."""
    strings = sum(min(value.total, call.runs * value.longest) for value in call.values)
    return _Made(strings * _SCAN_NS, _scalar(call))


def _compare(call: _Arguments) -> _Made:
    return _Made(min(value.total for value in call.values) * _COMPARE_NS, _scalar(call))


def _among(call: _Arguments) -> _Made:
    return _Made(call.values[1].total * _COMPARE_NS, _scalar(call))


def _add(call: _Arguments) -> _Made:
    a, b = call.values
    value = Value(
        a.each + b.each, a.total + b.total, a.elements + b.elements, a.longest + b.longest
    )
    return _Made(call.runs * _CALLBACK_NS + call.total * _COPY_NS, value)


def _arithmetic(call: _Arguments) -> _Made:
    return _Made(call.runs * _CALLBACK_NS, _scalar(call))


def _checksum(call: _Arguments) -> _Made:
    return _Made(call.runs * _CALLBACK_NS + call.total * _SCAN_NS, _sized(64, call.runs))


def _search_ns(text: Value, searched: Value) -> float:
    products = min(text.total * searched.text, text.text * searched.total)
    return products * _SEARCH_NS + text.total * _SCAN_NS


def _search(call: _Arguments) -> _Made:
    return _Made(_search_ns(*call.values[:2]), _scalar(call))


def _split(call: _Arguments) -> _Made:
    text, separator = call.values[:2]
    cost = _search_ns(text, separator) + text.total * _SPLIT_NS
    parts = Value(
        (1 + _SCALAR) * text.each + _SCALAR,
        (1 + _SCALAR) * text.total + _SCALAR * call.runs,
        text.text + 1,
        text.text,
    )
    return _Made(cost, parts)


def _replace(call: _Arguments) -> _Made:
    text, old, new = call.values[:3]
    every = max(1, len((call.constant(1) or "").encode()))  # bytes that one replacement takes away
    each = text.text * (1 + new.text / every) + new.text
    total = text.total * (1 + new.text / every) + new.text * call.runs
    return _Made(_search_ns(text, old) + total * _COPY_NS, Value(each, total, each, each))


def _join(call: _Arguments) -> _Made:
    parts = call.values[0]
    separators = parts.elements * (call.values[1].text if len(call.values) > 1 else 0)
    each, total = parts.each + separators, parts.total + separators * call.runs
    return _Made(total * _COPY_NS, Value(each, total, each, each))


def _format(call: _Arguments) -> _Made:
    form, arguments = call.values
    each = _FORMATTED * form.text + 10 * arguments.each
    total = _FORMATTED * form.total + 10 * arguments.total
    return _Made(total * _SCAN_NS, Value(each, total, each, each))


def _quote(call: _Arguments) -> _Made:
    text = call.values[-1]
    value = Value(6 * text.each + 2, 6 * text.total + 2 * call.runs, 0, 6 * text.text + 2)
    return _Made(value.total * _SCAN_NS, value)


def _matches(call: _Arguments) -> _Made:
    """The library compiles the regular expression in every run."""
    text, pattern = call.values
    literal = call.constant(1)
    if literal is not None:
        nanoseconds, states = _pattern(literal)
        compiling, matching = call.runs * nanoseconds, text.total * states
    else:
        repeats = 1 if pattern.plain else _REPEAT_MAX
        matching = repeats * min(text.total * pattern.text, text.text * pattern.total)
        compiling = pattern.total * _PATTERN_NS if pattern.plain else call.runs * _PATTERN_MAX_NS
    return _Made(compiling + text.total * _SCAN_NS + matching * _STATE_NS, _scalar(call))


def _pattern(pattern: str) -> tuple[float, float]:
    """Nanoseconds to compile a regular expression, and its states."""
    repeats = 1
    for low, high in _REPEAT.findall(pattern):
        repeats = min(_REPEAT_MAX, repeats * max(1, int(low or 0), int(high or 0)))
    states = (len(pattern) + 10) * repeats
    size = states * (_UNICODE_CLASS if "\\p" in pattern.lower() else 1)
    return min(_PATTERN_MAX_NS, size * _PATTERN_NS), states


_CALLS = {
    "_&&_": _free,
    "_||_": _free,
    "!_": _free,
    "-_": _free,
    "@not_strictly_false": _free,
    "_?_:_": _choice,
    "_[_]": _first,
    "dyn": _first,
    "_==_": _compare,
    "_!=_": _compare,
    "_<_": _compare,
    "_<=_": _compare,
    "_>_": _compare,
    "_>=_": _compare,
    "startsWith": _compare,
    "endsWith": _compare,
    "@in": _among,
    "_+_": _add,
    "_-_": _arithmetic,
    "_*_": _arithmetic,
    "_/_": _arithmetic,
    "_%_": _free,
    "size": _scan,
    "contains": _search,
    "indexOf": _search,
    "lastIndexOf": _search,
    "split": _split,
    "replace": _replace,
    "join": _join,
    "format": _format,
    "strings.quote": _quote,
    "matches": _matches,
    "checksum": _checksum,
}
