"""Reads on in lines whose windows have run dry, many lines at once."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import asyncpg

from hatchet_engine.store import lines as store
from hatchet_engine.turn.lines import Line
from hatchet_engine.turn.queues import Queued
from hatchet_engine.turn.register import load_versions
from hatchet_engine.turn.state import Turn
from hatchet_engine.turn.waiting import parked_from_row

LINE_READ_MIN = 10  # rows of a line read at once
LINE_READ_MAX = 200
NOWHERE = (-32_768, 0, UUID(int=0))  # before all positions of a line


async def read_lines(connection: asyncpg.Connection, turn: Turn, lines: Mapping[Line, int]) -> None:
    """Read on where a window has run dry; ``lines``: how many items each is to give."""
    wanted = {line: most for line, most in lines.items() if line.wants_reading}
    if not wanted:
        return
    positions = [
        (line.id, (line.edge or NOWHERE)[0], (line.edge or NOWHERE)[2], _read_size(line, most))
        for line, most in wanted.items()
    ]
    rows = await store.parked_windows(connection, positions)
    await load_versions(connection, turn.hot, {row["version_id"] for row in rows})
    by_line: dict[str, list[asyncpg.Record]] = {}
    for row in rows:
        by_line.setdefault(row["line"], []).append(row)
    new: dict[Line, list[Queued]] = {}
    for item in turn.plan.parked.values():
        if item.line in wanted:
            new.setdefault(item.line, []).append(item)
    for line, most in wanted.items():
        found = by_line.get(line.id, [])
        _take_in(turn, line, found, read_all=len(found) < _read_size(line, most))
        line.take_in(new.get(line, []))


def _read_size(line: Line, most: int) -> int:
    return max(line.wanted, min(max(most, LINE_READ_MIN), LINE_READ_MAX))


def _take_in(turn: Turn, line: Line, rows: list[asyncpg.Record], *, read_all: bool) -> None:
    gone = turn.plan.parked_removed
    items = [parked_from_row(turn.hot, row) for row in rows if row["task_id"] not in gone]
    line.extend(items, read_all)
    if rows:
        line.edge = (rows[-1]["rank"], 0, rows[-1]["task_id"])
