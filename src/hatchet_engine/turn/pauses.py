"""Pauses (REG-24 to REG-27): of a tenant, a workflow, a concurrency key.

What runs goes on. A task that would be given to a worker goes into the line of the pause instead;
when the pause ends, the line goes back to the queues in bounded steps.
"""

from __future__ import annotations

from dataclasses import asdict

from hatchet_engine.domain.errors import invalid, not_found
from hatchet_engine.turn.commands import Pause, PausedThing, PauseKind, Resume
from hatchet_engine.turn.entering import (
    enter_queue,
    leave_line,
    leave_queue,
    park_paused,
    renew,
    stand_aside,
)
from hatchet_engine.turn.lines import Line
from hatchet_engine.turn.pause_list import line_of
from hatchet_engine.turn.queues import Queue, Queued
from hatchet_engine.turn.schedule_runs import look_at
from hatchet_engine.turn.state import Turn

RELEASED_MAX = 1_000  # tasks that leave the lines of ended pauses in one turn
TEXT_LENGTH_MAX = 1_000  # of who and why


def pause(turn: Turn, command: Pause) -> PausedThing:
    """Begin or change a pause."""
    _check(turn, command)
    known = turn.hot.pauses.find(command.tenant_id, command.kind, command.target)
    fields = asdict(command)
    thing = PausedThing(since_ms=known.since_ms if known else turn.now_ms, **fields)
    turn.hot.pauses.add(thing)
    turn.plan.pauses[thing.tenant_id, thing.kind, thing.target] = thing
    if thing.kind is PauseKind.CONCURRENCY_KEY:
        turn.hot.groups.pause(thing.target)
    else:
        # An earlier pause may have ended just now: what it still holds is held on.
        turn.hot.pauses.released.pop(turn.hot.lines.get(line_of(thing)), None)
        for queue in turn.hot.queues.values():
            if queue.tenant_id == thing.tenant_id and queue.depth:
                _hold_queue(turn, queue)
        turn.hot.batches.look_again(thing.tenant_id)
    return thing


def _check(turn: Turn, command: Pause) -> None:
    for field in ("by", "reason"):
        text = getattr(command, field)
        if len(text) > TEXT_LENGTH_MAX or "\x00" in text:
            raise invalid(
                f"{field}: at most {TEXT_LENGTH_MAX} characters, none of them null", field=field
            )
    if command.until_ms is not None and command.until_ms <= turn.now_ms:
        raise invalid("until: is in the past", field="until")
    if command.queue_ttl_ms is not None and command.queue_ttl_ms < 1:
        raise invalid("queue_ttl: must be at least one millisecond", field="queue_ttl")
    if command.kind is PauseKind.WORKFLOW:
        latest = turn.hot.definitions.latest.values()
        if not any(
            str(one.workflow_id) == command.target and one.tenant_id == command.tenant_id
            for one in latest
        ):
            raise not_found(f"target: there is no workflow {command.target}")
    elif command.kind is PauseKind.TENANT and command.target:
        raise invalid("target: a tenant's pause has none", field="target")
    elif command.kind is PauseKind.CONCURRENCY_KEY and not command.target:
        raise invalid("target: is required", field="target")


def _hold_queue(turn: Turn, queue: Queue) -> None:
    """What memory knows of it is held now; the rest as it comes to its turn."""
    for item in list(queue.items.values()):
        hold(turn, item)


def resume(turn: Turn, command: Resume) -> bool:
    """End a pause."""
    thing = turn.hot.pauses.find(command.tenant_id, command.kind, command.target)
    if thing is None:
        return False
    _end(turn, thing)
    return True


def end_due(turn: Turn) -> None:
    """Pauses whose time is over."""
    for thing in turn.hot.pauses.due(turn.now_ms):
        _end(turn, thing)


def _end(turn: Turn, thing: PausedThing) -> None:
    hot = turn.hot
    hot.pauses.remove(thing)
    turn.plan.pauses[thing.tenant_id, thing.kind, thing.target] = None
    if thing.kind is PauseKind.CONCURRENCY_KEY:
        group = hot.groups.resume(thing.target)
        if group is not None:
            turn.freed[group] = None
    else:
        look_at(turn, turn.now_ms if thing.drop_scheduled else None)
        line = hot.lines.get(line_of(thing))
        if line.depth:
            hot.pauses.released[line] = None


def hold(turn: Turn, item: Queued) -> bool:
    """Take a task out of its queue into the line of a pause, if one is on for it."""
    thing = turn.hot.pauses.of(item)
    if thing is None:
        return False
    leave_queue(turn, item)
    stand_aside(turn, item)
    park_paused(turn, item, thing)
    return True


def release(turn: Turn, lines: list[Line]) -> None:
    """Tasks of ended pauses go back to their queues, with fresh timeouts (REG-26)."""
    pauses = turn.hot.pauses
    left = RELEASED_MAX
    for line in lines:
        while left > 0 and (item := line.pop()) is not None:
            leave_line(turn, item)
            renew(turn, item)
            enter_queue(turn, item)
            left -= 1
        if line.depth == 0:
            pauses.released.pop(line, None)
            turn.hot.lines.forget(line)
