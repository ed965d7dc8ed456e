"""What a run waits for that is scheduled for later: it is no task yet, so its own row tells."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg

from hatchet_engine.domain.states import Status
from hatchet_engine.domain.why import Answer, Blocker, Kind, moment
from hatchet_engine.observe.pauses import holding_all_of, pauses_on
from hatchet_engine.observe.times import to_ms
from hatchet_engine.observe.why_task import pause_blocker
from hatchet_engine.store.sql import load

_SQL = load("read_why")


async def scheduled_of(pool: asyncpg.Pool, tenant_id: UUID, id: UUID) -> asyncpg.Record | None:
    """The row of a scheduled run. One that has fired has a ``run_id`` or an ``error``."""
    return await pool.fetchrow(_SQL["scheduled_of"], tenant_id, id)


async def answer_of_scheduled(
    pool: asyncpg.Pool, tenant_id: UUID, id: UUID, row: Any, now_ms: int
) -> Answer:
    """The answer for one that has made no run, yet or at all."""
    if row["fired_ms"] is not None:
        message = f"It was due at {moment(row['due_ms'])} and made no run: {row['error']}."
        return Answer(None, id, Status.FAILED, row["fired_ms"], message)
    blockers = await _blockers(pool, tenant_id, row, now_ms)
    more = f" And {len(blockers) - 1} more." if len(blockers) > 1 else ""
    return Answer(
        task_id=None,
        run_id=id,
        status=Status.QUEUED,
        since_ms=to_ms(row["created_at"]),
        message=blockers[0].message + more,
        blockers=tuple(blockers),
        remedy=" ".join(dict.fromkeys(one.remedy for one in blockers if one.remedy)),
    )


async def _blockers(pool: asyncpg.Pool, tenant_id: UUID, row: Any, now_ms: int) -> list[Blocker]:
    """Its time, then the pauses that will still be on when it comes."""
    from_ms = max(row["due_ms"], now_ms)
    held = [
        pause_blocker(one)
        for one in await pauses_on(pool, tenant_id, holding_all_of(row["workflow_id"]))
        if one.until_ms is None or one.until_ms > from_ms
    ]
    if row["due_ms"] > now_ms:
        return [_time(row), *held]
    return held or [Blocker(Kind.SOON, "Its time has come: its run is being made.")]


def _time(row: Any) -> Blocker:
    # What code has scheduled over gRPC can't be changed from outside (SC-7).
    change = "or run it now" if row["declarative"] else "run it now, reschedule or delete it"
    return Blocker(
        Kind.SCHEDULED,
        f"It is scheduled for {moment(row['due_ms'])}.",
        f"Wait until then, {change}.",
        since_ms=to_ms(row["created_at"]),
        until_ms=row["due_ms"],
    )
