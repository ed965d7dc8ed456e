"""Which workers of a queue qualify for one kind of request, and which of them is next.

A ranking is kept as long as its queue has use for it. Scores change only when a worker comes, goes
or changes its labels; room changes with every task, so it is looked at lazily: the heap holds every
worker that may have room, with as much room as it had when it was listed, or more. What turns out
to have less is listed anew, what is full is dropped, and who has got room again since is told by
:class:`Gains`. So a full ranking costs nothing, whatever number of workers it has.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence

from hatchet_engine.domain.labels import DesiredLabel, score
from hatchet_engine.turn.by_label import ByLabel
from hatchet_engine.turn.workers import Worker

GAINS_KEPT_MAX = 10_000  # a ranking that has missed more of them looks at all its workers
RANKED_MAX = 200_000  # size of all rankings of a queue; the oldest ranking goes first
RANKING_SIZE = 100  # of a ranking without workers: each is looked at when a worker changes


class Gains:
    """The workers that have got room, one after the other."""

    __slots__ = ("_first", "_workers")

    def __init__(self) -> None:
        self._first = 0  # how many were forgotten
        self._workers: list[Worker] = []

    def note(self, worker: Worker) -> None:
        self._workers.append(worker)
        if len(self._workers) > GAINS_KEPT_MAX:
            half = GAINS_KEPT_MAX // 2
            del self._workers[:half]
            self._first += half

    @property
    def count(self) -> int:
        return self._first + len(self._workers)

    def since(self, count: int) -> Sequence[Worker] | None:
        """Those after the first ``count``; None if some of them are forgotten."""
        return None if count < self._first else self._workers[count - self._first :]


class Ranking:
    """The workers with these labels and so many slots in all. Without labels they take turns
    (SL-7); with labels the score decides, then the room, then the turn (RO-5)."""

    __slots__ = (
        "_gains",
        "_heap",
        "_listed",
        "_seen",
        "_turn",
        "dropped",
        "labels",
        "scores",
        "units",
    )

    def __init__(
        self,
        units: Mapping[str, int],
        labels: Mapping[str, DesiredLabel],
        workers: Iterable[Worker],
        gains: Gains,
    ) -> None:
        self.units = units
        self.labels = labels
        self.scores: dict[Worker, int] = {}  # of those that qualify
        self.dropped = False  # its queue keeps it no more, so it hears of no change
        self._gains = gains
        self._seen = 0
        self._heap: list[tuple[int, int, int, Worker]] = []  # -score, -room, turn
        self._listed: dict[Worker, int] = {}  # the turn of the entry that counts
        self._turn = 0
        for worker in workers:
            self.change(worker)

    @property
    def size(self) -> int:
        return RANKING_SIZE + len(self.scores)

    def change(self, worker: Worker, *, gone: bool = False) -> None:
        """A worker has come, gone or got other labels."""
        points = None
        if not gone and worker.could_fit(self.units):
            points = score(self.labels, worker.labels)
        if points is None:
            self.scores.pop(worker, None)
            self._listed.pop(worker, None)
        else:
            self.scores[worker] = points
            self._list(worker)

    def pick(self) -> Worker | None:
        """The best worker with room; those like it are next the next time."""
        worker = self.best()
        if worker is not None:
            points, room, _, _ = self._heap[0]
            self._turn += 1
            self._listed[worker] = self._turn
            heapq.heapreplace(self._heap, (points, room, self._turn, worker))
        return worker

    def best(self) -> Worker | None:
        """The best worker with room; None: all are full."""
        if self._seen != self._gains.count:
            self._catch_up()
        heap, listed, units = self._heap, self._listed, self.units
        while heap:
            _, room, turn, worker = heap[0]
            if listed.get(worker) != turn:
                heapq.heappop(heap)
            elif not worker.fits(units):
                heapq.heappop(heap)
                del listed[worker]
            elif self.labels and room != -worker.room(units):
                heapq.heappop(heap)
                self._list(worker)
            else:
                return worker
        return None

    def _catch_up(self) -> None:
        gained = self._gains.since(self._seen)
        if gained is None or len(gained) > len(self.scores):
            gained = list(self.scores)
        self._seen = self._gains.count
        for worker in gained:
            if worker in self.scores and (self.labels or worker not in self._listed):
                self._list(worker)
        if len(self._heap) > 2 * len(self._listed) + 64:
            self._heap = [one for one in self._heap if self._listed.get(one[3]) == one[2]]
            heapq.heapify(self._heap)

    def _list(self, worker: Worker) -> None:
        room = worker.room(self.units) if self.labels else 0
        self._turn += 1
        self._listed[worker] = self._turn
        heapq.heappush(self._heap, (-self.scores[worker], -room, self._turn, worker))


class Rankings:
    """The rankings of a queue, by the units and the labels that are asked for, both as text."""

    __slots__ = ("_by_label", "_by_wish", "_ranked", "_start", "_workers", "gains")

    def __init__(self, workers: Sequence[Worker], start: int) -> None:
        self._workers = workers  # of the queue, always as they are
        self._start = start  # whose turn is first: another worker's in each queue
        self._by_wish: dict[tuple[str, str], Ranking] = {}
        self._ranked = 0  # the sizes of these
        self._by_label: ByLabel | None = None  # made when it is needed
        self.gains = Gains()

    def get(
        self,
        wish: tuple[str, str],
        units: Mapping[str, int],
        labels: Mapping[str, DesiredLabel],
    ) -> Ranking:
        """The ranking of a wish; what it asks for is ``units`` and ``labels``."""
        ranking = self._by_wish.get(wish)
        if ranking is None:
            ranking = Ranking(units, labels, self._candidates(labels), self.gains)
            self._keep(wish, ranking)
        return ranking

    def change(self, worker: Worker, *, gone: bool = False) -> None:
        """A worker of the queue has come, gone or got other labels."""
        if self._by_label is not None:
            if gone:
                self._by_label.drop(worker)
            else:
                self._by_label.put(worker)
        for ranking in self._by_wish.values():
            size = ranking.size
            ranking.change(worker, gone=gone)
            self._ranked += ranking.size - size

    def _candidates(self, labels: Mapping[str, DesiredLabel]) -> list[Worker]:
        """Who may qualify, beginning with the one whose turn is first."""
        found: Collection[Worker] = self._workers
        if labels:
            if self._by_label is None:
                self._by_label = ByLabel(self._workers)
            found = self._by_label.candidates(labels)
        workers = list(found)
        first = self._start % max(1, len(workers))
        return workers[first:] + workers[:first]

    def _keep(self, wish: tuple[str, str], ranking: Ranking) -> None:
        kept = self._by_wish
        while kept and self._ranked + ranking.size > RANKED_MAX:
            oldest = kept.pop(next(iter(kept)))
            oldest.dropped = True
            self._ranked -= oldest.size
        kept[wish] = ranking
        self._ranked += ranking.size
