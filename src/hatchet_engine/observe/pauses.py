"""Pauses that are on."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from hatchet_engine.store.sql import load
from hatchet_engine.turn.commands import PausedThing, PauseKind

PAUSES_MAX = 10_000

_SQL = load("read_flow")


async def pause_list(pool: asyncpg.Pool, tenant_id: UUID) -> list[PausedThing]:
    """By kind, then the oldest first; at most ``PAUSES_MAX``."""
    records = await pool.fetch(_SQL["pause_list"], tenant_id, PAUSES_MAX)
    return [
        PausedThing(
            tenant_id=tenant_id,
            kind=PauseKind(record["kind"]),
            target=record["target"],
            since_ms=record["since_ms"],
            until_ms=record["until_ms"],
            by=record["by"],
            reason=record["reason"],
            queue_ttl_ms=record["queue_ttl_ms"],
            drop_crons=record["drop_crons"],
            drop_scheduled=record["drop_scheduled"],
        )
        for record in records
    ]
