"""Pauses that are on."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from hatchet_engine.store.history import columns
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


def holding_all_of(workflow_id: UUID) -> list[tuple[PauseKind, str]]:
    """The pauses that hold all tasks of a workflow."""
    return [(PauseKind.TENANT, ""), (PauseKind.WORKFLOW, str(workflow_id))]


async def pauses_on(
    pool: asyncpg.Pool, tenant_id: UUID, things: Sequence[tuple[PauseKind, str]]
) -> list[PausedThing]:
    """Those of these pauses, named by kind and target, that are on."""
    records = await pool.fetch(_SQL["pauses_of"], tenant_id, *columns(things))
    return [
        PausedThing(tenant_id, PauseKind(kind), target, *more) for kind, target, *more in records
    ]
