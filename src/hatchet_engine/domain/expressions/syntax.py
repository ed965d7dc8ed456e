"""The syntax tree of a compiled expression, read from the library's serialised form.

That form is the ``cel.expr.CheckedExpr`` protobuf message of the CEL specification, in an
``Any``. We read the few
fields that :mod:`cost` and :func:`parts_used` need with a reader of a dozen lines, so the domain
needs no protobuf classes. Macros are expanded: ``all``, ``map`` and the like are ``Loop``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Constant:
    text: str | None  # of a string; None: another type
    size: int  # bytes of a string or of bytes


@dataclass(frozen=True, slots=True)
class Name:
    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """``operand.field``, or ``has(operand.field)``."""

    operand: Node
    field: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function or operator; the receiver of a method is the first argument."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Collection:
    """A list, map or message that is written out; of a map the keys and values."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """A macro: ``condition`` and ``step`` for each element of ``range``, then ``result``."""

    variables: tuple[str, ...]
    range: Node
    accumulator: str
    start: Node
    condition: Node
    step: Node
    result: Node


Node: TypeAlias = Constant | Name | Select | Call | Collection | Loop

# Field numbers of the messages.
_ANY_VALUE, _CHECKED_EXPR = 2, 4
_CONSTANT, _NAME, _SELECT, _CALL, _LIST, _STRUCT, _LOOP = 3, 4, 5, 6, 7, 8, 9
_STRING, _BYTES = 6, 7


def tree(serialized: bytes) -> Node:
    """The tree of a serialised expression."""
    checked = _fields(_fields(serialized)[_ANY_VALUE][0])
    return _node(checked[_CHECKED_EXPR][0])


def count(node: Node) -> int:
    """How many nodes the tree has."""
    return 1 + sum(count(child) for child in children(node))


def children(node: Node) -> tuple[Node, ...]:
    match node:
        case Select():
            return (node.operand,)
        case Call():
            return node.arguments
        case Collection():
            return node.items
        case Loop():
            return (node.range, node.start, node.condition, node.step, node.result)
        case _:
            return ()


def parts_used(node: Node) -> dict[str, set[str] | None]:
    """For each free name the keys that are looked up in it; None: it is used as a whole."""
    parts: dict[str, set[str] | None] = {}
    for name, key in _uses(node, frozenset()):
        keys = parts.setdefault(name, set())
        if key is None:
            parts[name] = None
        elif keys is not None:
            keys.add(key)
    return parts


def _uses(node: Node, bound: frozenset[str]) -> Iterator[tuple[str, str | None]]:
    match node:
        case Name(name):
            if name not in bound:
                yield name, None
        case Select(Name(name), field) if name not in bound:
            yield name, field
        case Call("_[_]", (Name(name), Constant(str(key)))) if name not in bound:
            yield name, key
        case Loop():
            yield from _uses(node.range, bound)
            yield from _uses(node.start, bound)
            inside = bound | {*node.variables, node.accumulator}
            for part in (node.condition, node.step):
                yield from _uses(part, inside)
            yield from _uses(node.result, bound | {node.accumulator})
        case _:
            for child in children(node):
                yield from _uses(child, bound)


def _node(data: bytes) -> Node:
    for number, values in _fields(data).items():
        value = values[0]
        if number == _CONSTANT:
            return _constant(_fields(value))
        if number == _NAME:
            return Name(_text(_fields(value), 1).lstrip("."))
        if number == _SELECT:
            fields = _fields(value)
            return Select(_node(fields[1][0]), _text(fields, 2))
        if number == _CALL:
            fields = _fields(value)
            return Call(_text(fields, 2), _nodes(fields.get(1, []) + fields.get(3, [])))
        if number == _LIST:
            return Collection(_nodes(_fields(value).get(1, [])))
        if number == _STRUCT:
            entries = [_fields(entry) for entry in _fields(value).get(2, [])]
            return Collection(
                _nodes([part for entry in entries for key in (3, 4) for part in entry.get(key, [])])
            )
        if number == _LOOP:
            return _loop(_fields(value))
    return Constant(None, 0)


def _nodes(parts: list[bytes]) -> tuple[Node, ...]:
    return tuple(_node(part) for part in parts)


def _loop(fields: dict[int, list[bytes]]) -> Loop:
    return Loop(
        variables=tuple(_text(fields, number) for number in (1, 8) if number in fields),
        range=_node(fields[2][0]),
        accumulator=_text(fields, 3),
        start=_node(fields[4][0]),
        condition=_node(fields[5][0]),
        step=_node(fields[6][0]),
        result=_node(fields[7][0]),
    )


def _constant(fields: dict[int, list[bytes]]) -> Constant:
    if _STRING in fields:
        return Constant(_text(fields, _STRING), len(fields[_STRING][0]))
    if _BYTES in fields:
        return Constant(None, len(fields[_BYTES][0]))
    return Constant(None, 0)


def _text(fields: dict[int, list[bytes]], number: int) -> str:
    return fields[number][0].decode() if number in fields else ""


def _fields(data: bytes) -> dict[int, list[bytes]]:
    """The fields of a message by number; values that are numbers come as b"": nobody asks."""
    found: dict[int, list[bytes]] = {}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        value = b""
        if kind == 0:
            _, at = _varint(data, at)
        elif kind == 2:
            length, at = _varint(data, at)
            value = data[at : at + length]
            at += length
        else:
            at += 8 if kind == 1 else 4
        found.setdefault(tag >> 3, []).append(value)
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
