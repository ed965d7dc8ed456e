"""Asking an engine of the tests why a task does not run."""

from __future__ import annotations

from uuid import UUID

from hatchet_engine.domain.definition import ConcurrencyRule, TaskDefinition
from hatchet_engine.domain.why import Answer, Blocker, Kind
from hatchet_engine.observe import why
from hatchet_engine.turn.state import Hot
from tests.support.engine import TENANT, Harness

ENGINE = object()  # what the engine has in memory


async def ask(
    h: Harness, id: UUID, tenant_id: UUID = TENANT, hot: Hot | object | None = ENGINE
) -> Answer:
    await h.settle()
    found = await maybe(h, id, tenant_id, hot)
    assert found is not None
    return found


async def maybe(
    h: Harness, id: UUID, tenant_id: UUID = TENANT, hot: Hot | object | None = ENGINE
) -> Answer | None:
    state = h.engine.hot if hot is ENGINE else hot
    assert state is None or isinstance(state, Hot)
    return await why.explain(h.pool, state, tenant_id, id, h.clock.now_ms())


async def only(h: Harness, id: UUID) -> Blocker:
    [blocker] = (await ask(h, id)).blockers
    return blocker


def kinds(answer: Answer) -> list[Kind]:
    return [blocker.kind for blocker in answer.blockers]


async def kinds_of(h: Harness, id: UUID) -> list[Kind]:
    return kinds(await ask(h, id))


def rule(most: int = 1) -> ConcurrencyRule:
    return ConcurrencyRule("input.key", most, "GROUP_ROUND_ROBIN")


def task(name: str, *parents: str, **more: object) -> TaskDefinition:
    return TaskDefinition(name=name, action=f"{name}:{name}", parents=list(parents), **more)  # type: ignore[arg-type]
