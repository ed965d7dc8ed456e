"""Why a task waits for a worker."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from hatchet_engine.domain import why as domain
from hatchet_engine.domain.labels import Comparator, DesiredLabel
from hatchet_engine.domain.states import Status
from hatchet_engine.domain.why import Kind, moment
from hatchet_engine.turn.commands import ChangeWorker, Pause, PauseKind
from hatchet_engine.turn.why_workers import Asked, worker_blocker
from tests.support.engine import START_MS, TENANT, Harness
from tests.support.rules import pause_worker
from tests.support.why import ask, only

pytestmark = pytest.mark.usefixtures("forget_definitions")

# ---------------------------------------------------------------- workers


async def test_no_worker_at_all(h: Harness) -> None:
    await h.put()
    first, second = await h.trigger(count=2)
    answer = await ask(h, second)
    assert (answer.task_id, answer.run_id, answer.status) == (second, second, Status.QUEUED)
    [blocker] = answer.blockers
    assert blocker.kind is Kind.NO_WORKER
    assert blocker.action == "hello:hello"
    assert blocker.message == "No worker offers hello:hello."
    assert answer.remedy == "Start a worker that offers hello:hello."
    assert answer.place == domain.Place("the queue of hello:hello", 2)
    assert (await ask(h, first)).place == domain.Place("the queue of hello:hello", 1)
    assert answer.since_ms == START_MS
    assert answer.times_out_ms == START_MS + 300_000
    assert answer.message.endswith("It is number 2 in the queue of hello:hello.")


async def test_workers_of_another_action_or_tenant_do_not_count(h: Harness) -> None:
    await h.put()
    await h.worker("other")
    (run,) = await h.trigger()
    blocker = await only(h, run)
    assert (blocker.kind, blocker.workers_total) == (Kind.NO_WORKER, 0)


async def test_workers_that_are_paused_or_away(h: Harness) -> None:
    await h.put()
    paused = await h.worker()
    await h.engine.submit(
        Pause(TENANT, PauseKind.WORKER, str(paused.id), START_MS + 9_000, "ada", "disk")
    )
    away = await h.worker(open=False)
    (run,) = await h.trigger()
    blocker = await only(h, run)
    assert blocker.kind is Kind.NO_WORKER
    assert {(one.id, one.state) for one in blocker.workers} == {
        (paused.id, "paused"),
        (away.id, "away"),
    }
    assert blocker.message == (
        f"No worker takes hello:hello now; w is paused by ada since {moment(START_MS)}, until "
        f"{moment(START_MS + 9_000)}: disk; away, without a connection: w."
    )
    assert blocker.remedy == "Resume w, or start another worker."


async def test_a_worker_that_is_about_to_stop(h: Harness) -> None:
    await h.put()
    worker = await h.worker()
    await h.engine.submit(ChangeWorker(TENANT, worker.id, draining=True))
    (run,) = await h.trigger()
    blocker = await only(h, run)
    assert blocker.message == "No worker takes hello:hello now; about to stop: w."
    assert blocker.remedy == "Start another worker."
    assert [one.state for one in blocker.workers] == ["draining"]


async def test_workers_that_are_full_and_by_what(h: Harness) -> None:
    await h.put()
    worker = await h.worker(slots=2)
    running = await h.trigger(count=2)
    (run,) = await h.trigger()
    answer = await ask(h, run)
    [blocker] = answer.blockers
    assert blocker.kind is Kind.WORKERS_FULL
    assert blocker.message == "Worker w is full: 2 of 2 default slots in use."
    [use] = blocker.workers
    assert (use.id, use.slots, use.free) == (worker.id, {"default": 2}, {"default": 0})
    assert {task.task_id for task in use.tasks} == set(running)
    assert {task.since_ms for task in use.tasks} == {START_MS}
    assert use.tasks_total == 2
    assert answer.place == domain.Place("the queue of hello:hello", 1)


async def test_of_many_full_workers_some_are_shown(h: Harness) -> None:
    await h.put()
    count = domain.WORKERS_SHOWN_MAX + 1
    for _ in range(count):
        await h.worker(slots=domain.TASKS_SHOWN_MAX + 1)
    runs = await h.trigger(count=count * (domain.TASKS_SHOWN_MAX + 1) + 1)
    waiting = next(run for run in runs if run not in h.engine.hot.running)
    blocker = await only(h, waiting)
    assert blocker.workers_total == count
    assert len(blocker.workers) == domain.WORKERS_SHOWN_MAX
    assert len(blocker.workers[0].tasks) == domain.TASKS_SHOWN_MAX
    assert blocker.workers[0].tasks_total == domain.TASKS_SHOWN_MAX + 1
    assert blocker.message.startswith(f"All {count} workers of hello:hello are full: ")


async def test_the_nearest_worker_by_labels(h: Harness) -> None:
    at_least = DesiredLabel(80, True, Comparator.GREATER_THAN_OR_EQUAL)
    await h.put(labels={"gpu": at_least, "zone": DesiredLabel("a", True), "x": DesiredLabel("y")})
    await h.worker(labels={"gpu": 40, "zone": "b"})
    near = await h.worker(labels={"gpu": 40, "zone": "a"})
    (run,) = await h.trigger()
    blocker = await only(h, run)
    assert blocker.kind is Kind.LABELS
    assert blocker.labels == (domain.LabelMiss("gpu", ">= 80", 40),)
    assert [one.id for one in blocker.workers] == [near.id]
    assert "the nearest is w: gpu must be >= 80, it has 40." in blocker.message
    assert blocker.remedy == "Start a worker with gpu >= 80, or set that on w."


async def test_a_paused_worker_has_what_the_others_lack(h: Harness) -> None:
    await h.put(labels={"gpu": DesiredLabel("yes", True)}, slots={"default": 4})
    await h.worker(slots=9)
    small = await h.worker(labels={"gpu": "yes"}, slots=2)
    paused = await h.worker(labels={"gpu": "yes"}, slots=4)
    await pause_worker(h, paused)
    (run,) = await h.trigger()
    blocker = await only(h, run)
    assert (blocker.kind, [one.id for one in blocker.workers]) == (Kind.SLOTS, [paused.id])
    assert blocker.message == (
        "No worker of hello:hello with the slots it needs takes tasks now; "
        f"w is paused since {moment(START_MS)}, until somebody resumes it."
    )
    assert blocker.remedy == "Resume w, or start another worker."
    await pause_worker(h, small)
    blocker = await only(h, run)
    assert (blocker.kind, [one.id for one in blocker.workers]) == (Kind.LABELS, [paused.id])
    assert "with the labels it requires takes tasks now; w is paused" in blocker.message
    assert blocker.remedy == "Resume w, or start another worker."


async def test_labels_whose_weights_are_too_low(h: Harness) -> None:
    await h.put(labels={"slow": DesiredLabel("yes", weight=-5)})
    await h.worker(labels={"slow": "yes"})
    (run,) = await h.trigger()
    blocker = await only(h, run)
    assert (blocker.kind, blocker.labels) == (Kind.LABELS, ())
    assert "less than 0" in blocker.message


async def test_more_slots_than_any_worker_has(h: Harness) -> None:
    await h.put(slots={"default": 1, "gpu": 4})
    await h.worker(slots={"default": 10, "gpu": 2})
    (run,) = await h.trigger()
    blocker = await only(h, run)
    assert (blocker.kind, blocker.slots) == (Kind.SLOTS, {"default": 1, "gpu": 4})
    assert blocker.message.startswith("It takes 1 default slot, 4 gpu slots, and no worker")


async def test_a_task_bound_to_a_worker(h: Harness) -> None:
    """Sticky: the worker has left, is away, paused, full, or has room (B13.6)."""
    await h.put()
    worker = await h.worker(slots=1)
    (_,) = await h.trigger()

    def bound(to: UUID, units: int = 1, *, lasting: bool = False) -> str:
        asked = Asked(TENANT, "hello:hello", {"default": units}, {}, to)
        blocker = worker_blocker(h.engine.hot, asked, lasting=lasting)
        if blocker is None:
            return ""
        assert blocker.kind is Kind.STICKY
        return blocker.message

    assert "which has left" in bound(uuid4())
    assert "full: 1 of 1 default slots in use" in bound(worker.id)
    assert bound(worker.id, lasting=True) == ""
    assert "too few slots" in bound(worker.id, 2)
    await worker.complete(worker.started[0])
    assert bound(worker.id) == ""
    await pause_worker(h, worker)
    assert "which is paused" in bound(worker.id)
    other = await h.worker("other")
    assert "does not offer hello:hello" in bound(other.id)
    away = await h.worker(open=False)
    assert "which is away" in bound(away.id)
