"""How big the values are that an expression sees: what :mod:`cost` needs to know of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

VALUES_NESTING_MAX = 254  # what orjson writes; the library would crash on 100,000


class Sizes(NamedTuple):
    """``longest`` string in bytes, ``elements`` of the biggest list or map.

    ``plain``: no string, read as a regular expression, has counted repetitions or classes of
    Unicode characters, which are what makes such an expression expensive.
    """

    bytes: int  # of all values as JSON
    elements: int
    longest: int
    plain: bool

    @classmethod
    def at_most(cls, size: int) -> Sizes:
        """The worst that fits in so many bytes."""
        return cls(size, size // 2 + 1, size, plain=False)


def json_bytes(data: Mapping[str, Any]) -> int:
    """Bytes as JSON; raises TypeError for what JSON can't hold or nests too deeply."""
    return len(orjson.dumps(data))


def measure(data: Mapping[str, Any], size: int) -> Sizes:
    """Look at every value; ``size`` is what :func:`json_bytes` gave."""
    elements = longest = 0
    plain = True
    for value in _values(data):
        if isinstance(value, str):
            # Four bytes is the longest encoding of a character.
            longest = max(longest, len(value) * (1 if value.isascii() else 4))
            plain = plain and is_plain(value)
        else:
            elements = max(elements, len(value))
    return Sizes(size, elements, longest, plain)


def is_plain(text: str) -> bool:
    """See :class:`Sizes`."""
    return "{" not in text and "\\p" not in text and "\\P" not in text


def _values(data: Mapping[str, Any]) -> Iterator[str | list[Any] | Mapping[str, Any]]:
    """All strings (keys too), lists and maps."""
    waiting: list[Any] = [data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield value
            waiting += value.keys()
            waiting += value.values()
        elif isinstance(value, list):
            yield value
            waiting += value
