"""Calls that are sent again because their answers were lost (decision 9)."""

from __future__ import annotations

from uuid import UUID

import pytest

from hatchet_engine.domain.definition import IdempotencyConfig
from hatchet_engine.domain.errors import Code, KeyCollision
from hatchet_engine.turn.commands import DeleteWorkflow, TriggerItem, TriggerRuns
from hatchet_engine.turn.repeats import CLOCK_MARGIN_MS
from tests.support.dags import step, work
from tests.support.engine import TENANT, Harness, running_engine
from tests.support.rules import OTHER_TENANT, refused

ORIGIN = (1 << 62) - 10_000


def call(
    h: Harness,
    *items: TriggerItem,
    origin: int = ORIGIN,
    resent_ms: int | None = None,
    tenant_id: UUID = TENANT,
) -> TriggerRuns:
    given = items or (TriggerItem("hello"), TriggerItem("hello"))
    return TriggerRuns(tenant_id, given, h.results, origin, resent_ms)


async def test_a_repeat_creates_nothing_and_has_the_same_answer(h: Harness) -> None:
    await h.put()
    runs = await h.engine.submit(call(h))
    await h.advance(1_000)
    assert await h.engine.submit(call(h, resent_ms=1_000)) == runs
    assert await h.engine.submit(call(h, resent_ms=1_000)) == runs
    assert await h.count("task") == 2


async def test_the_first_call_was_lost_on_the_way(h: Harness) -> None:
    await h.put()
    runs = await h.engine.submit(call(h, resent_ms=1_000))
    assert len(set(runs)) == 2
    assert await h.engine.submit(call(h, resent_ms=2_000)) == runs


async def test_both_in_one_turn(h: Harness) -> None:
    await h.put()
    calls = [h.engine.enter(call(h)), *(h.engine.enter(call(h, resent_ms=1)) for _ in range(2))]
    first, *others = [await one for one in calls]
    assert others == [first, first]
    assert await h.count("task") == 2


async def test_runs_of_several_tasks_and_special_ones(h: Harness) -> None:
    await h.put()
    await h.put_dag("graph", step("a"), step("b", "a"))
    items = [TriggerItem("graph"), TriggerItem("hello", desired_labels={}), TriggerItem("hello")]
    runs = await h.engine.submit(call(h, *items))
    assert await h.engine.submit(call(h, *items, resent_ms=1)) == runs
    worker = await h.worker("a", "b", "hello")
    assert sorted(await work(h, worker)) == ["a", "b", "hello", "hello"]


async def test_the_results_of_runs_that_have_ended_come(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    ended, alive = await h.engine.submit(call(h))
    one, two = await worker.next(2)
    await worker.complete(one)
    h.results.by_run.clear()
    assert await h.engine.submit(call(h, resent_ms=1)) == [ended, alive]
    assert (await h.result(ended)).run_id == ended
    await worker.complete(two)
    assert (await h.result(alive)).run_id == alive


async def test_a_repeat_after_a_restart_of_the_engine(clean_database: str) -> None:
    async with running_engine(clean_database) as h:
        await h.put()
        runs = await h.engine.submit(call(h))
        clock = h.clock
    async with running_engine(clean_database, clock=clock, seed=2) as h:
        assert await h.engine.submit(call(h, resent_ms=0)) == runs


async def test_the_workflow_was_deleted_in_between(h: Harness) -> None:
    made = await h.put()
    runs = await h.engine.submit(call(h))
    await h.engine.submit(DeleteWorkflow(TENANT, made.workflow_id))
    assert await h.engine.submit(call(h, resent_ms=1)) == runs
    with refused(Code.INVALID_ARGUMENT, "workflow names not found"):
        await h.engine.submit(call(h, origin=7, resent_ms=1))


async def test_only_the_time_since_the_first_call_is_looked_at(h: Harness) -> None:
    await h.put()
    runs = await h.engine.submit(call(h))
    await h.advance(60_000 + CLOCK_MARGIN_MS)
    assert await h.engine.submit(call(h, resent_ms=60_000)) == runs
    await h.advance(1)
    assert await h.engine.submit(call(h, resent_ms=60_000)) != runs


async def test_origins_of_other_tenants_and_of_other_calls_mean_nothing(h: Harness) -> None:
    await h.put()
    await h.fetch(
        "insert into tenant (id, slug, name, created_at, updated_at) "
        "values ($1, 'other', 'other', now(), now())",
        OTHER_TENANT,
    )
    await h.put(tenant_id=OTHER_TENANT)
    runs = await h.engine.submit(call(h))
    for again in (
        call(h, resent_ms=1, tenant_id=OTHER_TENANT),
        call(h, origin=ORIGIN + 2, resent_ms=1),
        call(h, origin=1, resent_ms=1),
    ):
        assert not set(await h.engine.submit(again)).intersection(runs)


async def test_items_that_were_not_created_are_tried_again(h: Harness) -> None:
    """Those that were do not meet their own keys (ID-4)."""
    config = IdempotencyConfig("input.id", 2_000)
    await h.put_dag("keyed", step("keyed"), idempotency=config)
    (holder,) = await h.trigger("keyed", '{"id":"a"}')
    items = [TriggerItem("keyed", f'{{"id":"{key}"}}') for key in "bac"]
    with pytest.raises(KeyCollision) as first:
        await h.engine.submit(call(h, *items))
    with pytest.raises(KeyCollision) as second:
        await h.engine.submit(call(h, *items, resent_ms=1))
    assert second.value.created == first.value.created
    assert second.value.holders == {1: holder}
    await h.advance(2_000)
    created = await h.engine.submit(call(h, *items, resent_ms=2_000))
    assert [created[0], created[2]] == first.value.created
    assert await h.count("task") == 4


async def test_children_are_told_apart_by_their_keys_as_ever(h: Harness) -> None:
    await h.put()
    (parent,) = await h.trigger()
    item = TriggerItem("hello", parent_task_id=parent, child_index=0)
    (child,) = await h.engine.submit(call(h, item))
    fresh = TriggerItem("hello", parent_task_id=parent, child_index=1)
    runs = await h.engine.submit(call(h, item, fresh, origin=5))
    assert runs[0] == child
    assert await h.engine.submit(call(h, item, fresh, origin=5, resent_ms=1)) == runs
