"""Concurrency rules and their keys: who holds places, who waits for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from hatchet_engine.store.sql import load

KEYS_MAX = 10_000  # shown in one answer

_SQL = load("read_flow")


@dataclass(slots=True, frozen=True)
class LimitRow:
    """One rule. It belongs to a task, to whole runs of a workflow, or (by name) to the tenant."""

    id: int
    workflow_id: UUID | None
    task: str | None
    name: str | None
    expression: str
    workflow: str | None = None  # its name


@dataclass(slots=True, frozen=True)
class KeyRow:
    limit_id: int
    key: str
    line: str  # as a pause of the key names it
    holders: int
    waiting: int
    max_runs: int | None  # as those who hold places were told; None: nobody does


@dataclass(slots=True, frozen=True)
class KeyCount:
    """Tasks of one definition under one key."""

    version_id: UUID
    step: int
    limit_id: int
    key: str
    total: int


async def limits_find(
    pool: asyncpg.Pool,
    tenant_id: UUID,
    *,
    workflow_id: UUID | None = None,
    task: str | None = None,
    expression: str | None = None,
    name: str | None = None,
    most: int,
) -> list[LimitRow]:
    """Rules that fit all that is given, the oldest first. ``name``: of one that is shared."""
    records = await pool.fetch(
        _SQL["concurrency_limit_find"], tenant_id, workflow_id, task, expression, name, most
    )
    return [LimitRow(**record) for record in records]


async def limits_get(
    pool: asyncpg.Pool, tenant_id: UUID, ids: Iterable[int]
) -> dict[int, LimitRow]:
    """These rules by id; unknown ones are missing."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    records = await pool.fetch(_SQL["concurrency_limit_get_many"], tenant_id, wanted)
    return {record["id"]: LimitRow(**record) for record in records}


async def key_list(
    pool: asyncpg.Pool,
    tenant_id: UUID,
    *,
    limit_ids: Sequence[int] | None = None,
    limit: int = KEYS_MAX,
) -> list[KeyRow]:
    """Keys that are in use, those with the most waiters first. ``limit_ids`` None: of all rules."""
    chosen = None if limit_ids is None else list(limit_ids)
    records = await pool.fetch(_SQL["concurrency_key_list"], tenant_id, chosen, limit)
    return [KeyRow(**record) for record in records]


async def queued_keys(pool: asyncpg.Pool, tenant_id: UUID) -> list[KeyCount]:
    """Tasks that wait for a place. Step -1: a whole run."""
    return _counts(await pool.fetch(_SQL["queued_keys"], tenant_id, KEYS_MAX))


async def running_keys(pool: asyncpg.Pool, tenant_id: UUID) -> list[KeyCount]:
    """Running tasks that hold a place of their own."""
    return _counts(await pool.fetch(_SQL["running_keys"], tenant_id, KEYS_MAX))


def _counts(records: Sequence[asyncpg.Record]) -> list[KeyCount]:
    return [
        KeyCount(record["version_id"], record["step"], *read_line(record["line"]), record["total"])
        for record in records
    ]


def read_line(line: str) -> tuple[int, str]:
    """Limit and key that a line's name tells.

    >>> read_line("c12:user:7")
    (12, 'user:7')
    """
    head, _, key = line.partition(":")
    return int(head[1:]), key
