"""Tasks for which no connected worker qualifies (RO-6, RO-14, SL-4, WK-13)."""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID

import pytest

from hatchet_engine.domain.states import EventKind, Status
from hatchet_engine.turn import stranded
from hatchet_engine.turn.commands import (
    Pause,
    PauseKind,
    Resume,
    TriggerItem,
    TriggerRuns,
)
from hatchet_engine.turn.stranded import words
from tests.support.engine import TENANT, Harness
from tests.support.invariants import check_all
from tests.support.routing import NOBODY, change, close, ids, must, put, reason
from tests.support.rules import cancel, events, pass_time, status

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
    await change(h, one, draining=True)
    runs = await h.trigger(count=3, desired_worker_id=one.id)
    assert await h.count("parked_item") == 3
    await change(h, one, draining=False)
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
