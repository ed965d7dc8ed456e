"""Many runs at once: durable, in bounded steps (CX-2, RP-10)."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from hatchet_engine.domain.errors import Code
from hatchet_engine.domain.states import Status
from hatchet_engine.turn import bulk
from hatchet_engine.turn.commands import RunFilter, StartBulk
from hatchet_engine.turn.state import Limits
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
