"""Random worlds, and after each step everybody who waits is asked why: nobody is left without a
reason, and the reason is that of the row where the task stands."""

from __future__ import annotations

from typing import Any

import pytest

from hatchet_engine.domain.states import Status
from hatchet_engine.domain.why import Kind
from hatchet_engine.observe import definitions
from hatchet_engine.observe.why import explain
from tests.simulation.dag_world import DagWorld
from tests.simulation.runner import run_seeds
from tests.simulation.world import World
from tests.support.engine import TENANT

SEEDS = 6
STEPS = 40
ASKED_MAX = 8  # tasks per step

_LIVE = """
select id from task t
where not exists (select from outcome o where o.tenant_id = t.tenant_id and o.id = t.id)
order by md5(id::text) limit $1
"""


class OneConnection:
    """Looks like a pool."""

    def __init__(self, connection: Any) -> None:
        self.fetch, self.fetchval = connection.fetch, connection.fetchval


async def ask_around(world: World | DagWorld) -> None:
    pool: Any = OneConnection(world.reader)
    engine = world.engine
    for row in await world.reader.fetch(_LIVE, ASKED_MAX):
        answer = await explain(pool, engine.hot, TENANT, row["id"], engine.clock.now_ms())
        assert answer is not None
        kinds = [blocker.kind for blocker in answer.blockers]
        assert kinds, f"{row['id']} waits for nothing"
        assert Kind.SOON not in kinds, f"{row['id']}: {answer.message}"
        assert Kind.STANDBY not in kinds
        if answer.task_id is not None:
            assert (kinds == [Kind.RUNNING]) == (answer.status is Status.RUNNING), kinds


class AskingWorld(World):
    async def check(self) -> None:
        await super().check()
        await ask_around(self)


class AskingDagWorld(DagWorld):
    async def check(self) -> None:
        await super().check()
        await ask_around(self)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("world", [AskingWorld, AskingDagWorld])
def test_whoever_waits_has_a_reason(database: str, world: Any) -> None:
    definitions._cache.clear()  # ids of versions are not unique among these tests
    assert run_seeds(world, STEPS, database, range(SEEDS)) > 0
