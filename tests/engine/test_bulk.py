"""Many runs at once: durable, in bounded steps (CX-2, RP-10)."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from hatchet_engine.domain.errors import Code
from hatchet_engine.domain.states import Status
from hatchet_engine.turn import bulk
from hatchet_engine.turn.commands import CancelTasks, RunFilter, StartBulk
from hatchet_engine.turn.state import Limits, Turn
from tests.support.dags import step, work
from tests.support.engine import START_MS, TENANT, Harness, running_engine
from tests.support.rules import refused

SMALL = Limits(bulk_runs_max=25, bulk_step_runs=10)


async def row(h: Harness):  # type: ignore[no-untyped-def]
    (found,) = await h.fetch("select * from bulk_operation")
    return found


async def test_runs_are_cancelled_in_steps_with_progress(clean_database: str) -> None:
    async with running_engine(clean_database, limits=SMALL) as h:
        await h.put()
        await h.put_dag("flow", step("a"), step("b", "a"))
        runs = await h.trigger(count=15, metadata='{"k":"v"}')
        runs += await h.trigger("flow", count=10, metadata='{"k":"v"}')
        (other,) = await h.trigger()
        turns = h.engine.turns
        chosen = RunFilter(START_MS, metadata=[("k", "v")])
        begun = await h.engine.submit(StartBulk(TENANT, "CANCEL", chosen))
        assert (begun.total, begun.done) == (25, 0)
        await h.settle()
        assert h.engine.turns - turns >= 3  # ten runs in each
        found = await row(h)
        assert (found["done"], found["changed"]) == (25, 25)
        assert found["finished_at"] is not None
        ended = await h.fetch("select id from outcome where status = $1", Status.CANCELLED)
        assert {one["id"] for one in ended} >= set(runs)
        assert await h.fetch("select 1 from outcome where id = $1", other) == []


async def _families(h: Harness, parents: int, children: int) -> tuple[RunFilter, list[UUID]]:
    """Runs of a workflow, each with as many children, which have a child each: what selects those
    of the workflow, and all ids."""
    workflow = await h.put("parent")
    await h.put()
    ids = await h.trigger("parent", count=parents)
    for parent in list(ids):
        for index in range(children):
            ids += (own := await h.trigger(parent_task_id=parent, child_index=index))
            ids += await h.trigger(parent_task_id=own[0], child_index=0)
    return RunFilter(START_MS, workflow_ids=[workflow.workflow_id]), ids


async def _cancelled(h: Harness) -> set[UUID]:
    rows = await h.fetch("select id from outcome where status = $1", Status.CANCELLED)
    return {one["id"] for one in rows}


@pytest.mark.parametrize("children", [False, True])
async def test_children_are_cancelled_on_demand(clean_database: str, children: bool) -> None:
    async with running_engine(clean_database, limits=SMALL) as h:
        parents, family = await _families(h, parents=15, children=2)
        (other,) = await h.trigger()
        await h.engine.submit(StartBulk(TENANT, "CANCEL", parents, children=children))
        await h.settle()
        found = await row(h)
        assert (found["total"], found["done"]) == (15, 15)
        assert found["changed"] == (75 if children else 15)
        assert await _cancelled(h) == set(family if children else family[:15])
        assert other not in await _cancelled(h)


async def test_children_are_cancelled_after_a_restart(clean_database: str) -> None:
    tiny = Limits(bulk_step_runs=1)
    async with running_engine(clean_database, limits=tiny) as h:
        parents, family = await _families(h, parents=5, children=1)
        await h.engine.submit(StartBulk(TENANT, "CANCEL", parents, children=True))
    async with running_engine(clean_database, limits=tiny, seed=2) as h:
        await h.settle()
        assert await _cancelled(h) == set(family)
        assert (await row(h))["changed"] == 15


async def test_more_children_than_a_step_takes_are_cancelled_before_their_parent(
    clean_database: str,
) -> None:
    few = Limits(cancel_ids_max=3, bulk_step_runs=2)
    async with running_engine(clean_database, limits=few) as h:
        parents, family = await _families(h, parents=2, children=4)  # 8 below each
        await h.engine.submit(StartBulk(TENANT, "CANCEL", parents, children=True))
        await h.settle()
        found = await row(h)
        assert (found["total"], found["done"], found["changed"]) == (2, 2, len(family))
        assert found["finished_at"] is not None
        assert await _cancelled(h) == set(family)


@pytest.mark.parametrize(("most", "steps"), [(30, 1), (29, 2), (1, 6)])
async def test_steps_with_many_children_take_fewer_runs(
    clean_database: str, monkeypatch: pytest.MonkeyPatch, most: int, steps: int
) -> None:
    """Six families of five."""
    monkeypatch.setattr(bulk, "STEP_CHILDREN_MAX", most)
    async with running_engine(clean_database, limits=SMALL) as h:
        parents, family = await _families(h, parents=6, children=2)
        taken: list[int] = []
        cancel = bulk.cancel.cancel

        def counted(turn: Turn, command: CancelTasks) -> list[UUID]:
            taken.append(len(command.ids))
            return cancel(turn, command)

        monkeypatch.setattr(bulk.cancel, "cancel", counted)
        await h.engine.submit(StartBulk(TENANT, "CANCEL", parents, children=True))
        await h.settle()
        assert await _cancelled(h) == set(family)
        assert (len(taken), sum(taken)) == (steps, 6)
        assert (await row(h))["done"] == 6


async def test_replays_find_their_children_by_themselves(h: Harness) -> None:
    with refused(Code.INVALID_ARGUMENT, "includeChildren"):
        await h.engine.submit(StartBulk(TENANT, "REPLAY", RunFilter(START_MS), children=True))


async def test_failed_runs_are_replayed_in_steps(clean_database: str) -> None:
    async with running_engine(clean_database, limits=SMALL) as h:
        await h.put_dag("flow", step("a"), step("b", "a"))
        worker = await h.worker("a", "b")
        runs = await h.trigger("flow", count=25)
        await work(h, worker, lambda task: None)
        assert (await h.result(runs[0])).status is Status.FAILED
        chosen = RunFilter(START_MS, statuses=[Status.FAILED])
        await h.engine.submit(StartBulk(TENANT, "REPLAY", chosen))
        assert len(await work(h, worker)) == 50
        found = await row(h)
        assert (found["done"], found["changed"]) == (25, 50)
        done = await h.fetch("select id from outcome where status = $1", Status.COMPLETED)
        assert {one["id"] for one in done} >= set(runs)


async def test_too_many_and_none(clean_database: str) -> None:
    async with running_engine(clean_database, limits=SMALL) as h:
        await h.put()
        await h.trigger(count=26)
        everything = RunFilter(START_MS)
        with refused(Code.INVALID_ARGUMENT, "more than 25"):
            await h.engine.submit(StartBulk(TENANT, "CANCEL", everything))
        with refused(Code.INVALID_ARGUMENT, "kind"):
            await h.engine.submit(StartBulk(TENANT, "DELETE", everything))
        none = RunFilter(START_MS, metadata=[("no", "such")])
        assert (await h.engine.submit(StartBulk(TENANT, "CANCEL", none))).total == 0
        assert (await row(h))["finished_at"] is not None


@pytest.mark.parametrize("kind", ["CANCEL"])
async def test_an_operation_goes_on_after_a_restart(clean_database: str, kind: str) -> None:
    tiny = Limits(bulk_step_runs=2)
    async with running_engine(clean_database, limits=tiny) as h:
        await h.put()
        await h.trigger(count=20)
        await h.engine.submit(StartBulk(TENANT, kind, RunFilter(START_MS)))
    async with running_engine(clean_database, limits=tiny, seed=2) as h:
        await h.settle()
        found = await row(h)
        assert (found["done"], found["changed"]) == (20, 20)
        assert await h.count("queue_item") == 0


async def test_an_operation_that_fails_for_good_is_given_up_and_harms_no_one(
    clean_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_engine(clean_database, limits=SMALL) as h:
        await h.put()
        await h.trigger(count=15, metadata='{"k":"v"}')
        apply, steps = bulk._apply, []

        async def fail_second(*arguments: object) -> list[UUID]:
            steps.append(len(steps))
            if len(steps) > 1:
                raise RuntimeError("no good")
            return await apply(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(bulk, "_apply", fail_second)
        chosen = RunFilter(START_MS, metadata=[("k", "v")])
        begun, (first,), (second,) = await asyncio.gather(
            h.engine.submit(StartBulk(TENANT, "CANCEL", chosen)), h.trigger(), h.trigger()
        )
        assert begun.total == 15
        await h.settle()
        found = await row(h)
        assert (found["done"], found["error"]) == (10, "RuntimeError: no good")
        assert found["finished_at"] is not None
        worker = await h.worker()
        await h.settle()
        assert {first, second} <= {task.task_id for task in worker.started}
        assert await h.count("outcome") == 10
