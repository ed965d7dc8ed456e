"""Batches within a turn (BA-*): tasks come together in the line of their group, and go to a worker
together when the group is ripe and a slot is free."""

from __future__ import annotations

from collections.abc import Callable

import asyncpg
import orjson

from hatchet_engine.domain.states import EventKind
from hatchet_engine.turn.attempts import begin_attempt
from hatchet_engine.turn.batches import BATCH_BYTES_MAX, Batch, BatchGroup
from hatchet_engine.turn.commands import PausedThing
from hatchet_engine.turn.definitions import Step
from hatchet_engine.turn.entering import leave_line, park, park_paused
from hatchet_engine.turn.lines import Line, is_batch_line, no_worker_line
from hatchet_engine.turn.queues import Queue, Queued
from hatchet_engine.turn.rates import hold_back, lacking, take
from hatchet_engine.turn.read_lines import LINE_READ_MAX, read_lines
from hatchet_engine.turn.state import Turn
from hatchet_engine.turn.stranded import STRANDED_MAX, ranking_of, set_aside, wanted_worker, words
from hatchet_engine.turn.workers import Worker

READ_GROUPS_MAX = 100  # ripe groups whose lines are read in one turn

Choose = Callable[[Turn, Queue, Queued], Worker | None]


def join(turn: Turn) -> None:
    """Tasks of batches that are ready to run wait for others of their group. The units of their
    rate limits are taken before (RL-17)."""
    joining, turn.joining = turn.joining, {}
    batches = turn.hot.batches
    for item in joining.values():
        if item.gone:
            continue
        demand = item.demand
        assert demand is not None
        assert demand.group is not None
        if demand.units:
            if (bucket := lacking(turn, item)) is not None:
                hold_back(turn, item, bucket)
                continue
            take(turn, item)
        group = batches.get(item.step, demand.group)
        park(turn, item, group.line)
        batches.joined(group, turn.now_ms)


async def ripen(connection: asyncpg.Connection, turn: Turn) -> None:
    """Offer ripe groups to the workers, and read what memory does not hold of them."""
    batches = turn.hot.batches
    held: list[tuple[BatchGroup, PausedThing]] = []
    unread: list[Line] = []
    for group in batches.take_changed(turn.now_ms):
        queue = group.step.queue
        if turn.hot.pauses and (thing := _pause_of(turn, group)) is not None:
            queue.ripe.pop(group, None)
            held.append((group, thing))
        elif group.full or group.ripe(turn.now_ms) is None:
            queue.ripe.pop(group, None)
            batches.forget(group)
        else:
            queue.ripe.setdefault(group)
            turn.wake(queue)
            if queue.workers and group.line.wants_reading:
                unread.append(group.line)
    wanted = {group.line: LINE_READ_MAX for group, _ in held}
    wanted |= {line: line.wanted for line in unread[:READ_GROUPS_MAX]}
    if wanted:
        await read_lines(connection, turn, wanted)
    for group, thing in held:
        _hold(turn, group, thing)


def place_batches(turn: Turn, queue: Queue, choose: Choose) -> None:
    """Make batches of ripe groups while there are slots. Groups take turns, so that one with a long
    line does not keep all workers to itself. ``choose``: a worker with room for such a task."""
    no_room: set[Step] = set()
    waiting = list(queue.ripe)
    while waiting:
        waiting = [group for group in waiting if _place_one(turn, queue, group, choose, no_room)]


def _place_one(
    turn: Turn, queue: Queue, group: BatchGroup, choose: Choose, no_room: set[Step]
) -> bool:
    """Whether a batch was made, and another of the same group may be."""
    step, line = group.step, group.line
    reason = None if group.full else group.ripe(turn.now_ms)
    if reason is None:
        del queue.ripe[group]
        turn.hot.batches.forget(group)
        return False
    if step in no_room:
        return False
    if line.wants_reading:
        if any(worker.fits(step.units) for worker in queue.workers):
            turn.hot.batches.changed[group] = None  # the next turn reads on
        else:
            no_room.add(step)
        return False
    first = line.first()
    assert first is not None
    if _strand(turn, queue, first):
        return True
    worker = choose(turn, queue, first)
    if worker is None:
        if step.sticky is None:  # else another group may want another worker
            no_room.add(step)
        return False
    _start(turn, group, worker, reason)
    # To the end of those who want a worker.
    del queue.ripe[group]
    queue.ripe[group] = None
    return True


def _strand(turn: Turn, queue: Queue, item: Queued) -> bool:
    """Whether the only worker that may have it (RO-11) is not there: then it waits for that one
    elsewhere, and the others of its group need not. It takes its units anew when it comes back."""
    shape = queue.shapes.of(item)
    hot = turn.hot
    if not shape.hard or turn.stranded >= STRANDED_MAX:
        return False
    if wanted_worker(hot, shape, ranking_of(queue, shape)) is not None:
        return False
    line = hot.lines.get(no_worker_line(queue.id, shape.worker_id, shape.digest))
    leave_line(turn, item)
    set_aside(turn, item, line, words(hot, queue, shape))
    hot.stranded.add(line, shape)
    return True


def _start(turn: Turn, group: BatchGroup, worker: Worker, reason: str) -> None:
    """The first in line become a batch; all of them share one slot (SL-6)."""
    batches = turn.hot.batches
    batch = Batch(turn.ids.new(turn.now_ms), group, worker, turn.now_ms, reason)
    group.running.add(batch)
    batches.made += 1
    worker.take(group.step.units)
    members = _take(group)
    told = orjson.dumps({"batch_id": str(batch.id), "size": len(members)}).decode()
    for item in members:
        leave_line(turn, item)
        item.gone = True
        running = begin_attempt(turn, item, worker, batch)
        batch.members[item.task_id] = running
        turn.plan.event(
            EventKind.BATCH_FLUSHED,
            item.tenant_id,
            item.task_id,
            item.attempt,
            worker.id,
            f"In a batch of {len(members)}: {reason}",
            told,
        )
    if group.line.depth:
        batches.begin_interval(group, turn.now_ms)
    else:
        batches.changed.pop(group, None)  # it lives while the batch does


def _take(group: BatchGroup) -> list[Queued]:
    """The first in line, as many as may and as fit into a start message (BA-9)."""
    line = group.line
    members: list[Queued] = []
    size = 0
    while len(members) < group.config.max_size and (item := line.pop()) is not None:
        size += item.size
        if members and size > BATCH_BYTES_MAX:
            line.put_back(item)
            break
        members.append(item)
    return members


def _pause_of(turn: Turn, group: BatchGroup) -> PausedThing | None:
    version = group.step.version
    return turn.hot.pauses.of_task(version.tenant_id, version.workflow_id)


def _hold(turn: Turn, group: BatchGroup, thing: PausedThing) -> None:
    """Those who wait go to the line of a pause. They take their units anew when they come back."""
    while (item := group.line.pop()) is not None:
        leave_line(turn, item)
        park_paused(turn, item, thing)
    if group.line.depth:
        turn.hot.batches.changed[group] = None  # more of them are to be read
    else:
        turn.hot.batches.forget(group)


def tell_waiting(turn: Turn) -> None:
    """Say of those who came into a line in this turn, and found no batch yet, that they wait."""
    for item in turn.plan.parked.values():
        if item.line is not None and is_batch_line(item.line.id) and not item.gone:
            turn.plan.event(
                EventKind.WAITING_FOR_BATCH,
                item.tenant_id,
                item.task_id,
                item.attempt,
                None,
                "Waits for others of its batch",
            )
