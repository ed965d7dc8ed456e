"""Workflows and their versions (REG-*)."""

from __future__ import annotations

import asyncio

from hatchet_engine.domain.definition import TaskDefinition, WorkflowDefinition
from hatchet_engine.domain.errors import Code
from hatchet_engine.domain.registration import check
from hatchet_engine.domain.states import Status
from hatchet_engine.turn.commands import DeleteWorkflow, PutWorkflow
from tests.support.engine import TENANT, Harness
from tests.support.rules import add_tenant, refused, replay


async def test_reg_1_new_name_makes_version_one(h: Harness) -> None:
    made = await h.put("hello")
    assert made.number == 1
    assert made.changed
    (row,) = await h.fetch("select id, workflow_id, number from workflow_version")
    assert tuple(row) == (made.version_id, made.workflow_id, 1)


async def test_reg_2_unchanged_definition_writes_nothing(h: Harness) -> None:
    first = await h.put("hello", retries=2)
    h.clock.advance(1_000)
    second = await h.put("hello", retries=2)
    assert second.version_id == first.version_id
    assert not second.changed
    assert second.created_ms == first.created_ms
    assert await h.count("workflow_version") == 1


async def test_reg_2_holds_after_a_restart(h: Harness) -> None:
    """The digest is that of the stored definition, whatever JSONB makes of its text."""
    first = await h.put("hello", retries=2, backoff_factor=2.0, slots={"default": 3, "gpu": 1})
    assert h.engine._connection is not None
    await h.engine.take_over(h.engine._connection)
    again = await h.put("hello", retries=2, backoff_factor=2.0, slots={"gpu": 1, "default": 3})
    assert again.version_id == first.version_id


async def test_reg_5_only_the_latest_version_is_compared(h: Harness) -> None:
    numbers = [(await h.put("hello", retries=retries)).number for retries in (0, 1, 0, 1)]
    assert numbers == [1, 2, 3, 4]


async def test_reg_10_concurrent_registrations_make_one_version(h: Harness) -> None:
    made = await asyncio.gather(*[h.put("hello") for _ in range(5)])
    assert len({one.version_id for one in made}) == 1
    assert [one.changed for one in made].count(True) == 1


async def test_reg_11_run_keeps_its_version_through_retry_and_replay(h: Harness) -> None:
    old = await h.put("hello", retries=1)
    (run,) = await h.trigger()
    await h.put("hello", retries=0, execution_timeout_ms=1_000)
    worker = await h.worker()
    (task,) = await worker.next()
    assert task.version_id == old.version_id
    await worker.fail(task)
    (task,) = await worker.next()  # the old version grants a retry
    assert (task.version_id, task.attempt) == (old.version_id, 1)
    await worker.fail(task)
    assert (await h.result(run)).status is Status.FAILED
    await replay(h, run)
    (task,) = await worker.next()
    assert (task.version_id, task.attempt) == (old.version_id, 2)


async def test_reg_12_new_runs_take_the_new_version_at_once(h: Harness) -> None:
    await h.put("hello")
    new = await h.put("hello", retries=3)
    worker = await h.worker()
    await h.trigger()
    (task,) = await worker.next()
    assert task.version_id == new.version_id


async def test_reg_13_any_worker_with_the_action_runs_an_old_version(h: Harness) -> None:
    old = await h.put("hello", execution_timeout_ms=7_000)
    await h.trigger()
    await h.put("hello", execution_timeout_ms=9_000)
    worker = await h.worker("hello")
    (task,) = await worker.next()
    assert task.version_id == old.version_id
    assert task.deadline_ms - task.assigned_ms == 7_000


async def test_reg_13_runs_of_old_versions_survive_a_restart(h: Harness) -> None:
    old = await h.put("hello", slots={"default": 3})
    await h.trigger()
    await h.put("hello", slots={"default": 1})
    assert h.engine._connection is not None
    await h.engine.take_over(h.engine._connection)
    worker = await h.worker(slots=3)
    (task,) = await worker.next()
    assert task.version_id == old.version_id


async def test_reg_19_deleted_workflow_frees_its_name(h: Harness) -> None:
    first = await h.put("hello")
    (run,) = await h.trigger()
    assert await h.engine.submit(DeleteWorkflow(TENANT, first.workflow_id))
    with refused(Code.INVALID_ARGUMENT, "workflow names not found: hello"):
        await h.trigger()
    second = await h.put("hello")
    assert second.workflow_id != first.workflow_id
    assert second.number == 1
    worker = await h.worker()
    (task,) = await worker.next()  # what was queued before keeps its version
    assert (task.task_id, task.version_id) == (run, first.version_id)


async def test_reg_19_deleting_twice_or_the_unknown_finds_nothing(h: Harness) -> None:
    made = await h.put("hello")
    assert await h.engine.submit(DeleteWorkflow(TENANT, made.workflow_id))
    assert not await h.engine.submit(DeleteWorkflow(TENANT, made.workflow_id))
    assert not await h.engine.submit(DeleteWorkflow(TENANT, made.version_id))


async def test_te_1_tenants_share_no_workflow(h: Harness) -> None:
    other = await add_tenant(h)
    mine = await h.put("hello")
    with refused(Code.INVALID_ARGUMENT, "not found"):
        await h.trigger(tenant_id=other)
    theirs = await h.put("hello", tenant_id=other)
    assert theirs.workflow_id != mine.workflow_id
    assert not await h.engine.submit(DeleteWorkflow(other, mine.workflow_id))
    assert await h.trigger()


async def test_null_character_in_a_definition_is_refused_by_name(h: Harness) -> None:
    task = TaskDefinition(name="hello", action="hello:hello")
    with refused(Code.INVALID_ARGUMENT, "null character"):
        check(WorkflowDefinition(name="hello", description="a\x00b", tasks=[task]))
    # Smuggled past the check it fails alone, and as bad input.
    smuggled = WorkflowDefinition(name="hello", description="a\x00b", tasks=[task])
    with refused(Code.INVALID_ARGUMENT):
        await h.engine.submit(PutWorkflow(TENANT, smuggled))
    assert await h.count("workflow") == 0
