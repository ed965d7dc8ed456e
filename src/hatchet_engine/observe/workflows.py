"""Workflows and their versions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from hatchet_engine.observe.definitions import Version, version_of
from hatchet_engine.observe.log_lines import pattern
from hatchet_engine.store.sql import load

_SQL = load("read_workflows")


@dataclass(slots=True, frozen=True)
class WorkflowRow:
    id: UUID
    tenant_id: UUID
    name: str
    description: str
    created_at: datetime
    updated_at: datetime
    paused: bool
    drop_crons: bool | None  # while it is paused; None: it isn't
    drop_scheduled: bool | None


async def workflow_list(
    pool: asyncpg.Pool, tenant_id: UUID, name: str | None, *, offset: int, limit: int
) -> tuple[list[WorkflowRow], int]:
    """One page and the total: newest first, but an exact match of ``name`` before all.

    ``name`` is a part of the name, case is ignored. Deleted workflows are left out.
    """
    part = pattern(name) if name else None
    records = await pool.fetch(_SQL["workflow_list"], tenant_id, part, name, offset, limit)
    if records:
        return [_row(record) for record in records], records[0]["total"]
    if offset == 0:
        return [], 0
    return [], await pool.fetchval(_SQL["workflow_count"], tenant_id, part)


async def workflow_get(
    pool: asyncpg.Pool, tenant_id: UUID, workflow_id: UUID
) -> WorkflowRow | None:
    """None for unknown and deleted ones."""
    record = await pool.fetchrow(_SQL["workflow_get"], tenant_id, workflow_id)
    return None if record is None else _row(record)


async def version_get(
    pool: asyncpg.Pool, tenant_id: UUID, workflow_id: UUID, version_id: UUID | None = None
) -> Version | None:
    """One version of a workflow, by default the newest."""
    record = await pool.fetchrow(_SQL["workflow_version_get"], tenant_id, workflow_id, version_id)
    return None if record is None else version_of(record)


async def names_by_actions(
    pool: asyncpg.Pool, tenant_id: UUID, actions: list[str]
) -> list[tuple[UUID, str]]:
    """Ids and names of the workflows that a worker with these actions serves."""
    lower = [action.lower() for action in actions]
    records = await pool.fetch(_SQL["workflow_names_by_action"], tenant_id, lower)
    return [(record["id"], record["name"]) for record in records]


async def names_by_ids(pool: asyncpg.Pool, tenant_id: UUID, ids: Iterable[UUID]) -> dict[UUID, str]:
    """Also of deleted workflows."""
    wanted = list(set(ids))
    if not wanted:
        return {}
    records = await pool.fetch(_SQL["workflow_names"], tenant_id, wanted)
    return {record["id"]: record["name"] for record in records}


def _row(record: asyncpg.Record) -> WorkflowRow:
    return WorkflowRow(
        id=record["id"],
        tenant_id=record["tenant_id"],
        name=record["name"],
        description=record["description"],
        created_at=record["created_at"],
        updated_at=record["updated_at"],
        paused=record["paused"],
        drop_crons=record["drop_crons"],
        drop_scheduled=record["drop_scheduled"],
    )
