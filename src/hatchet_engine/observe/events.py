"""Events that were pushed, with the runs that they caused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg

from hatchet_engine.domain import ids
from hatchet_engine.domain.errors import invalid
from hatchet_engine.domain.states import Status
from hatchet_engine.observe import event_query
from hatchet_engine.observe.event_query import EventQuery
from hatchet_engine.observe.pieces import statements
from hatchet_engine.observe.roles import roles_of
from hatchet_engine.observe.times import from_ms, ids_after

COUNT_MAX = 20_000  # totals stop here
RUNS_LOOKED_AT_MAX = 20_000  # of each status, when events are selected by their runs
RUNS_LOOKED_AT_USUAL = 5_000  # by pages that need no more
RUNS_PER_EVENT_MAX = 1_000  # shown and counted of one event
KEYS_MAX = 10_000
ROWS_PER_READ = 100
PAGE_CHARS_MAX = 256 * 1024 * 1024
RUN_CHARS = 100  # of one run of an event

_SQL = statements("read_events")


@dataclass(slots=True, frozen=True)
class EventRun:
    run_id: UUID
    filter_id: str | None  # the filter that let it through
    status: Status


@dataclass(slots=True, frozen=True)
class EventRow:
    id: UUID
    key: str
    scope: str | None
    payload: str  # JSON object text
    metadata: str | None  # JSON object text
    priority: int | None
    source: str | None  # name of the webhook it came by
    runs: list[EventRun] = field(default_factory=list)

    @property
    def chars(self) -> int:
        """How much of it an answer shows."""
        return len(self.payload) + len(self.metadata or "") + RUN_CHARS * len(self.runs)

    @property
    def seen_at(self) -> datetime:
        return from_ms(ids.time_ms(self.id))


@dataclass(slots=True, frozen=True)
class EventPage:
    rows: list[EventRow]
    total: int  # at most COUNT_MAX; of events selected by runs, fewer are looked at


async def event_list(
    pool: asyncpg.Pool, query: EventQuery, *, offset: int, limit: int
) -> EventPage:
    """One page, newest first."""
    if query.by_runs:
        found, total = await _ids_by_runs(pool, query, offset, limit)
    else:
        statement = event_query.page(query, offset, limit)
        found = [row["id"] for row in await pool.fetch(statement.text, *statement.arguments)]
        statement = event_query.count(query, COUNT_MAX)
        total = await pool.fetchval(statement.text, *statement.arguments)
    rows = await event_rows(pool, query.tenant_id, found)
    return EventPage(rows, min(total, COUNT_MAX))


async def event_rows(
    pool: asyncpg.Pool, tenant_id: UUID, event_ids: Sequence[UUID]
) -> list[EventRow]:
    """These events with their runs, newest first; unknown ids are missing.

    Raises ``Refused`` if they are larger than ``PAGE_CHARS_MAX``: the server would have to hold all
    of them at once. Two reads for each ``ROWS_PER_READ``.
    """
    wanted = sorted(set(event_ids), reverse=True)
    rows: list[EventRow] = []
    left = PAGE_CHARS_MAX
    for start in range(0, len(wanted), ROWS_PER_READ):
        read = await _read(pool, tenant_id, wanted[start : start + ROWS_PER_READ])
        left -= sum(row.chars for row in read)
        if left < 0:
            raise invalid(
                f"limit: the payloads of these {len(wanted)} events are larger than "
                f"{PAGE_CHARS_MAX} characters; ask for fewer",
                field="limit",
            )
        rows += read
    return rows


async def _read(pool: asyncpg.Pool, tenant_id: UUID, wanted: list[UUID]) -> list[EventRow]:
    records = await pool.fetch(_SQL["event_rows"], tenant_id, wanted, min(wanted), max(wanted))
    rows = {record["id"]: EventRow(**record) for record in records}
    after = [ids_after(id) for id in rows]
    runs = await pool.fetch(_SQL["event_runs"], tenant_id, list(rows), after, RUNS_PER_EVENT_MAX)
    for run in runs:
        entry = EventRun(run["id"], run["filter_id"], Status(run["status"]))
        rows[run["event_id"]].runs.append(entry)
    return list(rows.values())


async def event_get(pool: asyncpg.Pool, tenant_id: UUID, event_id: UUID) -> EventRow | None:
    found = await event_rows(pool, tenant_id, [event_id])
    return found[0] if found else None


async def event_keys(pool: asyncpg.Pool, tenant_id: UUID, since_ms: int) -> list[str]:
    """Keys of events seen since then, in order, at most ``KEYS_MAX``."""
    lowest = ids.lowest(max(since_ms, 0))
    records = await pool.fetch(_SQL["event_keys"], tenant_id, lowest, KEYS_MAX)
    return [record["key"] for record in records]


async def _ids_by_runs(
    pool: asyncpg.Pool, query: EventQuery, offset: int, limit: int
) -> tuple[list[UUID], int]:
    """A page of ids and the count, from the newest runs that events have caused."""
    live = {Status.QUEUED, Status.RUNNING} & set(query.statuses)
    roles = await roles_of(pool, query.tenant_id) if live else None
    most = min(max(2 * (offset + limit), RUNS_LOOKED_AT_USUAL), RUNS_LOOKED_AT_MAX)
    statement = event_query.page_by_runs(query, offset, limit, most, roles)
    record = await pool.fetchrow(statement.text, *statement.arguments)
    assert record is not None
    return record["ids"], record["events"]
