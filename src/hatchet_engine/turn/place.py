"""Brings queued tasks and free slots together (Q-*, SL-*, RO-*)."""

from __future__ import annotations

import heapq

from hatchet_engine.turn.attempts import begin_attempt
from hatchet_engine.turn.entering import leave_queue
from hatchet_engine.turn.gather import place_batches
from hatchet_engine.turn.held import hold
from hatchet_engine.turn.queues import KEPT_INPUT_MAX, Queue, Queued
from hatchet_engine.turn.rankings import Ranking
from hatchet_engine.turn.rates import hold_back, lacking, take
from hatchet_engine.turn.shapes import Shape
from hatchet_engine.turn.state import Turn
from hatchet_engine.turn.stranded import ranking_of, strand, wanted_worker
from hatchet_engine.turn.workers import Worker


def place(turn: Turn) -> None:
    """Give every dirty queue what its workers have free. Queues take turns in being first, so
    one with a long backlog does not keep a shared worker to itself."""
    for worker in turn.roomy:
        turn.wake_queues(worker)
    queues = list(turn.dirty.values())
    turn.dirty.clear()
    if not queues:
        return
    hot = turn.hot
    hot.rotation += 1
    first = hot.rotation % len(queues)
    for queue in queues[first:] + queues[:first]:
        if queue.workers:
            if queue.ripe:
                place_batches(turn, queue, _for_batch)
            if queue.items:
                _place_queue(turn, queue)
            if queue.wants_reading:
                hot.ongoing[queue.id] = queue


def _place_queue(turn: Turn, queue: Queue) -> None:
    """The first of all items goes first, whatever its shape; a shape without room waits."""
    choices = _choices(turn, queue)
    heads = [head for shape in choices if (head := shape.head()) is not None]
    heapq.heapify(heads)
    while heads:
        item = heads[0][3]
        shape = item.shape
        assert shape is not None
        if not _serve(turn, queue, item, choices[shape]):
            if not _has_room(queue):
                break
            heapq.heappop(heads)
            continue
        head = shape.head()
        if head is None:
            heapq.heappop(heads)
        else:
            heapq.heapreplace(heads, head)
    # All of the window was looked at, none of it fits and there is room: what is behind it may.
    queue.starved = bool(queue.items) and not queue.complete and _has_room(queue)


class _Choice:
    """The workers that one shape can choose from."""

    __slots__ = ("hard", "ranking", "units", "wanted")

    def __init__(self, shape: Shape, ranking: Ranking, wanted: Worker | None) -> None:
        self.units = shape.units
        self.hard = shape.hard
        self.ranking = ranking
        self.wanted = wanted

    def worker(self) -> Worker | None:
        """The one that is wanted, else the best; None: there is no room."""
        wanted = self.wanted
        if wanted is not None and wanted.fits(self.units):
            return wanted
        return None if self.hard else self.ranking.pick()


def _for_batch(turn: Turn, queue: Queue, first: Queued) -> Worker | None:
    """A worker for a batch: the one for its first task (BA-9)."""
    shape = queue.shapes.of(first)
    ranking = ranking_of(queue, shape)
    return _Choice(shape, ranking, wanted_worker(turn.hot, shape, ranking)).worker()


def _choices(turn: Turn, queue: Queue) -> dict[Shape, _Choice]:
    """The shapes that somebody could take; all others leave the queue."""
    choices = {}
    for shape in list(queue.shapes.waiting):
        ranking = ranking_of(queue, shape)
        wanted = wanted_worker(turn.hot, shape, ranking)
        if wanted is None and (shape.hard or not ranking.scores):
            strand(turn, queue, shape)
        elif not shape.hard or (wanted is not None and wanted.fits(shape.units)):
            choices[shape] = _Choice(shape, ranking, wanted)
    return choices


def _serve(turn: Turn, queue: Queue, item: Queued, choice: _Choice) -> bool:
    """Whether the task has left the queue; else there is no room for it and its like."""
    if turn.hot.pauses and hold(turn, item):
        return True
    demand = item.demand
    if demand is not None and demand.units:
        bucket = lacking(turn, item)
        if bucket is not None:
            leave_queue(turn, item)
            hold_back(turn, item, bucket)
            return True
    worker = choice.worker()
    if worker is None:
        return False
    _assign(turn, queue, item, worker)
    return True


def _has_room(queue: Queue) -> bool:
    """Whether some worker has room for something that may stand in the queue."""
    return any(
        queue.rankings.get(wish, units, {}).best() is not None
        for wish, units in queue.requests.items()
    )


def _assign(turn: Turn, queue: Queue, item: Queued, worker: Worker) -> None:
    step = item.step
    task_id = item.task_id
    queue.remove(item)
    item.gone = True
    if item.stored:
        turn.plan.queue_removed.append((queue.id, item.rank, task_id))
    if item.round > queue.round:
        queue.round = item.round
    if item.demand is not None and item.demand.units:
        take(turn, item)
    worker.take(step.units)
    begin_attempt(turn, item, worker)


def forget_large_inputs(turn: Turn) -> None:
    """What was not placed at once waits in the table; only small inputs wait in memory too."""
    for item in (*turn.plan.queued.values(), *turn.plan.parked.values()):
        payload = item.payload
        if payload is None or item.gone:
            continue
        if len(payload.input) + len(payload.context) > KEPT_INPUT_MAX:
            item.payload = None
