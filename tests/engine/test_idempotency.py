"""Idempotency keys (ID-*), with time moved by hand."""

from __future__ import annotations

import json
from uuid import UUID

import asyncpg
import pytest

from hatchet_engine.domain.definition import IdempotencyConfig, TaskDefinition
from hatchet_engine.domain.durations import MAX_MS
from hatchet_engine.domain.errors import Code, KeyCollision, Refused
from hatchet_engine.store import idempotency
from hatchet_engine.turn.commands import (
    CancelTasks,
    DeleteWorkflow,
    NewEvent,
    PushEvents,
    RegisteredWorkflow,
    ReplayTasks,
    TriggerItem,
    TriggerRuns,
)
from hatchet_engine.upkeep import loop as upkeep
from tests.support.dags import push, step, work
from tests.support.engine import TENANT, Harness, running_engine
from tests.support.rules import OTHER_TENANT, refused

MINUTE_MS = 60_000


async def keyed(
    h: Harness,
    *tasks: TaskDefinition,
    name: str = "hello",
    method: str = "TTL",
    ttl_ms: int = 2_000,
    expression: str = "input.id",
    **workflow: object,
) -> RegisteredWorkflow:
    """A workflow with keys, of one task unless some are given."""
    config = IdempotencyConfig(expression, ttl_ms, method)
    return await h.put_dag(name, *(tasks or (step(name),)), idempotency=config, **workflow)


def of(key: object) -> str:
    return json.dumps({"id": key})


async def collision(h: Harness, *items: TriggerItem) -> KeyCollision:
    with pytest.raises(KeyCollision) as caught:
        await h.engine.submit(TriggerRuns(TENANT, items, h.results))
    return caught.value


async def taken(h: Harness, key: object = "a", name: str = "hello") -> UUID:
    """The run that holds a key, as another trigger is told."""
    error = await collision(h, TriggerItem(name, of(key)))
    assert (error.code, error.message) == (Code.ALREADY_EXISTS, "idempotency key collision")
    assert list(error.holders) == [0]
    return error.holders[0]


# ---------------------------------------------------------------- TTL


async def test_id_5_a_key_is_free_again_after_its_time_from_the_last_accepted_run(
    h: Harness,
) -> None:
    """The engine's own test: ttl 2 s, triggers at 0, 1.5, 4 and 7.5 s."""
    await keyed(h)
    (first,) = await h.trigger(input=of("a"))
    await h.advance(1_500)
    assert await taken(h) == first
    await h.advance(2_500)
    (third,) = await h.trigger(input=of("a"))
    assert third != first
    await h.advance(3_500)
    await h.trigger(input=of("a"))
    assert await h.count("task") == 3


async def test_id_5_example_of_the_documentation_and_the_edge_of_the_time(h: Harness) -> None:
    await keyed(h, ttl_ms=5 * MINUTE_MS)
    await h.trigger(input=of("a"))
    for _ in range(2):
        await h.advance(2 * MINUTE_MS)
        await taken(h)
    await h.advance(2 * MINUTE_MS)
    await h.trigger(input=of("a"))
    await h.advance(5 * MINUTE_MS - 1)
    await taken(h)
    await h.advance(1)
    await h.trigger(input=of("a"))


@pytest.mark.parametrize("end", ["complete", "fail"])
async def test_id_5_the_end_of_the_run_frees_nothing(h: Harness, end: str) -> None:
    await keyed(h)
    worker = await h.worker()
    (run,) = await h.trigger(input=of("a"))
    (task,) = await worker.next()
    await getattr(worker, end)(task)
    await h.result(run)
    assert await taken(h) == run


async def test_the_longest_time_can_be_stored(h: Harness) -> None:
    await keyed(h, ttl_ms=MAX_MS)
    (run,) = await h.trigger(input=of("a"))
    assert await taken(h) == run
    with refused(Code.INVALID_ARGUMENT, "ttl_ms", str(MAX_MS)):
        await keyed(h, ttl_ms=MAX_MS + 1)


# ---------------------------------------------------------------- scope


async def test_id_1_keys_belong_to_their_workflow(h: Harness) -> None:
    await keyed(h)
    await keyed(h, name="other")
    await h.trigger(input=of("a"))
    await h.trigger("other", input=of("a"))
    await taken(h, name="other")


async def test_id_1_tenants_do_not_meet(h: Harness) -> None:
    await keyed(h)
    await h.trigger(input=of("a"))
    await h.fetch(
        "insert into tenant (id, slug, name, created_at, updated_at) "
        "values ($1, 'other', 'other', now(), now())",
        OTHER_TENANT,
    )
    await h.put(tenant_id=OTHER_TENANT)
    await h.trigger(input=of("a"), tenant_id=OTHER_TENANT)


async def test_id_1_a_new_version_keeps_the_keys_and_a_deleted_workflow_loses_them(
    h: Harness,
) -> None:
    made = await keyed(h)
    (run,) = await h.trigger(input=of("a"))
    await keyed(h, ttl_ms=3_000)
    assert await taken(h) == run
    await h.put()  # a version without keys asks for none
    await h.trigger(input=of("a"))
    await h.engine.submit(DeleteWorkflow(TENANT, made.workflow_id))
    await keyed(h)
    await h.trigger(input=of("a"))


async def test_keys_may_be_made_of_metadata(h: Harness) -> None:
    await keyed(h, expression="additional_metadata.order + '/' + input.id")
    await h.trigger(input=of("a"), metadata='{"order":"1"}')
    await h.trigger(input=of("a"), metadata='{"order":"2"}')
    error = await collision(h, TriggerItem("hello", of("a"), '{"order":"1"}'))
    assert len(error.holders) == 1


# ---------------------------------------------------------------- one transaction


async def test_id_2_two_calls_of_one_turn(h: Harness) -> None:
    await keyed(h)
    calls = [h.engine.enter(TriggerRuns(TENANT, [TriggerItem("hello", of("a"))])) for _ in range(3)]
    (run,) = await calls[0]
    for call in calls[1:]:
        with pytest.raises(KeyCollision) as caught:
            await call
        assert caught.value.holders == {0: run}
    assert await h.count("task") == 1


async def test_id_2_a_claim_outlives_the_engine(clean_database: str) -> None:
    async with running_engine(clean_database) as h:
        await keyed(h, method="STATUS", ttl_ms=MINUTE_MS)
        (run,) = await h.trigger(input=of("a"))
        clock = h.clock
    async with running_engine(clean_database, clock=clock, seed=2) as h:
        assert await taken(h) == run
        worker = await h.worker()
        await worker.complete((await worker.next())[0])
        await h.trigger(input=of("a"))


async def test_id_2_nothing_is_claimed_when_the_runs_can_not_be_stored(h: Harness) -> None:
    await keyed(h)
    bad = TriggerItem("hello", of("a"), '{"n":1e-400000}')
    with refused(Code.INVALID_ARGUMENT, "can't be stored"):
        await h.engine.submit(TriggerRuns(TENANT, [bad]))
    assert await h.count("idempotency_key") == 0
    await h.trigger(input=of("a"))


@pytest.mark.parametrize(
    ("expression", "word"),
    [
        ("input.missing", "no such key"),
        ("input.n", "must be a string"),
        ("'hatchet_internal_' + input.id", "belong to the engine"),
        ("input.long", "bytes, the limit is"),
    ],
)
async def test_id_8_a_run_that_has_no_key_is_refused(
    h: Harness, expression: str, word: str
) -> None:
    """ID-2 too: the engine's own prefix is refused."""
    await keyed(h, expression=expression)
    text = json.dumps({"id": "a", "n": 1, "long": "x" * 2_001})
    good = TriggerItem("plain")
    await h.put("plain")
    with pytest.raises(Refused) as caught:
        await h.engine.submit(TriggerRuns(TENANT, [good, TriggerItem("hello", text)]))
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert word in caught.value.message
    assert (caught.value.index, caught.value.field) == (1, "idempotency")
    assert await h.count("task") == 0


async def test_bad_input_is_told_before_keys_are_thought_of(h: Harness) -> None:
    await keyed(h)
    with refused(Code.INVALID_ARGUMENT, "input:"):
        await h.trigger(input="[1]")


# ---------------------------------------------------------------- bulk


async def test_id_4_the_others_of_a_bulk_are_created(h: Harness) -> None:
    await keyed(h)
    await h.put("plain")
    (first,) = await h.trigger(input=of("a"))
    items = [
        TriggerItem("hello", of("b")),
        TriggerItem("hello", of("a")),
        TriggerItem("plain"),
        TriggerItem("hello", of("b")),
    ]
    error = await collision(h, *items)
    assert error.message == "idempotency key collision"
    assert error.holders == {1: first, 3: error.run_ids[0]}
    assert error.created == [error.run_ids[0], error.run_ids[2]]
    stored = {row["id"] for row in await h.fetch("select id from task")}
    assert stored == {first, *error.created}


async def test_id_4_results_come_for_those_that_were_created(h: Harness) -> None:
    await keyed(h)
    worker = await h.worker()
    error = await collision(h, *[TriggerItem("hello", of("a"))] * 2)
    await worker.complete((await worker.next())[0])
    assert (await h.result(error.created[0])).run_id == error.run_ids[0]


async def test_id_4_a_large_bulk_of_keys(h: Harness) -> None:
    await keyed(h)
    runs = await h.engine.submit(
        TriggerRuns(TENANT, [TriggerItem("hello", of(str(n))) for n in range(2_000)])
    )
    error = await collision(h, *[TriggerItem("hello", of(str(n))) for n in range(1_999, 2_001)])
    assert error.holders == {0: runs[-1]}
    assert await h.count("idempotency_key") == 2_001


# ---------------------------------------------------------------- STATUS


async def test_id_6_free_when_the_waiting_client_sees_the_result(h: Harness) -> None:
    await keyed(h, method="STATUS", ttl_ms=MINUTE_MS)
    worker = await h.worker()
    for _ in range(3):
        (run,) = await h.trigger(input=of("a"))
        assert await taken(h) == run
        await worker.complete((await worker.next())[0])
        await h.result(run)
    assert await h.count("idempotency_key") == 0


async def test_id_6_held_during_retries_and_freed_by_the_last_failure(h: Harness) -> None:
    await keyed(h, step("hello", retries=1, backoff_factor=2.0), method="STATUS", ttl_ms=MINUTE_MS)
    worker = await h.worker()
    (run,) = await h.trigger(input=of("a"))
    await worker.fail((await worker.next())[0])
    assert await taken(h) == run  # in backoff
    await h.advance(5_000)
    assert await taken(h) == run
    await worker.fail((await worker.next())[0])
    await h.trigger(input=of("a"))


async def test_id_6_freed_by_a_cancel_of_a_queued_and_of_a_running_one(h: Harness) -> None:
    await keyed(h, method="STATUS", ttl_ms=MINUTE_MS)
    (run,) = await h.trigger(input=of("a"))
    await h.engine.submit(CancelTasks(TENANT, [run]))
    worker = await h.worker()
    (run,) = await h.trigger(input=of("a"))
    await worker.next()
    await h.engine.submit(CancelTasks(TENANT, [run]))
    await h.trigger(input=of("a"))


async def test_id_6_freed_by_timeouts(h: Harness) -> None:
    await keyed(
        h,
        step("hello", schedule_timeout_ms=5_000, execution_timeout_ms=5_000),
        method="STATUS",
        ttl_ms=MINUTE_MS,
    )
    await h.trigger(input=of("a"))
    await h.advance(5_000)
    worker = await h.worker()
    await h.trigger(input=of("a"))
    await worker.next()
    await h.advance(5_000)
    await h.trigger(input=of("a"))


async def test_id_6_at_the_latest_free_after_the_time(h: Harness) -> None:
    """And the end of the first run does not free what the second one holds."""
    await keyed(h, method="STATUS", ttl_ms=2_000)
    worker = await h.worker()
    (first,) = await h.trigger(input=of("a"))
    (task,) = await worker.next()
    await h.advance(1_999)
    assert await taken(h) == first
    await h.advance(1)
    (second,) = await h.trigger(input=of("a"))
    await worker.complete(task)
    await h.result(first)
    assert await taken(h) == second


async def test_id_6_taken_over_in_the_very_turn_in_which_the_old_holder_ends(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One statement must not touch a row twice: it is replaced, and not freed as well."""
    freed: list[UUID] = []
    monkeypatch.setattr(idempotency, "free", lambda batch, run_ids: freed.extend(run_ids))
    await keyed(h, method="STATUS", ttl_ms=2_000)
    (first,) = await h.trigger(input=of("a"))
    await h.advance(2_000)
    again = h.engine.enter(TriggerRuns(TENANT, [TriggerItem("hello", of("a"))]))
    ended = h.engine.enter(CancelTasks(TENANT, [first]))
    (second,) = await again
    assert await ended == [first]
    assert await taken(h) == second
    assert freed == []


async def test_id_7_a_run_of_several_tasks_holds_its_key_to_the_end(h: Harness) -> None:
    await keyed(
        h,
        step("a"),
        step("b", "a"),
        name="graph",
        method="STATUS",
        ttl_ms=MINUTE_MS,
    )
    worker = await h.worker("a", "b")
    (run,) = await h.trigger("graph", input=of("x"))
    await worker.complete((await worker.next())[0])
    assert await taken(h, "x", "graph") == run
    await worker.complete((await worker.next())[0])
    await h.result(run)
    await h.trigger("graph", input=of("x"))
    assert await work(h, worker) == ["a", "b"]


async def test_id_10_replays_and_retries_claim_nothing(h: Harness) -> None:
    await keyed(h, method="STATUS", ttl_ms=MINUTE_MS)
    worker = await h.worker()
    (run,) = await h.trigger(input=of("a"))
    await worker.complete((await worker.next())[0])
    await h.engine.submit(ReplayTasks(TENANT, [run]))
    assert await h.count("idempotency_key") == 0
    (again,) = await h.trigger(input=of("a"))
    await worker.complete((await worker.next())[0])  # the replay
    assert await taken(h) == again


# ---------------------------------------------------------------- events and children


async def test_id_9_two_equal_events_trigger_one_run(h: Harness) -> None:
    await keyed(h, event_triggers=["order"])
    pushed = await h.engine.submit(PushEvents(TENANT, [NewEvent("order", of("a"))] * 2))
    later = await push(h, "order", of("a"))
    assert [len(one.run_ids) for one in (*pushed, later)] == [1, 0, 0]
    assert (await h.count("event"), await h.count("task")) == (3, 1)
    await h.advance(2_000)
    assert len((await push(h, "order", of("a"))).run_ids) == 1


async def test_id_9_an_event_and_a_call_of_one_turn(h: Harness) -> None:
    await keyed(h, event_triggers=["order"])
    event = h.engine.enter(PushEvents(TENANT, [NewEvent("order", of("a"))]))
    call = h.engine.enter(TriggerRuns(TENANT, [TriggerItem("hello", of("a"))]))
    (pushed,) = await event
    with pytest.raises(KeyCollision) as caught:
        await call
    assert caught.value.holders[0] == pushed.run_ids[0]


async def test_id_8_an_event_without_a_key_is_stored_and_the_failure_is_recorded(
    h: Harness,
) -> None:
    await keyed(h, event_triggers=["order"])
    await h.put_dag("plain", step("plain"), event_triggers=["order"])
    pushed = await push(h, "order", '{"other":1}')
    assert len(pushed.run_ids) == 1  # of the workflow without keys
    (row,) = await h.fetch("select source, message from expression_failure")
    assert row["source"] == "IDEMPOTENCY"
    assert "'hello'" in row["message"]
    assert "no such key: id" in row["message"]


async def test_a_child_is_found_by_its_parent_before_keys_are_looked_at(h: Harness) -> None:
    """CH-2: a retried parent gets its child, although the child's key is taken by that child."""
    await keyed(h, expression="additional_metadata.tenant + input.id")
    await h.put("parent")
    worker = await h.worker("parent")
    await h.trigger("parent", metadata='{"tenant":"t"}')
    (parent,) = await worker.next()
    item = TriggerItem("hello", of("a"), parent_task_id=parent.task_id, child_index=0)
    (child,) = await h.engine.submit(TriggerRuns(TENANT, [item]))
    assert await h.engine.submit(TriggerRuns(TENANT, [item])) == [child]
    other = TriggerItem("hello", of("a"), parent_task_id=parent.task_id, child_index=1)
    assert (await collision(h, other)).holders == {0: child}


# ---------------------------------------------------------------- rows


async def test_id_10_expired_rows_are_swept_and_others_stay(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keyed(h)
    await h.trigger(input=of("a"))
    await h.trigger(input=of("b"))
    await h.trigger(input=of("c"))
    await h.advance(1_000)
    (last,) = await h.trigger(input=of("d"))
    await h.advance(1_000)
    monkeypatch.setattr(upkeep, "SWEEP_KEYS", 2)
    connection: asyncpg.Connection
    async with h.pool.acquire() as connection:
        await upkeep.sweep_keys(connection, h.clock.now_ms())
    assert [row["key"] for row in await h.fetch("select key from idempotency_key")] == ["d"]
    assert await taken(h, "d") == last
    await h.trigger(input=of("a"))


async def test_the_key_stays_with_the_run(h: Harness) -> None:
    await keyed(h)
    (run,) = await h.trigger(input=of("a"))
    await h.put("plain")
    (plain,) = await h.trigger("plain")
    rows = await h.fetch("select id, idempotency_key from task")
    assert {row["id"]: row["idempotency_key"] for row in rows} == {run: "a", plain: None}
