"""Versions of workflows by id, read once and kept: a version never changes.

The cache belongs to the process, because a version id is unique in the world.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from hatchet_engine.domain.definition import TaskDefinition, WorkflowDefinition, from_json
from hatchet_engine.store.sql import load

VERSIONS_CACHED_MAX = 1_000

_SQL = load("read_runs")
_cache: OrderedDict[UUID, Version] = OrderedDict()


@dataclass(slots=True, frozen=True)
class Version:
    """One version of a workflow; ``text`` is the definition as stored (JSON object)."""

    id: UUID
    workflow_id: UUID
    number: int
    created_at: datetime
    definition: WorkflowDefinition
    text: str

    def task(self, step: int) -> TaskDefinition | None:
        tasks = self.definition.tasks
        return tasks[step] if 0 <= step < len(tasks) else None


def version_of(record: asyncpg.Record) -> Version:
    """From columns id, workflow_id, number, created_at, definition (text)."""
    text: str = record["definition"]
    return Version(
        id=record["id"],
        workflow_id=record["workflow_id"],
        number=record["number"],
        created_at=record["created_at"],
        definition=from_json(text),
        text=text,
    )


async def get_many(pool: asyncpg.Pool, version_ids: Iterable[UUID]) -> dict[UUID, Version]:
    """These versions by id; unknown ones are missing. One query for what isn't cached yet."""
    wanted = set(version_ids)
    found = {}
    for version_id in wanted:
        cached = _cache.get(version_id)
        if cached is not None:
            _cache.move_to_end(version_id)
            found[version_id] = cached
    missing = list(wanted - found.keys())
    if missing:
        for record in await pool.fetch(_SQL["version_get_many"], missing):
            version = version_of(record)
            found[version.id] = _cache[version.id] = version
        while len(_cache) > VERSIONS_CACHED_MAX:
            _cache.popitem(last=False)
    return found
