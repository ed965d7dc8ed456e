"""How tasks get into queues and lines, and out of them again."""

from __future__ import annotations

from uuid import UUID

from hatchet_engine.domain import ids
from hatchet_engine.domain.concurrency import Strategy
from hatchet_engine.turn.buckets import Bucket
from hatchet_engine.turn.commands import PausedThing
from hatchet_engine.turn.groups import Group
from hatchet_engine.turn.lines import Line, read_no_worker_line
from hatchet_engine.turn.pause_list import line_of
from hatchet_engine.turn.queues import Queued
from hatchet_engine.turn.state import Turn

NEVER_MS = (1 << 48) - 1  # the end of what an id can tell


def arrive(turn: Turn, item: Queued) -> None:
    """A task wants to run: it needs a place under each of its concurrency rules first. A task that
    is tried again at once still holds its places (CON-12)."""
    demand = item.demand
    if demand is not None and demand.places and item.task_id not in turn.hot.groups.held:
        turn.arrivals.append(item)
    else:
        enter_queue(turn, item)


def enter_queue(turn: Turn, item: Queued) -> None:
    """A task stands in its queue from now on, or comes to its batch; it is stored only if no worker
    takes it within this turn. If others wait before it for units that it needs, it stands in their
    line."""
    hot = turn.hot
    if hot.pauses and (thing := hot.pauses.of(item)) is not None:
        park_paused(turn, item, thing)
        return
    if item.step.batch is not None:
        turn.joining[item.task_id] = item
        return
    demand = item.demand
    if demand is not None:
        if demand.units:
            bucket = _who_waits(turn, item)
            if bucket is not None:
                if bucket.line.wants_reading:  # perhaps nobody is before it
                    hot.buckets.look_at(bucket, turn.now_ms)
                park(turn, item, bucket.line)
                return
        if demand.places:
            group = _fair_group(turn, item)
            if group is not None:
                item.round = group.next_round(item.step.queue)
    queue = item.step.queue
    queue.add(item)
    turn.plan.queued[item.task_id] = item
    turn.dirty[queue.id] = queue
    earliest = hot.next_schedule_timeout_ms
    if earliest is None or item.schedule_timeout_ms < earliest:
        hot.next_schedule_timeout_ms = item.schedule_timeout_ms


def park_paused(turn: Turn, item: Queued, thing: PausedThing) -> None:
    """Park a task in the line of a pause. Instead of its schedule timeout the time to live of the
    pause counts (REG-25)."""
    if thing.queue_ttl_ms is None:
        item.schedule_timeout_ms = NEVER_MS
    else:
        item.schedule_timeout_ms = ids.time_ms(item.run_id) + thing.queue_ttl_ms
    park(turn, item, turn.hot.lines.get(line_of(thing)))


def renew(turn: Turn, item: Queued) -> None:
    """A fresh schedule timeout, as for each wait that begins (TO-1)."""
    item.queued_ms = turn.now_ms
    item.schedule_timeout_ms = turn.now_ms + item.step.schedule_timeout_ms


def _who_waits(turn: Turn, item: Queued) -> Bucket | None:
    """The rate limit for whose units others wait before this one: no one overtakes them."""
    assert item.demand is not None
    for key, units in item.demand.units:
        bucket = turn.hot.buckets.find(item.tenant_id, key)
        if bucket is not None and units and bucket.line.stands_before(item):
            return bucket
    return None


def stand_aside(turn: Turn, item: Queued, after_ms: int = 0, *, but: Bucket | None = None) -> None:
    """A task no longer wants units: those who are behind it may be let go. ``but``: it still wants
    those of this limit."""
    if item.demand is None:
        return
    buckets = turn.hot.buckets
    for key, _ in item.demand.units:
        bucket = buckets.find(item.tenant_id, key)
        if bucket is not None and bucket is not but and bucket.line.depth:
            buckets.look_at(bucket, turn.now_ms + after_ms)


def _fair_group(turn: Turn, item: Queued) -> Group | None:
    """The key whose tasks take turns with those of other keys."""
    held = turn.hot.groups.held
    for holder in (item.task_id, item.run_id):
        for group in held.get(holder, ()):
            if group.strategy is Strategy.GROUP_ROUND_ROBIN:
                return group
    return None


def park(turn: Turn, item: Queued, line: Line) -> None:
    """A task that stands nowhere stands in a line from now on."""
    item.line = line
    item.round = 0
    line.add(item)
    turn.plan.parked[item.task_id] = item
    hot = turn.hot
    earliest = hot.next_schedule_timeout_ms
    if earliest is None or item.schedule_timeout_ms < earliest:
        hot.next_schedule_timeout_ms = item.schedule_timeout_ms


def leave_line(turn: Turn, item: Queued) -> None:
    """A parked task stands nowhere any more."""
    line = item.line
    assert line is not None
    line.remove(item)
    if line.depth == 0:
        turn.hot.batches.emptied(line)
    item.line = None
    if item.shelved:
        item.shelved = False
        turn.plan.parked_removed.add(item.task_id)
    turn.plan.parked.pop(item.task_id, None)
    if line.depth == 0 and read_no_worker_line(line.id) is not None:
        turn.hot.stranded.forget(line)
        turn.hot.lines.forget(line)


def leave_queue(turn: Turn, item: Queued) -> None:
    """A queued task stands nowhere any more."""
    queue = item.step.queue
    queue.remove(item)
    turn.plan.queued.pop(item.task_id, None)
    if item.stored:
        item.stored = False
        turn.plan.queue_removed.append((queue.id, item.rank, item.task_id))
    if not queue.items:
        turn.wake(queue)  # it may have to be read on


def release(turn: Turn, holder_id: UUID) -> None:
    """Give back all concurrency places of a task or run."""
    groups = turn.hot.groups.leave(holder_id)
    if not groups:
        return
    for group in groups:
        turn.freed[group] = None
    new = turn.plan.places.pop(holder_id, ())
    if len(new) < len(groups):
        turn.plan.places_removed.add(holder_id)
