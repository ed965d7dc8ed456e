"""Daily partitions of the history tables, bounded by UUIDv7."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from hatchet_engine.domain import ids

TABLES = (
    "task",
    "outcome",
    "task_event",
    "task_log",
    "event",
    "expression_failure",
    "stream_chunk",
)
DAY_MS = 86_400_000
DAYS_AHEAD = 7
OUTLIVED_TABLES = ("task", "outcome")  # by the id of the task; the others go by their own time
LOCK_TIMEOUT_MS = 2_000
LOCK_KEY = 0x68617470  # any fixed number; "hatp"
EPOCH = datetime.date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day, counted from the epoch."""

    number: int

    @classmethod
    def of(cls, suffix: str) -> Day:
        date = datetime.date(int(suffix[:4]), int(suffix[4:6]), int(suffix[6:]))
        return cls((date - EPOCH).days)

    @property
    def suffix(self) -> str:
        start = EPOCH + datetime.timedelta(days=self.number)
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
    if await _missing(connection, days):
        async with connection.transaction():
            # Of several nodes one makes them; the others find them made.
            await connection.execute("select pg_advisory_xact_lock($1)", LOCK_KEY)
            for table, day in await _missing(connection, days):
                lower, upper = day.bounds
                # DDL binds no parameters; names and bounds are computed here, not given.
                await connection.execute(
                    f"create table {_name(table, day)} partition of {table} "
                    f"for values from ('{lower}') to ('{upper}')"
                )
    return (days[-1].number + 1) * DAY_MS


async def _missing(connection: asyncpg.Connection, days: list[Day]) -> list[tuple[str, Day]]:
    have = await _existing(connection)
    return [(table, day) for table in TABLES for day in days if _name(table, day) not in have]


async def drop_before(connection: asyncpg.Connection, before_ms: int) -> list[str]:
    """Drop partitions that end at or before ``before_ms``; returns their names.

    A run that is still alive outlives the retention: its day of ``task`` and ``outcome`` (where
    its end will be written) is kept until it has ended. A partition that somebody reads for long
    is left for the next time: waiting for the reader would stop the writer, too.
    """
    limit = Day(before_ms // DAY_MS)
    by_day: dict[str, list[str]] = {}
    for name in sorted(await _existing(connection)):
        table, _, suffix = name.rpartition("_p")
        if table in TABLES and suffix < limit.suffix:
            by_day.setdefault(suffix, []).append(name)
    dropped = []
    for suffix, names in sorted(by_day.items()):
        try:
            async with connection.transaction():
                await connection.execute(f"set local lock_timeout = '{LOCK_TIMEOUT_MS}ms'")
                dropped += await _drop_day(connection, Day.of(suffix), names)
        except asyncpg.LockNotAvailableError:
            continue
    return dropped


async def _drop_day(connection: asyncpg.Connection, day: Day, names: list[str]) -> list[str]:
    lasting = [name for name in names if name.rpartition("_p")[0] in OUTLIVED_TABLES]
    if lasting:
        # A replay of that day would change it between the look and the drop.
        await connection.execute(f"lock table {', '.join(lasting)} in access exclusive mode")
        if await connection.fetchval(_LIVE, *map(UUID, day.bounds)):
            names = [name for name in names if name not in lasting]
    for name in names:
        await connection.execute(f"drop table {name}")
    return names


_LIVE = """
select exists (select 1 from queue_item where task_id >= $1 and task_id < $2)
    or exists (select 1 from delayed_item where task_id >= $1 and task_id < $2)
    or exists (select 1 from assignment where task_id >= $1 and task_id < $2)
    or exists (select 1 from task_wait where task_id >= $1 and task_id < $2)
"""


def _name(table: str, day: Day) -> str:
    return f"{table}_p{day.suffix}"


async def _existing(connection: asyncpg.Connection) -> set[str]:
    rows = await connection.fetch(
        "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid "
        "join pg_class p on p.oid = i.inhparent where p.relname = any($1::text[])",
        list(TABLES),
    )
    return {row["relname"] for row in rows}
