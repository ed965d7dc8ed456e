"""Which tasks begin a run: read once, and again only for new versions."""

from __future__ import annotations

import asyncio

import asyncpg

from hatchet_engine.domain.definition import TaskDefinition
from hatchet_engine.observe.roles import roles_of
from tests.support.rows import Rows


async def test_roles_follow_new_versions(database: str) -> None:
    rows = await Rows.open(database)
    await rows.workflow("alone")
    async with asyncpg.create_pool(database, min_size=1, max_size=4) as pool:
        roles = await roles_of(pool, rows.tenant_id)
        assert (roles.first, roles.later) == (("alone:step",), ())
        assert roles.roots == roles.open == ()
        chain = await rows.workflow(
            "chain",
            [
                TaskDefinition(name="a", action="chain:a"),
                TaskDefinition(name="b", action="chain:b", parents=["a"]),
                TaskDefinition(name="f", action="chain:f", on_failure=True),
            ],
        )
        wide = await rows.workflow(
            "wide",
            [
                TaskDefinition(name="a", action="wide:a"),
                TaskDefinition(name="b", action="wide:b"),
            ],
        )
        # Looks at the same time must not count a version twice.
        found = await asyncio.gather(*(roles_of(pool, rows.tenant_id) for _ in range(4)))
        roles = max(found, key=lambda one: len(one.roots))
        assert set(roles.first) == {"alone:step", "chain:a", "wide:a", "wide:b"}
        assert set(roles.later) == {"chain:b", "chain:f", "wide:a", "wide:b"}
        open_roots = ((wide.version_id, 0), (wide.version_id, 1))
        assert roles.roots == ((chain.version_id, 0), *open_roots)
        assert roles.open == open_roots
    await rows.close()
