"""Rate limits and what is left of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import asyncpg

from hatchet_engine.observe.times import from_ms
from hatchet_engine.store.sql import load
from hatchet_engine.turn.commands import PauseKind

_SQL = load("read_flow")


class Order(StrEnum):
    """By what a list is ordered; the values are columns."""

    KEY = "key"
    VALUE = "value"
    LIMIT = "limit_value"


@dataclass(slots=True, frozen=True)
class RateLimitRow:
    key: str
    limit: int  # units per window; 0: nobody has put a limit yet
    value: int  # units left now
    window: str  # SECOND ... YEAR
    began_at: datetime  # of the window that was the last one to be used
    paused: bool
    paused_until: datetime | None  # None: until somebody resumes it, if it is paused


async def rate_limit_list(
    pool: asyncpg.Pool,
    tenant_id: UUID,
    now_ms: int,
    *,
    search: str | None,
    order: Order,
    descending: bool,
    offset: int,
    limit: int,
) -> tuple[list[RateLimitRow], int]:
    """One page and the total. ``search``: a part of the key, case counts."""
    text = _SQL["rate_limit_list"].replace("{order}", f"{order} {_direction(descending)}")
    text = text.replace("{direction}", _direction(descending))
    records = await pool.fetch(text, tenant_id, search, now_ms, offset, limit, PauseKind.RATE_LIMIT)
    if records:
        return [_row(record) for record in records], records[0]["total"]
    if offset == 0:
        return [], 0
    return [], await pool.fetchval(_SQL["rate_limit_count"], tenant_id, search)


def _direction(descending: bool) -> str:
    return "desc" if descending else "asc"


def _row(record: asyncpg.Record) -> RateLimitRow:
    paused_ms = record["paused_until_ms"]
    return RateLimitRow(
        key=record["key"],
        limit=record["limit_value"],
        value=record["value"],
        window=record["window_length"],
        began_at=from_ms(record["began_ms"]),
        paused=record["paused"],
        paused_until=None if paused_ms is None else from_ms(paused_ms),
    )
