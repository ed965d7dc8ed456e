"""Who gets which worker, against a reference; what rankings keep and forget."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from hatchet_engine.domain.labels import DesiredLabel, score
from hatchet_engine.turn import rankings
from hatchet_engine.turn.commands import (
    ChangeWorker,
    TriggerItem,
    TriggerRuns,
)
from tests.support.engine import TENANT, FakeWorker, Harness
from tests.support.invariants import check_all
from tests.support.routing import NOBODY, change, ids, likes, must, put


def holder_of(h: Harness, task_id: UUID) -> FakeWorker:
    return next(one for one in h.workers if task_id in ids(one))


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
