"""Where tasks stand that have not ended, as their rows tell, and who stands before them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import asyncpg

from hatchet_engine.domain.demand import Demand, read_demand
from hatchet_engine.domain.rates import Meter
from hatchet_engine.domain.why import PLACES_COUNTED_MAX, Awaited, Blocker, Holder, Place
from hatchet_engine.observe import definitions
from hatchet_engine.store import rates
from hatchet_engine.store.sql import load

_SQL = load("read_why")
QUEUE, LINE, BACKOFF, WORKER = "queue", "line", "backoff", "worker"


@dataclass(slots=True, frozen=True)
class Standing:
    """``since_ms``: unknown of a backoff. ``until_ms``: schedule timeout in a queue or line, end of
    the backoff, deadline on a worker. ``retries``: in a backoff, with the one to come."""

    task_id: UUID
    kind: str
    line: str
    queue_id: int
    rank: int
    round: int
    attempt: int
    since_ms: int | None
    until_ms: int
    demand: Demand | None
    retries: int = 0


async def standings(
    pool: asyncpg.Pool, tenant_id: UUID, ids: Sequence[UUID]
) -> dict[UUID, Standing]:
    """By id; missing: it ended, or waits for parents or conditions."""
    if not ids:
        return {}
    records = await pool.fetch(_SQL["standings"], tenant_id, list(ids), min(ids), max(ids))
    return {
        record["task_id"]: Standing(**{**record, "demand": read_demand(record["demand"])})
        for record in records
    }


async def awaited(
    pool: asyncpg.Pool, tenant_id: UUID, ids: Sequence[UUID]
) -> dict[UUID, list[Awaited]]:
    """Times and events that these tasks wait for."""
    found: dict[UUID, list[Awaited]] = {}
    for record in await pool.fetch(_SQL["standing_waits"], tenant_id, list(ids)):
        one = Awaited(
            record["position"],
            record["due_ms"],
            record["event_key"],
            record["event_scope"] or None,
            record["met"],
        )
        found.setdefault(record["task_id"], []).append(one)
    return found


async def place_of(pool: asyncpg.Pool, standing: Standing, of: str) -> Place:
    """How many stand before it, counted up to ``PLACES_COUNTED_MAX``."""
    most = PLACES_COUNTED_MAX + 1
    where = standing.rank, standing.task_id, most
    if standing.kind == LINE:
        ahead = await pool.fetchval(_SQL["ahead_in_line"], standing.line, *where)
    elif standing.round:
        ahead = await pool.fetchval(
            _SQL["ahead_in_queue_fair"], standing.queue_id, *where, standing.round
        )
    else:
        ahead = await pool.fetchval(_SQL["ahead_in_queue"], standing.queue_id, *where)
    if ahead > PLACES_COUNTED_MAX:
        return Place(of, PLACES_COUNTED_MAX, more=True)
    return Place(of, ahead + 1)


async def with_holders(pool: asyncpg.Pool, tenant_id: UUID, blocker: Blocker) -> Blocker:
    """Since when those who hold the places of a key have them, and what they are."""
    ids = [holder.id for holder in blocker.holders]
    if not ids:
        return blocker
    records = await pool.fetch(
        _SQL["place_holders"], tenant_id, ids, blocker.line, min(ids), max(ids)
    )
    versions = await definitions.get_many(pool, {record["version_id"] for record in records})
    holders = []
    for record in records:
        version = versions.get(record["version_id"])
        name = version.definition.name if version else ""
        holders.append(Holder(record["holder_id"], name, record["taken_ms"]))
    return replace(blocker, holders=tuple(holders))


async def meters(pool: asyncpg.Pool, tenant_id: UUID, keys: Sequence[str]) -> Mapping[str, Meter]:
    """Rate limits as the table has them."""
    records = await pool.fetch(_SQL["limits_of_keys"], tenant_id, list(keys))
    return {record["key"]: rates.meter(record) for record in records}
