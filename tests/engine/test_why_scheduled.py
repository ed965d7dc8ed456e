"""Why a scheduled run has not begun (SC-*)."""

from __future__ import annotations

from uuid import UUID

import pytest

from hatchet_engine.domain.states import Status
from hatchet_engine.domain.why import Kind, moment
from hatchet_engine.observe import why
from hatchet_engine.turn.commands import Pause, PauseKind
from hatchet_engine.turn.schedule_commands import ScheduleRuns
from tests.support.engine import START_MS, TENANT, Harness
from tests.support.rules import OTHER_TENANT
from tests.support.why import ENGINE, ask, kinds, kinds_of, maybe

pytestmark = pytest.mark.usefixtures("forget_definitions")


async def schedule(h: Harness, due_ms: int, **more: object) -> UUID:
    command = ScheduleRuns(TENANT, "hello", [due_ms], **more)  # type: ignore[arg-type]
    return (await h.engine.submit(command)).ids[0]


async def test_sc_1_a_scheduled_run_waits_for_its_time(h: Harness) -> None:
    await h.put()
    id = await schedule(h, START_MS + 60_000)
    for hot in (ENGINE, None):
        answer = await ask(h, id, hot=hot)
        [blocker] = answer.blockers
        assert (answer.task_id, answer.run_id, answer.status) == (None, id, Status.QUEUED)
        assert blocker.kind is Kind.SCHEDULED
        assert answer.message == f"It is scheduled for {moment(START_MS + 60_000)}."
        assert answer.remedy == "Wait until then, run it now, reschedule or delete it."
        assert (blocker.since_ms, blocker.until_ms) == (START_MS, START_MS + 60_000)
    assert await maybe(h, id, OTHER_TENANT) is None
    await h.advance(59_999)
    assert await kinds_of(h, id) == [Kind.SCHEDULED]
    await h.advance(1)
    answer = await ask(h, id)  # as its run
    (row,) = await h.fetch("select id from task")
    assert (answer.task_id, kinds(answer)) == (row["id"], [Kind.NO_WORKER])


async def test_sc_7_what_code_has_scheduled_can_only_be_run(h: Harness) -> None:
    await h.put()
    id = await schedule(h, START_MS + 60_000, declarative=True)
    assert (await ask(h, id)).remedy == "Wait until then, or run it now."


async def test_reg_27_a_scheduled_run_of_a_paused_workflow(h: Harness) -> None:
    workflow = str((await h.put()).workflow_id)
    id = await schedule(h, START_MS + 60_000)
    for until_ms, expected in (
        (START_MS + 60_000, [Kind.SCHEDULED]),  # over when its time comes
        (START_MS + 60_001, [Kind.SCHEDULED, Kind.PAUSED]),
        (None, [Kind.SCHEDULED, Kind.PAUSED]),
    ):
        await h.engine.submit(
            Pause(TENANT, PauseKind.WORKFLOW, workflow, until_ms, drop_scheduled=True)
        )
        assert await kinds_of(h, id) == expected
    await h.advance(60_000)
    answer = await ask(h, id)
    assert (kinds(answer), answer.remedy) == ([Kind.PAUSED], "Resume it.")


async def test_a_scheduled_run_that_is_being_made(h: Harness) -> None:
    await h.put()
    id = await schedule(h, START_MS + 60_000)
    found = await why.explain(h.pool, h.engine.hot, TENANT, id, START_MS + 60_000)
    assert found is not None
    assert kinds(found) == [Kind.SOON]


async def test_a_scheduled_run_that_could_not_be_made(h: Harness) -> None:
    await h.put()
    id = await schedule(h, START_MS + 60_000)
    await h.pool.execute("update scheduled_run set input = '[]'")
    await h.advance(60_000)
    answer = await ask(h, id)
    assert (answer.status, answer.blockers) == (Status.FAILED, ())
    assert answer.since_ms == START_MS + 60_000
    assert "made no run: " in answer.message
