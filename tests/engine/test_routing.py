"""Labels, sticky workflows and those for whom nobody qualifies (RO-*, DAG-20, SL-4, Q-8, WK-13)."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from hatchet_engine.domain.definition import TaskDefinition, WorkflowDefinition
from hatchet_engine.domain.labels import Comparator, DesiredLabel, score
from hatchet_engine.domain.registration import check
from hatchet_engine.domain.states import EventKind, Status
from hatchet_engine.turn import rankings, stranded
from hatchet_engine.turn.commands import (
    ChangeWorker,
    CloseStream,
    LeaveWorker,
    Pause,
    PauseKind,
    PutWorkflow,
    Resume,
    TriggerItem,
    TriggerRuns,
)
from hatchet_engine.turn.stranded import words
from tests.support.dags import step, work
from tests.support.engine import TENANT, FakeWorker, Harness
from tests.support.invariants import check_all
from tests.support.rules import cancel, events, outcome, pass_time, replay, status

NOBODY = UUID("00000000-0000-4000-8000-0000000000aa")


def must(value: str | int, comparator: Comparator = Comparator.EQUAL) -> DesiredLabel:
    return DesiredLabel(value, required=True, comparator=comparator)


def likes(value: str | int, weight: int = 100) -> DesiredLabel:
    return DesiredLabel(value, weight=weight)


async def put(h: Harness, sticky: str | None = None, name: str = "hello", **task: Any) -> None:
    definition = WorkflowDefinition(
        name=name, tasks=[TaskDefinition(name=name, action=f"{name}:{name}", **task)], sticky=sticky
    )
    await h.engine.submit(PutWorkflow(TENANT, check(definition)))


async def change(h: Harness, worker: FakeWorker, **changes: Any) -> None:
    await h.engine.submit(ChangeWorker(TENANT, worker.id, **changes))
    await h.settle()


async def close(h: Harness, worker: FakeWorker) -> None:
    await h.engine.submit(CloseStream(TENANT, worker.id, worker))
    await h.settle()


async def reason(h: Harness, run: UUID) -> str:
    """Why the task has found no worker, told once."""
    rows = await h.fetch(
        "select message from task_event where task_id = $1 and kind = $2",
        run,
        EventKind.REQUEUED_NO_WORKER.value,
    )
    (row,) = rows
    return str(row["message"])


def ids(worker: FakeWorker) -> list[UUID]:
    return [task.task_id for task in worker.started]


# ---------------------------------------------------------------- labels


async def test_ro_4_required_excludes_and_ro_6_waits_with_a_reason(h: Harness) -> None:
    await put(h, labels={"gpu": must("a100"), "memory": must(256, Comparator.GREATER_THAN)})
    await h.worker(labels={"gpu": "a100", "memory": 128})
    await h.worker(labels={"gpu": "t4"})
    (run,) = await h.trigger()
    assert await status(h, run) is Status.QUEUED
    text = await reason(h, run)
    assert "memory > 256 (has 128)" in text
    assert "gpu" not in text.partition("lacking")[2]  # of the nearest, not of any
    assert str(h.workers[0].id) in text


async def test_ro_5_the_preferred_is_not_waited_for(h: Harness) -> None:
    await put(h, labels={"zone": likes("eu")})
    other = await h.worker(slots=10)
    near = await h.worker(slots=1, labels={"zone": "eu"})
    runs = await h.trigger(count=3)
    assert ids(near) == runs[:1]
    assert ids(other) == runs[1:]


async def test_ro_5_weight_then_room_then_turns(h: Harness) -> None:
    await put(h, labels={"zone": likes("eu"), "fast": likes(1, 10)})
    best = await h.worker(slots=1, labels={"zone": "eu", "fast": 1})
    small = await h.worker(slots=2, labels={"zone": "eu"})
    large = await h.worker(slots=4, labels={"zone": "eu"})
    last = await h.worker(slots=9)
    order = [best, large, large, *[small, large] * 2]
    for worker in order:
        (run,) = await h.trigger()
        holder = next(one for one in h.workers if run in ids(one))
        assert worker is holder or len({len(large.started), len(small.started)}) == 2
    assert [len(one.started) for one in h.workers] == [1, 2, 4, 0]
    await h.trigger(count=2)
    assert len(last.started) == 2


async def test_sl_7_equals_take_turns(h: Harness) -> None:
    await put(h)
    await put(h, name="other", labels={"zone": likes("eu")})
    for _ in range(4):
        await h.worker("hello", "other", labels={"zone": "eu"})
    for name in ("hello", "other"):
        for _ in range(8):
            await h.trigger(name)
        assert len({len(one.started) for one in h.workers}) == 1, name
    for worker in h.workers:
        for task in list(worker.started):
            await worker.complete(task)
    before = [len(one.started) for one in h.workers]
    for _ in range(8):  # also when each task ends before the next one comes
        await h.trigger("other")
        (task,) = [one for w in h.workers for one in w.started if one.task_id in w_running(h)]
        holder = next(w for w in h.workers if task in w.started)
        await holder.complete(task)
    assert [len(one.started) for one in h.workers] == [count + 2 for count in before]


def w_running(h: Harness) -> set[UUID]:
    return set(h.engine.hot.running)


async def test_ro_7_labels_of_a_run_replace_those_of_the_task(h: Harness) -> None:
    await put(h, labels={"gpu": must("a100")})
    plain = await h.worker(labels={"zone": "eu"})
    (run,) = await h.trigger(desired_labels={"zone": must("eu")})
    assert ids(plain) == [run]


async def test_ro_7_labels_of_a_run_hold_for_all_its_tasks_and_retries(h: Harness) -> None:
    """DAG-21."""
    await h.put_dag("graph", step("a", retries=1), step("b", "a"), step("c", "b"))
    here = await h.worker("a", "b", "c", labels={"host": "here"})
    there = await h.worker("a", "b", "c", labels={"host": "there"})
    await h.trigger("graph", desired_labels={"host": must("there")})
    await there.fail((await there.next())[0])
    assert len(await work(h, there)) == 3
    assert here.started == []


async def test_ro_8_changed_labels_call_back_and_let_go(h: Harness) -> None:
    await put(h, labels={"gpu": must("a100")})
    worker = await h.worker(slots=2, labels={"gpu": "t4"})
    runs = await h.trigger(count=3)
    assert await h.count("parked_item") == 3
    await change(h, worker, labels={"gpu": "a100"})
    assert ids(worker) == runs[:2]
    await change(h, worker, labels={"gpu": "t4"})
    assert await h.count("parked_item") == 1
    await worker.complete(worker.started[0])
    assert len(worker.started) == 2
    await change(h, worker, labels={"gpu": "a100"})
    assert ids(worker) == runs


async def test_negative_weights_count_against_all(h: Harness) -> None:
    await put(h, labels={"spot": likes(1, -50)})
    await h.worker(labels={"spot": 1})
    (run,) = await h.trigger()
    assert "count against" in await reason(h, run)
    good = await h.worker()
    await h.settle()
    assert ids(good) == [run]


# ---------------------------------------------------------------- sticky


async def test_sticky_none_ignores_the_worker(h: Harness) -> None:
    await put(h)
    worker = await h.worker()
    (run,) = await h.trigger(desired_worker_id=NOBODY)
    assert ids(worker) == [run]


async def test_sticky_soft_prefers_and_falls_back(h: Harness) -> None:
    await put(h, "SOFT")
    one, two = await h.worker(slots=2), await h.worker(slots=50)
    runs = await h.trigger(count=3, desired_worker_id=one.id)
    assert ids(one) == runs[:2]
    assert ids(two) == runs[2:]
    assert len(await h.trigger(count=4)) + 1 == len(two.started)  # unset: any


async def test_ro_11_soft_labels_rank_the_others_and_required_ones_exclude(h: Harness) -> None:
    await put(h, "SOFT", labels={"gpu": must("a100"), "zone": likes("eu")})
    cpu = await h.worker()
    far = await h.worker(slots=9, labels={"gpu": "a100"})
    near = await h.worker(slots=1, labels={"gpu": "a100", "zone": "eu"})
    (run,) = await h.trigger(desired_worker_id=cpu.id)  # it lacks what is required
    assert ids(near) == [run]
    (run,) = await h.trigger(desired_worker_id=near.id)  # full
    assert ids(far) == [run]
    await near.complete(near.started[0])
    (run,) = await h.trigger(desired_worker_id=far.id)  # the worker goes before the weights
    assert ids(far)[-1] == run


async def test_ro_11_hard_labels_count_while_no_worker_is_fixed(h: Harness) -> None:
    await put(h, "HARD", labels={"gpu": must("a100")})
    cpu, gpu = await h.worker(), await h.worker(labels={"gpu": "a100"})
    (run,) = await h.trigger()
    assert ids(gpu) == [run]
    (run,) = await h.trigger(desired_worker_id=cpu.id)
    assert ids(cpu) == [run]


async def test_sticky_hard_waits_for_a_full_worker_and_blocks_nobody(h: Harness) -> None:
    await put(h, "HARD")
    one, two = await h.worker(slots=1), await h.worker()
    mine = await h.trigger(count=3, desired_worker_id=one.id)
    (other,) = await h.trigger()
    assert ids(one) == mine[:1]
    assert ids(two) == [other]
    await one.complete(one.started[0])
    assert ids(one) == mine[:2]


async def test_ro_14_hard_with_a_dead_worker_ends_by_timeout(h: Harness) -> None:
    await put(h, "HARD", schedule_timeout_ms=60_000)
    one, two = await h.worker(), await h.worker()
    await h.engine.submit(LeaveWorker(TENANT, one.id))
    (run,) = await h.trigger(desired_worker_id=one.id)
    assert f"waits for worker {one.id}, which has left" in await reason(h, run)
    await pass_time(h, 59_999, two)
    assert await status(h, run) is Status.QUEUED
    await pass_time(h, 1, two)
    row = await outcome(h, run)
    assert (row["status"], row["error"]) == (Status.CANCELLED, "No worker qualified within 1m")
    assert two.started == []


async def test_hard_names_what_is_wrong_with_the_worker(h: Harness) -> None:
    await put(h, "HARD", slots={"default": 3})
    await h.worker()
    paused, away = await h.worker(), await h.worker(open=False)
    small, other = await h.worker(slots=2), await h.worker("elsewhere")
    await change(h, paused, paused=True)
    for worker, word in (
        (paused, "is paused"),
        (away, "is not connected"),
        (small, "3 of type 'default' are needed"),
        (other, "does not offer hello:hello"),
    ):
        (run,) = await h.trigger(desired_worker_id=worker.id)
        assert word in await reason(h, run)


async def test_ro_15_a_retry_keeps_the_wanted_worker(h: Harness) -> None:
    await put(h, "SOFT", retries=2)
    one, two = await h.worker(slots=1), await h.worker()
    await h.trigger(desired_worker_id=one.id)
    (run,) = await h.trigger(desired_worker_id=one.id)  # goes to the other one
    assert ids(two) == [run]
    await one.complete(one.started[0])
    await two.fail(two.started[0])
    assert ids(one)[-1] == run
    await one.complete(one.started[-1])
    await replay(h, run)
    assert ids(one)[-1] == run


async def test_ro_13_a_child_goes_where_the_sdk_says(h: Harness) -> None:
    await put(h, "HARD", name="child")
    await h.put()
    one, two = await h.worker("hello", "child"), await h.worker("hello", "child")
    (run,) = await h.trigger()
    holder, other = (one, two) if run in ids(one) else (two, one)
    for index in range(4):
        await h.trigger("child", parent_task_id=run, child_index=index, desired_worker_id=holder.id)
    assert len(holder.started) == 5
    assert other.started == []


# ---------------------------------------------------------------- sticky graphs


async def graph(h: Harness, sticky: str) -> list[FakeWorker]:
    await h.put_dag(
        "graph",
        step("a"),
        step("b"),
        step("c", "a", "b"),
        step("d", "c", retries=1),
        sticky=sticky,
    )
    return [await h.worker("a", "b", "c", "d", slots=2) for _ in range(3)]


def holder_of(h: Harness, task_id: UUID) -> FakeWorker:
    return next(one for one in h.workers if task_id in ids(one))


@pytest.mark.parametrize("restart", [False, True])
async def test_dag_20_the_parent_that_ended_last_fixes_the_worker(
    h: Harness, restart: bool
) -> None:
    workers = await graph(h, "HARD")
    await h.trigger("graph")
    first = [(worker, task) for worker in workers for task in worker.started]
    assert len({worker.id for worker, _ in first}) == 2  # roots do not coordinate (RO-12)
    first.sort(key=lambda pair: pair[1].task_name, reverse=True)
    for worker, task in first:  # b, then a
        await h.advance(1)
        await worker.complete(task)
        if restart and task.task_name == "b":
            await h.restart()
            for one in workers:
                await one.open()
    last = first[1][0]
    assert last.started[-1].task_name == "c"
    if restart:
        await h.restart()
        for one in workers:
            await one.open()
    await last.complete(last.started[-1])
    assert last.started[-1].task_name == "d"
    await last.fail(last.started[-1])
    assert last.started[-1].task_name == "d"
    assert sum(len(one.started) for one in workers) == 5


async def test_dag_20_hard_children_wait_for_their_worker(h: Harness) -> None:
    await h.put_dag("graph", step("a"), step("b", "a"), sticky="HARD")
    one, two = await h.worker("a", "b"), await h.worker("b")
    await h.trigger("graph")
    (task,) = await one.next()
    await one.complete(task)
    assert [task.task_name for task in one.started] == ["a", "b"]
    await h.trigger("graph")
    await close(h, one)
    await one.complete(one.started[-1])
    await h.settle()
    assert two.started == []
    assert await h.count("parked_item") == 1
    await one.open()
    await h.settle()
    assert one.started[-1].task_name == "b"
    assert await h.count("parked_item") == 0


async def test_dag_20_soft_children_go_elsewhere_if_need_be(h: Harness) -> None:
    await h.put_dag("graph", step("a"), step("b", "a"), sticky="SOFT")
    one, two = await h.worker("a", "b"), await h.worker("b")
    for _ in range(3):
        await h.trigger("graph")
        await one.complete(one.started[-1])
        assert one.started[-1].task_name == "b"
    await h.trigger("graph")
    task = one.started[-1]
    await close(h, one)
    await one.complete(task)
    assert [task.task_name for task in two.started] == ["b"]


async def test_dag_20_a_replay_of_a_part_stays_where_its_parents_ran(h: Harness) -> None:
    await h.put_dag("graph", step("a"), step("b", "a"), sticky="HARD")
    one, two = await h.worker("a", "b"), await h.worker("a", "b")
    await h.trigger("graph")
    worker = one if one.started else two
    await worker.complete(worker.started[0])
    child = worker.started[1]
    await worker.complete(child)
    await h.restart()
    for each in (one, two):
        await each.open()
    await replay(h, child.task_id)
    assert [task.task_name for task in worker.started] == ["a", "b", "b"]


async def test_the_worker_of_a_run_holds_for_its_roots(h: Harness) -> None:
    workers = await graph(h, "HARD")
    await h.trigger("graph", desired_worker_id=workers[1].id)
    assert sorted(task.task_name for task in workers[1].started) == ["a", "b"]


async def test_children_of_what_was_skipped_look_further_back(h: Harness) -> None:
    from tests.support.dags import parent

    skipped = step("b", "a", conditions=[parent("a", "true", "SKIP")])
    await h.put_dag("graph", step("a"), skipped, step("c", "a", "b"), sticky="HARD")
    workers = [await h.worker("a", "b", "c") for _ in range(3)]
    await h.trigger("graph")
    (worker,) = [one for one in workers if one.started]
    await worker.complete(worker.started[0])
    assert [task.task_name for task in worker.started] == ["a", "c"]


# ---------------------------------------------------------------- those for whom nobody qualifies


async def test_sl_4_more_than_any_worker_has_is_told_and_called(h: Harness) -> None:
    await put(h, slots={"default": 5, "gpu": 1})
    await h.worker(slots={"default": 4})
    near = await h.worker(slots={"default": 9})
    (run,) = await h.trigger()
    text = await reason(h, run)
    assert f"1 of type 'gpu' are needed, worker w ({near.id}) has 0" in text
    good = await h.worker(slots={"default": 5, "gpu": 1})
    await h.settle()
    assert ids(good) == [run]


async def test_wk_13_told_once_however_often_it_comes_and_goes(h: Harness) -> None:
    await put(h, labels={"gpu": must("a100")})
    worker = await h.worker(slots=1, labels={"gpu": "t4"})
    await put(h, name="busy")
    runs = await h.trigger(count=2)
    for _ in range(3):
        await change(h, worker, labels={"gpu": "a100"})
        await change(h, worker, labels={"gpu": "t4"})
    assert await events(h, runs[1]) == [EventKind.REQUEUED_NO_WORKER]


async def test_no_worker_at_all_costs_nothing(h: Harness) -> None:
    await put(h, "HARD")
    runs = await h.trigger(count=500, desired_worker_id=NOBODY)
    assert await h.count("queue_item") == 500
    assert await events(h, runs[0]) == []
    assert not h.engine.hot.ongoing


async def test_paused_worker_takes_them_when_it_resumes(h: Harness) -> None:
    await put(h, "HARD")
    one = await h.worker()
    await h.worker()
    await change(h, one, paused=True)
    runs = await h.trigger(count=3, desired_worker_id=one.id)
    assert await h.count("parked_item") == 3
    await change(h, one, paused=False)
    assert ids(one) == runs


async def test_bounded_steps_go_and_come(h: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stranded, "STRANDED_MAX", 100)
    monkeypatch.setattr(stranded, "CALLED_MAX", 70)
    await put(h, labels={"gpu": must("a100")})
    runs = await h.trigger(count=1_000)
    turns = h.engine.turns
    await h.worker()
    await h.settle()
    assert h.engine.turns - turns >= 10
    assert await h.count("parked_item") == 1_000
    turns = h.engine.turns
    gpu = await h.worker(slots=5_000, labels={"gpu": "a100"})
    await h.settle()
    assert h.engine.turns - turns >= 1_000 / 70
    assert ids(gpu) == runs  # the first ones first, and in the turn of the worker's coming
    assert not h.engine.hot.lines.by_id


@pytest.mark.parametrize("exact", [99, 100, 101])
async def test_stranded_max_at_its_edge(
    h: Harness, monkeypatch: pytest.MonkeyPatch, exact: int
) -> None:
    monkeypatch.setattr(stranded, "STRANDED_MAX", 100)
    await put(h, labels={"gpu": must("a100")})
    await h.worker()
    await h.trigger(count=exact)
    await h.settle()
    assert await h.count("parked_item") == exact
    assert await h.count("queue_item") == 0


async def test_restart_calls_lines_of_those_who_are_there(h: Harness) -> None:
    await put(h, labels={"gpu": must("a100")})
    await put(h, "HARD", name="hard")
    cpu = await h.worker("hello", "hard", slots=1)
    away = await h.worker("hard", slots=1)
    await close(h, away)
    (run,) = await h.trigger()
    (mine,) = await h.trigger("hard", desired_worker_id=away.id)
    assert await h.count("parked_item") == 2
    await h.restart()
    await cpu.open()  # does not qualify: nothing is called, nothing told again
    await h.settle()
    assert await h.count("parked_item") == 2
    assert await events(h, run) == [EventKind.REQUEUED_NO_WORKER]
    await change(h, cpu, labels={"gpu": "a100"})
    await away.open()
    await h.settle()
    assert ids(cpu) == [run]
    assert ids(away) == [mine]


async def test_a_failed_turn_forgets_no_line(h: Harness) -> None:
    """The hot state is read anew while streams stay."""
    await put(h, labels={"gpu": must("a100")})
    cpu = await h.worker()
    runs = await h.trigger(count=3)
    connection = h.engine._connection
    assert connection is not None
    await h.engine.take_over(connection)
    await h.settle()
    await check_all(h.engine, h.pool)
    assert await h.count("parked_item") == 3
    await change(h, cpu, labels={"gpu": "a100"})
    assert ids(cpu) == runs


async def test_cancel_and_pause_reach_them(h: Harness) -> None:
    await put(h, labels={"gpu": must("a100")}, schedule_timeout_ms=20_000)
    cpu = await h.worker()
    runs = await h.trigger(count=3)
    await cancel(h, runs[0])
    assert await status(h, runs[0]) is Status.CANCELLED
    await h.engine.submit(Pause(TENANT, PauseKind.TENANT, ""))
    await pass_time(h, 20_000, cpu)
    assert await status(h, runs[1]) is Status.QUEUED  # a pause holds it, not its timeout
    await h.engine.submit(Resume(TENANT, PauseKind.TENANT, ""))
    await change(h, cpu, labels={"gpu": "a100"})
    assert ids(cpu) == runs[1:]


async def test_plain_work_goes_on_beside_many_wishes(h: Harness) -> None:
    """Q-8: each shape waits for itself; order among what fits is exact."""
    await put(h, "HARD")
    workers = [await h.worker(slots=1) for _ in range(5)]
    keys = {}
    draw = random.Random(5)
    for _ in range(300):
        wanted = draw.choice([*workers, None, None])
        priority = draw.choice((1, 2, 3))
        item: dict[str, Any] = {"priority": priority}
        if wanted is not None:
            item["desired_worker_id"] = wanted.id
        (run,) = await h.trigger(**item)
        keys[run] = (-priority, run, None if wanted is None else wanted.id)
    began: dict[UUID, list[tuple[int, UUID]]] = {}
    while any(one._seen < len(one.started) for one in workers):
        for worker in workers:
            for task in worker.started[worker._seen :]:
                worker._seen += 1
                rank, run, wanted_id = keys[task.task_id]
                assert wanted_id in (None, worker.id)
                began.setdefault(worker.id, []).append((rank, run))
                await worker.complete(task)
        await h.settle()
    assert sum(map(len, began.values())) == 300
    for worker in workers:
        own = [key for key in began[worker.id][1:] if keys[key[1]][2] is not None]
        assert own == sorted(own)


# ---------------------------------------------------------------- against a reference


OFFERS: dict[str, tuple[str | int, ...]] = {"zone": ("eu", "us"), "gpu": (1, 2)}
Waits = tuple[int, UUID, dict[str, DesiredLabel], UUID | None]  # rank, run, labels, worker


def _rank(worker: FakeWorker, free: int, labels: dict[str, DesiredLabel]) -> Any:
    """By hand, from the rules: None if it does not qualify, else what is compared."""
    total = 0
    offered = worker.labels  # type: ignore[attr-defined]
    for key, label in labels.items():
        value = offered.get(key)
        if value is not None and value == label.value:
            total += label.weight
        elif label.required:
            return None
    return (total, free) if total >= 0 else None


class Reference:
    """Who may get what by the rules, worked out anew for each task."""

    def __init__(self, h: Harness, seed: int) -> None:
        self.h = h
        self.draw = random.Random(seed)
        self.sticky = self.draw.choice((None, "SOFT", "HARD"))
        self.base = {"zone": likes("eu")} if self.draw.random() < 0.5 else {}
        self.free: dict[UUID, int] = {}
        self.workers: dict[UUID, FakeWorker] = {}
        self.waiting: dict[UUID, Waits] = {}
        self.seen: dict[UUID, int] = {}

    async def begin(self) -> None:
        await put(self.h, self.sticky, labels=self.base)
        for _ in range(self.draw.randint(1, 6)):
            labels = {
                key: self.draw.choice(values)
                for key, values in OFFERS.items()
                if self.draw.random() < 0.6
            }
            slots = self.draw.randint(1, 4)
            worker = await self.h.worker(slots=slots, labels=labels)
            worker.labels = labels  # type: ignore[attr-defined]
            self.workers[worker.id] = worker
            self.free[worker.id], self.seen[worker.id] = slots, 0

    async def trigger(self) -> None:
        """Some runs at once; each in turn gets one of the best workers, or waits."""
        items = [self._item() for _ in range(self.draw.randint(0, 6))]
        runs = await self.h.engine.submit(TriggerRuns(TENANT, items))
        await self.h.settle()
        for run, item in zip(runs, items, strict=True):
            wish = dict(item.desired_labels or self.base)
            self.waiting[run] = (-(item.priority or 1), run, wish, item.desired_worker_id)
        given = {task: worker for worker, task in self._news()}
        for key in self._in_order():
            allowed, holder = self._allowed(key), given.get(key[1])
            assert holder in (allowed or [None]), f"{key} is on {holder}, not on {allowed}"
            if holder is not None:
                self._placed(holder, key[1])

    async def end_some(self) -> None:
        """Ends come alone, so each freed slot is one small batch of its own."""
        for run, running in list(self.h.engine.hot.running.items()):
            if self.draw.random() < 0.5:
                continue
            worker = self.workers[running.worker.id]
            self.free[worker.id] += 1
            await worker.complete(next(one for one in worker.started if one.task_id == run))
            await self.h.settle()
            fitting = [key for key in self._in_order() if self._allowed(key)]
            news = self._news()
            assert [task for _, task in news] == [key[1] for key in fitting[:1]]
            for holder, task in news:
                assert holder in self._allowed(self.waiting[task])
                self._placed(holder, task)

    def _item(self) -> TriggerItem:
        draw = self.draw
        wish = {
            key: DesiredLabel(
                draw.choice(values), draw.random() < 0.3, weight=draw.choice((-20, 10, 50))
            )
            for key, values in OFFERS.items()
            if draw.random() < 0.4
        }
        wanted = draw.choice([*self.workers, NOBODY]) if draw.random() < 0.4 else None
        return TriggerItem(
            "hello",
            priority=draw.choice((1, 2, 3)),
            desired_labels=wish or None,
            desired_worker_id=wanted,
        )

    def _in_order(self) -> list[Waits]:
        return sorted(self.waiting.values(), key=lambda key: key[:2])

    def _placed(self, worker_id: UUID, task_id: UUID) -> None:
        self.free[worker_id] -= 1
        del self.waiting[task_id]

    def _news(self) -> list[tuple[UUID, UUID]]:
        found = []
        for worker in self.workers.values():
            found += [(worker.id, one.task_id) for one in worker.started[self.seen[worker.id] :]]
            self.seen[worker.id] = len(worker.started)
        return found

    def _allowed(self, key: Waits) -> list[UUID]:
        _, _, wish, wanted = key
        roomy = [worker for worker in self.workers.values() if self.free[worker.id] > 0]
        if self.sticky == "HARD" and wanted is not None:
            return [worker.id for worker in roomy if worker.id == wanted]
        ranks = {}
        for worker in roomy:
            rank = _rank(worker, self.free[worker.id], wish)
            if rank is not None:
                ranks[worker.id] = rank
        if self.sticky == "SOFT" and wanted in ranks:
            return [wanted]
        return [id_ for id_, rank in ranks.items() if not wish or rank == max(ranks.values())]


@pytest.mark.parametrize("seed", range(12))
async def test_placement_is_that_of_a_reference(h: Harness, seed: int) -> None:
    reference = Reference(h, seed)
    await reference.begin()
    for _ in range(25):
        await reference.trigger()
        await reference.end_some()
        await check_all(h.engine, h.pool)


# ---------------------------------------------------------------- rankings


async def test_few_rankings_are_kept(h: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rankings, "RANKED_MAX", 20)
    monkeypatch.setattr(rankings, "RANKING_SIZE", 1)
    await put(h)
    worker = await h.worker()
    runs = [
        (await h.trigger(desired_labels={"customer": likes(f"c{number}")}))[0]
        for number in range(40)
    ]
    assert ids(worker) == runs
    (queue,) = h.engine.hot.queues.values()
    assert len(queue.rankings._by_wish) == 10
    assert len(queue.shapes._by_wish) == 1  # that of the definition


async def test_who_requires_a_label_is_compared_with_those_that_have_it(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else 500 runs for 500 hosts would cost 250,000 comparisons in one turn."""
    compared: list[object] = []

    def counted(desired: Any, offered: Any) -> int | None:
        compared.append(offered)
        return score(desired, offered)

    monkeypatch.setattr(rankings, "score", counted)
    await put(h)
    workers = [await h.worker(labels={"host": number}) for number in range(20)]
    compared.clear()
    runs = [(await h.trigger(desired_labels={"host": must(n)}))[0] for n in range(20)]
    (other,) = await h.trigger(desired_labels={"host": must("3")})  # a text is no number
    assert [ids(worker) for worker in workers] == [[run] for run in runs]
    assert len(compared) == 20
    await h.engine.submit(ChangeWorker(TENANT, workers[3].id, labels={"host": "3"}))
    await h.settle()
    assert ids(workers[3]) == [runs[3], other]
    (lost,) = await h.trigger(desired_labels={"host": must(3)})
    await h.settle()
    assert await h.count("parked_item") == 1
    await h.engine.submit(ChangeWorker(TENANT, workers[4].id, labels={"host": 3}))
    await h.settle()
    assert ids(workers[4]) == [runs[4], lost]


async def test_the_reason_is_given_for_what_is_stranded_in_the_turn(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To find the nearest worker takes time: not for tasks that a later turn strands."""
    told: list[int] = []

    def counted(*arguments: Any) -> str:
        told.append(h.engine.turns)
        return words(*arguments)

    monkeypatch.setattr(stranded, "words", counted)
    monkeypatch.setattr(stranded, "STRANDED_MAX", 2)
    await put(h)
    await h.worker()
    items = [TriggerItem("hello", desired_labels={"host": must(n)}) for n in range(6)]
    await h.engine.submit(TriggerRuns(TENANT, items))
    await h.settle()
    assert await h.count("parked_item") == 6
    assert [told.count(turn) for turn in sorted(set(told))] == [2, 2, 2]


async def test_forgotten_gains_are_found_by_looking_at_all(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rankings, "GAINS_KEPT_MAX", 4)
    await put(h, labels={"zone": likes("eu")})
    await put(h, name="other")
    one, two = await h.worker("hello", slots=1), await h.worker("hello", "other", slots=1)
    runs = await h.trigger(count=2)
    for run in runs:
        worker = holder_of(h, run)
        await worker.complete(worker.started[-1])
    for _ in range(10):
        await h.trigger("other")
        await two.complete(two.started[-1])
    again = await h.trigger(count=2)
    assert {again[0], again[1]} == {ids(one)[-1], ids(two)[-1]}


async def test_order_of_priorities_holds_across_shapes(h: Harness) -> None:
    await put(h)
    worker = await h.worker(slots=1, labels={"zone": "eu"})
    await h.trigger()
    keys = []
    for number in range(30):
        wish = {"zone": likes("eu", number % 5)} if number % 3 else None
        priority = 1 + number % 3
        (run,) = await h.trigger(priority=priority, desired_labels=wish)
        keys.append((-priority, run))
    for _ in range(30):
        await worker.complete(worker.started[-1])
    began = [(next(k for k in keys if k[1] == run)) for run in ids(worker)[1:]]
    assert all(one < two for one, two in pairwise(began))


async def test_ro_6_those_called_back_keep_their_timeouts(h: Harness) -> None:
    await put(h, labels={"gpu": must("a100")}, schedule_timeout_ms=10_000)
    cpu = await h.worker(slots=1)
    runs = []
    for _ in range(3):
        runs += await h.trigger()
        await h.advance(1_000)
    await change(h, cpu, labels={"gpu": "a100"})
    assert await h.count("queue_item") == 2
    rows = await h.fetch("select queued_ms, schedule_timeout_ms from queue_item order by task_id")
    assert [row["schedule_timeout_ms"] - row["queued_ms"] for row in rows] == [10_000] * 2
    assert rows[1]["queued_ms"] - rows[0]["queued_ms"] == 1_000
    await pass_time(h, 8_000, cpu)
    assert [await status(h, run) for run in runs[1:]] == [Status.CANCELLED, Status.QUEUED]


async def test_a_ranking_that_was_dropped_is_made_anew(
    h: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The definition's shape outlives its ranking, and must not go by an old one."""
    monkeypatch.setattr(rankings, "RANKED_MAX", 4)
    await put(h, labels={"gpu": must("a100")})
    worker = await h.worker(labels={"gpu": "t4"})
    (first,) = await h.trigger()
    for number in range(4):
        await h.trigger(desired_labels={"customer": likes(f"c{number}")})
    await change(h, worker, labels={"gpu": "a100"})
    (second,) = await h.trigger()
    assert ids(worker)[4:] == [first, second]
