"""Which tasks of a tenant stand where in its DAGs, so that searches for runs look up little.

A version never changes and ids of versions ascend, so each look reads only what is new.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

from hatchet_engine.observe.pieces import statements
from hatchet_engine.observe.run_query import Roles

TENANTS_CACHED_MAX = 1_000

_SQL = statements("read_runs")
_BEFORE_ALL = UUID(int=0)
_cache: OrderedDict[UUID, _Seen] = OrderedDict()


@dataclass(slots=True)
class _Seen:
    last: UUID = _BEFORE_ALL  # the newest version looked at
    first: set[str] = field(default_factory=set)
    later: set[str] = field(default_factory=set)
    roots: list[tuple[UUID, int]] = field(default_factory=list)
    open: list[tuple[UUID, int]] = field(default_factory=list)


async def roles_of(pool: asyncpg.Pool, tenant_id: UUID) -> Roles:
    """The roles of all tasks that any version of the tenant's workflows has."""
    seen = _cache.get(tenant_id) or _Seen()
    records = await pool.fetch(_SQL["version_actions"], tenant_id, seen.last)
    versions: dict[UUID, list[asyncpg.Record]] = {}
    for record in records:
        versions.setdefault(record["id"], []).append(record)
    for version_id, tasks in versions.items():
        if version_id > seen.last:  # another look may have added it meanwhile
            _add(seen, tasks)
            seen.last = version_id
    _cache[tenant_id] = seen
    _cache.move_to_end(tenant_id)
    if len(_cache) > TENANTS_CACHED_MAX:
        _cache.popitem(last=False)
    return Roles(tuple(seen.first), tuple(seen.later), tuple(seen.roots), tuple(seen.open))


def _add(seen: _Seen, tasks: list[asyncpg.Record]) -> None:
    roots = [task for task in tasks if task["root"]]
    pairs = [(task["id"], task["step"]) for task in roots]
    seen.first.update(task["action"] for task in roots)
    if len(tasks) > 1:
        seen.roots += pairs
    if len(roots) > 1:
        seen.open += pairs
    for task in tasks:
        # The only root of a DAG waits, if it never ran, in a run that has not begun.
        if not task["root"] or len(roots) > 1:
            seen.later.add(task["action"])
