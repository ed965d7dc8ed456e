"""The tasks of a queue that any worker would take or refuse alike.

They need the same units, desire the same labels and want the same worker. If there is no room for
the first of them there is none for the others, so a placement looks at each shape once.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

import orjson

from hatchet_engine.domain.labels import DesiredLabel, score

if TYPE_CHECKING:
    from hatchet_engine.turn.definitions import Step
    from hatchet_engine.turn.queues import Queued
    from hatchet_engine.turn.workers import Worker

HARD = "HARD"
NO_LABELS = "{}"
DEAD_MAX = 64  # items that have left and may stay in a heap, beyond as many as have not

Entry: TypeAlias = "tuple[int, int, UUID, Queued]"  # an item behind its key
Wish: TypeAlias = "tuple[str, str, UUID | None, bool]"  # what tells one shape from another


class Shape:
    """``worker_id``: the worker that is wanted; ``hard``: no other will do (RO-11 to RO-14)."""

    __slots__ = ("count", "hard", "heap", "kept", "labels", "units", "wish", "worker_id")

    def __init__(
        self, wish: Wish, units: Mapping[str, int], labels: Mapping[str, DesiredLabel]
    ) -> None:
        self.wish = wish
        self.units = units
        self.labels = labels
        self.worker_id = wish[2]
        self.hard = wish[3]
        self.heap: list[Entry] = []  # may hold items that have left, too
        self.count = 0  # items that have not
        self.kept = False  # it is that of a step, and stays without items

    @property
    def ranked(self) -> tuple[str, str]:
        """What tells its ranking from others."""
        return self.wish[:2]

    @property
    def digest(self) -> str:
        """The same after a restart."""
        return sha256("\n".join(map(str, self.wish)).encode()).hexdigest()[:32]

    def head(self) -> Entry | None:
        """Its next item."""
        heap = self.heap
        while heap and heap[0][3].shape is not self:
            heapq.heappop(heap)
        return heap[0] if heap else None

    def suits(self, worker: Worker) -> bool:
        """Whether a worker of the queue would take it, if it had room."""
        if self.hard and worker.id != self.worker_id:
            return False
        return worker.could_fit(self.units) and score(self.labels, worker.labels) is not None


class Shapes:
    """The items in the window of a queue, by shape."""

    __slots__ = ("_by_wish", "waiting")

    def __init__(self) -> None:
        self._by_wish: dict[Wish, Shape] = {}
        self.waiting: dict[Shape, None] = {}  # those with items

    def of(self, item: Queued) -> Shape:
        """The shape of an item, be it in the window or not."""
        step, demand = item.step, item.demand
        plain = step.shape or self._of_step(step)
        if demand is None:
            return plain
        worker_id = demand.worker_id if step.sticky is not None else None
        # Of batch tasks only the definition's labels count (RO-9).
        labels: Mapping[str, DesiredLabel] | None = demand.labels if demand.group is None else None
        if worker_id is None and not labels:
            return plain
        hard = worker_id is not None and step.sticky == HARD
        if hard:
            labels, text = {}, NO_LABELS  # the worker is fixed (RO-11)
        elif labels:
            text = _text(labels)
        else:
            labels, text = step.labels, plain.wish[1]
        wish = (plain.wish[0], text, worker_id, hard)
        return self._by_wish.get(wish) or Shape(wish, step.units, labels)

    def add(self, item: Queued) -> None:
        shape = item.shape = self.of(item)
        if not shape.count:
            self._by_wish[shape.wish] = shape
            self.waiting[shape] = None
        shape.count += 1
        heapq.heappush(shape.heap, (item.rank, item.round, item.task_id, item))

    def remove(self, item: Queued) -> None:
        shape = item.shape
        assert shape is not None
        item.shape = None
        shape.count -= 1
        if not shape.count:
            shape.heap.clear()
            del self.waiting[shape]
            if not shape.kept:
                del self._by_wish[shape.wish]
        elif len(shape.heap) > 2 * shape.count + DEAD_MAX:
            shape.heap = [entry for entry in shape.heap if entry[3].shape is shape]
            heapq.heapify(shape.heap)

    def clear(self) -> None:
        """Let go of all items."""
        for shape in self.waiting:
            for entry in shape.heap:
                entry[3].shape = None
            shape.heap.clear()
            shape.count = 0
            if not shape.kept:
                del self._by_wish[shape.wish]
        self.waiting.clear()

    def _of_step(self, step: Step) -> Shape:
        """The shape of its tasks that ask for nothing beyond the definition."""
        wish = (_text(step.units), _text(step.labels), None, False)
        shape = self._by_wish.get(wish)
        if shape is None:
            shape = self._by_wish[wish] = Shape(wish, step.units, step.labels)
        shape.kept = True
        step.shape = shape
        return shape


def plain_ranked(units: Mapping[str, int]) -> tuple[str, str]:
    """What tells the ranking for these units and no labels from others."""
    return _text(units), NO_LABELS


def _text(part: Mapping[str, int] | Mapping[str, DesiredLabel]) -> str:
    return orjson.dumps(part, option=orjson.OPT_SORT_KEYS).decode()
