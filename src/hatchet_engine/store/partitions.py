"""Daily partitions of the history tables, bounded by UUIDv7."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import asyncpg

from hatchet_engine.domain import ids

TABLES = ("task", "outcome", "task_event", "task_log")
DAY_MS = 86_400_000
DAYS_AHEAD = 7


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day, counted from the epoch."""

    number: int

    @property
    def suffix(self) -> str:
        start = datetime.date(1970, 1, 1) + datetime.timedelta(days=self.number)
        return start.strftime("%Y%m%d")

    @property
    def bounds(self) -> tuple[str, str]:
        first = ids.lowest(self.number * DAY_MS)
        next_first = ids.lowest((self.number + 1) * DAY_MS)
        return str(first), str(next_first)


async def create_ahead(connection: asyncpg.Connection, now_ms: int) -> int:
    """Make the partitions from yesterday to ``DAYS_AHEAD`` days ahead; returns the epoch
    millisecond up to which ids can be stored. Safe to call at once from several nodes."""
    today = now_ms // DAY_MS
    days = [Day(number) for number in range(today - 1, today + DAYS_AHEAD + 1)]
    have = await _existing(connection)
    wanted = [(table, day) for table in TABLES for day in days if _name(table, day) not in have]
    for table, day in wanted:
        lower, upper = day.bounds
        # asyncpg can't bind parameters in DDL; names and bounds are computed here, not given.
        await connection.execute(
            f"create table if not exists {_name(table, day)} partition of {table} "
            f"for values from ('{lower}') to ('{upper}')"
        )
    return (days[-1].number + 1) * DAY_MS


async def drop_before(connection: asyncpg.Connection, before_ms: int) -> list[str]:
    """Drop partitions that end at or before ``before_ms``; returns their names."""
    dropped = []
    limit = Day(before_ms // DAY_MS).suffix
    for name in sorted(await _existing(connection)):
        table, _, suffix = name.rpartition("_p")
        if table in TABLES and suffix < limit:
            await connection.execute(f"drop table {name}")
            dropped.append(name)
    return dropped


def _name(table: str, day: Day) -> str:
    return f"{table}_p{day.suffix}"


async def _existing(connection: asyncpg.Connection) -> set[str]:
    rows = await connection.fetch(
        "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid "
        "join pg_class p on p.oid = i.inhparent where p.relname = any($1::text[])",
        list(TABLES),
    )
    return {row["relname"] for row in rows}
