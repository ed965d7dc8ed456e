"""Brings queued tasks and free slots together (Q-*, SL-*, RO-*)."""

from __future__ import annotations

from hatchet_engine.domain.labels import DesiredLabel, score
from hatchet_engine.turn.attempts import begin_attempt
from hatchet_engine.turn.definitions import Step
from hatchet_engine.turn.entering import leave_queue
from hatchet_engine.turn.gather import place_batches
from hatchet_engine.turn.pauses import hold
from hatchet_engine.turn.queues import KEPT_INPUT_MAX, Queue, Queued
from hatchet_engine.turn.rates import hold_back, lacking, take
from hatchet_engine.turn.state import Turn
from hatchet_engine.turn.workers import Worker


def place(turn: Turn) -> None:
    """Give every dirty queue what its workers have free. Queues take turns in being first, so
    one with a long backlog does not keep a shared worker to itself."""
    queues = list(turn.dirty.values())
    turn.dirty.clear()
    if not queues:
        return
    hot = turn.hot
    hot.rotation += 1
    first = hot.rotation % len(queues)
    for queue in queues[first:] + queues[:first]:
        if queue.workers and queue.ripe:
            place_batches(turn, queue, _for_batch)
        if queue.workers and queue.items:
            _place_queue(turn, queue)


def _place_queue(turn: Turn, queue: Queue) -> None:
    workers = queue.workers
    count = len(workers)
    position = turn.hot.rotation % count
    skipped: list[Queued] = []
    full: set[Step] = set()  # steps that no worker has room for; a plain item of one is skipped
    while True:
        item = queue.pop()
        if item is None:
            break
        step = item.step
        demand = item.demand
        if turn.hot.pauses and hold(turn, item):
            continue
        if demand is not None and demand.units:
            line = lacking(turn, item)
            if line is not None:
                leave_queue(turn, item)
                hold_back(turn, item, line)
                continue
        labels = step.labels if demand is None else demand.labels or step.labels
        if labels:
            worker = _best(workers, step, labels)
        elif step in full:
            worker = None
        else:
            worker, position = _next(workers, position, step)
            if worker is None:
                full.add(step)
        if worker is None:
            skipped.append(item)
            if not any(_has_room(one, queue) for one in workers):
                break
        else:
            _assign(turn, queue, item, worker)
    # All of the window was looked at, none of it fits and there is room: what is behind it may.
    queue.starved = bool(skipped) and item is None
    queue.put_back(skipped)


def _for_batch(turn: Turn, queue: Queue, item: Queued) -> Worker | None:
    """A worker for a batch: only labels of the definition count (RO-9)."""
    step, workers = item.step, queue.workers
    if step.labels:
        return _best(workers, step, step.labels)
    return _next(workers, turn.hot.batches.made % len(workers), step)[0]


def _next(workers: list[Worker], position: int, step: Step) -> tuple[Worker | None, int]:
    """The next worker in rotation with room for this step (SL-7)."""
    count = len(workers)
    units = step.units
    for offset in range(count):
        worker = workers[(position + offset) % count]
        if worker.fits(units):
            return worker, (position + offset + 1) % count
    return None, position


def _best(workers: list[Worker], step: Step, labels: dict[str, DesiredLabel]) -> Worker | None:
    """The worker with the highest label score that has room; more free slots break ties."""
    best: Worker | None = None
    best_rank = (-1, -1)
    for worker in workers:
        if worker.fits(step.units):
            points = score(labels, worker.labels)
            if points is not None:
                rank = (points, sum(worker.free.values()))
                if rank > best_rank:
                    best, best_rank = worker, rank
    return best


def _has_room(worker: Worker, queue: Queue) -> bool:
    return any(map(worker.fits, queue.requests))


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


def wake_worker(turn: Turn, worker: Worker) -> None:
    """The worker has become able to take work: look at all its queues."""
    for queue in worker.queues:
        if queue.waits:
            turn.wake(queue)
