"""Labels: which workers a task may have, and which it prefers (RO-4 to RO-8, SL-7)."""

from __future__ import annotations

from uuid import UUID

from hatchet_engine.domain.labels import Comparator
from hatchet_engine.domain.states import Status
from tests.support.dags import step, work
from tests.support.engine import Harness
from tests.support.routing import change, ids, likes, must, put, reason
from tests.support.rules import status

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
