"""Several statements in one round trip.

A turn writes to a handful of tables. Sent one by one, each statement costs a round trip and 50 µs
of Python; joined as parts of one ``with`` statement they cost that once, and since one statement
is a transaction by itself, BEGIN and COMMIT are saved too. All parts see the tables as they were
before the statement, so no part may depend on what another one does (a row deleted by one part
can't be inserted again by another).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import asyncpg

_PARAMETER = re.compile(r"\$(\d+)")
JOINED_CACHED_MAX = 1_000

_joined: dict[tuple[str, ...], str] = {}


class Batch:
    """Gathers statements with their arguments; :meth:`run` sends them.

    >>> batch = Batch()
    >>> batch.add("delete from a where id = $1", 7)
    >>> batch.add("delete from b where id = $1", 8)
    >>> batch.arguments
    [7, 8]
    """

    __slots__ = ("arguments", "statements")

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.arguments: list[Any] = []

    def add(self, statement: str, *arguments: Any) -> None:
        """One more statement; its parameters are numbered from $1 on its own."""
        self.statements.append(statement)
        self.arguments.extend(arguments)

    def extend(self, other: Batch) -> None:
        """Append all statements of another batch."""
        self.statements.extend(other.statements)
        self.arguments.extend(other.arguments)

    async def run(self, connection: asyncpg.Connection) -> None:
        """Send everything as one statement. All of it is stored, or an error is raised and
        nothing is."""
        if self.statements:
            await connection.execute(self.text, *self.arguments)

    @property
    def text(self) -> str:
        key = tuple(self.statements)
        text = _joined.get(key)
        if text is None:
            if len(_joined) >= JOINED_CACHED_MAX:
                _joined.clear()
            text = _joined[key] = _join(key)
        return text


def _join(statements: Sequence[str]) -> str:
    parts = []
    offset = 0
    for statement in statements:
        parts.append(_renumber(statement, offset))
        offset += max((int(number) for number in _PARAMETER.findall(statement)), default=0)
    if len(parts) == 1:
        return parts[0]
    named = [f"part_{number} as (\n{part}\n)" for number, part in enumerate(parts[:-1])]
    return "with " + ",\n".join(named) + "\n" + parts[-1]


def _renumber(statement: str, offset: int) -> str:
    return _PARAMETER.sub(lambda match: f"${int(match[1]) + offset}", statement)
