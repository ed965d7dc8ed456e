"""Tasks for which no connected worker qualifies (RO-6, RO-14, SL-4, WK-13).

They stand in lines, one for each shape, so that a queue's window holds only what somebody could
take. A line is called back when a worker comes that qualifies. Schedule timeouts run on. A queue
without any worker keeps its tasks: there is nobody to be kept from other work.
"""

from __future__ import annotations

from itertools import islice

import asyncpg

from hatchet_engine.domain.labels import lacking, unmet
from hatchet_engine.domain.states import EventKind
from hatchet_engine.turn.entering import enter_queue, leave_line, leave_queue, park, stand_aside
from hatchet_engine.turn.held import hold
from hatchet_engine.turn.lines import Line, no_worker_line, read_no_worker_line
from hatchet_engine.turn.queues import Queue, Queued
from hatchet_engine.turn.rankings import Ranking
from hatchet_engine.turn.read_lines import LINE_READ_MAX, read_lines
from hatchet_engine.turn.shapes import Shape
from hatchet_engine.turn.state import Hot, Turn
from hatchet_engine.turn.workers import Worker

STRANDED_MAX = 1_000  # tasks that go into such lines in one turn; the others follow
CALLED_MAX = 1_000  # tasks that come back from them in one turn
NEAREST_AMONG_MAX = 20  # workers among whom the nearest is looked for


def ranking_of(queue: Queue, shape: Shape) -> Ranking:
    ranking = shape.ranking
    if ranking is None or ranking.dropped:
        ranking = queue.rankings.get(shape.ranked, shape.units, shape.labels)
        shape.ranking = ranking
    return ranking


def wanted_worker(hot: Hot, shape: Shape, ranking: Ranking) -> Worker | None:
    """The worker that a shape wants, if it is there and qualifies."""
    if shape.worker_id is None:
        return None
    worker = hot.workers.get(shape.worker_id)
    return worker if worker in ranking.scores else None


def somebody_qualifies(hot: Hot, queue: Queue, shape: Shape) -> bool:
    ranking = ranking_of(queue, shape)
    if shape.hard:
        return wanted_worker(hot, shape, ranking) is not None
    return bool(ranking.scores)


def strand(turn: Turn, queue: Queue, shape: Shape) -> None:
    """Nobody qualifies: its tasks leave the queue."""
    hot = turn.hot
    if turn.stranded == STRANDED_MAX:
        hot.ongoing[queue.id] = queue
        return
    only = shape.worker_id if shape.hard else None
    line = hot.lines.get(no_worker_line(queue.id, only, shape.digest))
    reason = words(hot, queue, shape)
    while (head := shape.head()) is not None:
        if turn.stranded == STRANDED_MAX:
            hot.ongoing[queue.id] = queue
            break
        item = head[3]
        if hot.pauses and hold(turn, item):
            continue
        leave_queue(turn, item)
        set_aside(turn, item, line, reason)
    if line.depth:
        hot.stranded.add(line, shape)
    else:
        hot.lines.forget(line)


def set_aside(turn: Turn, item: Queued, line: Line, reason: str) -> None:
    """A task that stands nowhere waits for a worker that qualifies; it is told once."""
    turn.stranded += 1
    stand_aside(turn, item)
    park(turn, item, line)
    if not item.told:
        item.told = True
        turn.plan.event(
            EventKind.REQUEUED_NO_WORKER,
            item.tenant_id,
            item.task_id,
            item.attempt,
            None,
            reason,
        )


async def call_back(connection: asyncpg.Connection, turn: Turn) -> None:
    """Let those go back to their queues for whom a worker has come, the first ones first."""
    due = turn.hot.stranded.due
    lines = list(islice(due, CALLED_MAX))
    await read_lines(connection, turn, dict.fromkeys(lines, LINE_READ_MAX))
    left = CALLED_MAX
    for line in lines:
        if left == 0:
            break
        if not _still_due(turn.hot, line):
            due.pop(line, None)
            continue
        while left > 0 and (item := line.pop()) is not None:
            leave_line(turn, item)
            enter_queue(turn, item)
            left -= 1


def _still_due(hot: Hot, line: Line) -> bool:
    place = read_no_worker_line(line.id)
    first = line.first()
    if place is None or first is None:
        return False
    queue = hot.queues[place[0]]
    shape = hot.stranded.shape(line)
    if shape is None:
        shape = queue.shapes.of(first)
        hot.stranded.add(line, shape)
    return somebody_qualifies(hot, queue, shape)


def words(hot: Hot, queue: Queue, shape: Shape) -> str:
    """Why nobody qualifies, and who comes nearest."""
    if shape.hard:
        return _why_not_this_one(hot, queue, shape)
    fitting = (worker for worker in queue.workers if worker.could_fit(shape.units))
    large = list(islice(fitting, NEAREST_AMONG_MAX))
    if not large:
        some = queue.workers[:NEAREST_AMONG_MAX]
        worker = min(some, key=lambda one: _missing(one, shape))
        return f"No worker has the slots it needs: {_slots(worker, shape)}"
    worker = min(large, key=lambda one: len(unmet(shape.labels, one.labels)))
    missed = lacking(shape.labels, worker.labels)
    if missed:
        what = "; ".join(missed)
        return f"No worker has the labels it requires; nearest is {_name(worker)}, lacking {what}"
    return f"The weights of its labels count against all workers, also {_name(worker)}"


def _why_not_this_one(hot: Hot, queue: Queue, shape: Shape) -> str:
    worker = hot.workers.get(shape.worker_id) if shape.worker_id is not None else None
    if worker is None or worker.tenant_id != queue.tenant_id:
        return f"Its workflow is sticky (HARD): waits for worker {shape.worker_id}, which has left"
    if worker.session is None:
        why = "is not connected"
    elif worker.paused:
        why = "is paused"
    elif worker.draining:
        why = "takes nothing new"
    elif queue.action not in worker.actions:
        why = f"does not offer {queue.action}"
    else:
        why = f"is too small: {_slots(worker, shape)}"
    return f"Its workflow is sticky (HARD): waits for {_name(worker)}, which {why}"


def _slots(worker: Worker, shape: Shape) -> str:
    parts = [
        f"{count} of type {slot_type!r} are needed, {_name(worker)} has "
        f"{worker.slots.get(slot_type, 0)}"
        for slot_type, count in shape.units.items()
        if worker.slots.get(slot_type, 0) < count
    ]
    return "; ".join(parts)


def _missing(worker: Worker, shape: Shape) -> int:
    return sum(
        max(0, count - worker.slots.get(slot_type, 0)) for slot_type, count in shape.units.items()
    )


def _name(worker: Worker) -> str:
    return f"worker {worker.name} ({worker.id})"
