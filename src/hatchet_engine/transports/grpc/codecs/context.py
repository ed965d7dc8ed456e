"""What a task of a workflow knows besides its input, as members of a start message (B5.1).

``Assigned.context`` is the text of a JSON object with any of ``parents``, ``triggers`` and
``step_run_errors``. Official SDKs want the first two always, and one wrong element empties the
whole payload in Python's, so it is looked through here. Values keep their text: big numbers and
key order survive.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from json import JSONDecoder
from typing import Any, NamedTuple

NO_CONTEXT = '"parents":{},"triggers":{"filter_payload":null}'

# Numbers are not read: they may be longer than Python converts.
_decode = JSONDecoder(parse_int=str, parse_float=str, parse_constant=str).raw_decode
_before_name = re.compile(r"[\s,{]*").match
_before_value = re.compile(r"[\s:]*").match


class _Member(NamedTuple):
    text: str
    value: Any


def context_members(context: str) -> str:
    """Members for the start message, without braces; ``context`` "" means none.

    >>> context_members('{"parents":{"a":{"n":1},"b":[2]}}')
    '"parents":{"a":{"n":1},"b":{}},"triggers":{"filter_payload":null}'
    """
    if not context:
        return NO_CONTEXT
    try:
        found = _members(context)
    except RecursionError:
        # Nested about a thousand levels deep. Names that stand twice are legal, the later one
        # counts; and no SDK reads that deep anyway.
        return NO_CONTEXT + "," + context.strip()[1:-1]
    members = (
        '"parents":'
        + _parents(found.get("parents"))
        + ',"triggers":'
        + _triggers(found.get("triggers"))
    )
    errors = found.get("step_run_errors")
    return members if errors is None else members + ',"step_run_errors":' + errors.text


def _parents(found: _Member | None) -> str:
    """Outputs that are no objects count as empty (B5.3)."""
    if found is None or not found.value:
        return "{}"
    if all(type(output) is dict for output in found.value.values()):
        return found.text
    outputs = (
        f"{name}:{output.text if type(output.value) is dict else '{}'}"
        for name, output in _raw_members(found.text)
    )
    return "{" + ",".join(outputs) + "}"


def _triggers(found: _Member | None) -> str:
    if found is None or not found.value:
        return '{"filter_payload":null}'
    if "filter_payload" in found.value:
        return found.text
    return '{"filter_payload":null,' + found.text.lstrip()[1:]


def _members(text: str) -> dict[str, _Member]:
    return {_decode(name)[0]: member for name, member in _raw_members(text)}


def _raw_members(text: str) -> list[tuple[str, _Member]]:
    """Members of an object: the name with its quotes, and the value with its text."""
    found = []
    at = _after(_before_name, text, 0)
    while text[at] != "}":
        _, name_end = _decode(text, at)
        start = _after(_before_value, text, name_end)
        value, end = _decode(text, start)
        found.append((text[at:name_end], _Member(text[start:end], value)))
        at = _after(_before_name, text, end)
    return found


def _after(pattern: Callable[[str, int], re.Match[str] | None], text: str, at: int) -> int:
    skipped = pattern(text, at)
    assert skipped is not None
    return skipped.end()
