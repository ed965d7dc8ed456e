"""What the pause of a tenant or a workflow holds back (REG-24 to REG-26).

A task that would be given to a worker goes into the line of the pause instead; when the pause
ends, the line goes back to the queues in bounded steps.
"""

from __future__ import annotations

from uuid import UUID

from hatchet_engine.turn.entering import (
    enter_queue,
    leave_line,
    leave_queue,
    park_paused,
    renew,
    stand_aside,
)
from hatchet_engine.turn.lines import Line
from hatchet_engine.turn.queues import Queued
from hatchet_engine.turn.state import Turn

RELEASED_MAX = 1_000  # tasks that leave the lines of ended pauses in one turn


def hold_queues(turn: Turn, tenant_id: UUID) -> None:
    """What memory knows of the queues of a tenant is held now; the rest as it comes to its turn."""
    for queue in turn.hot.queues.values():
        if queue.tenant_id == tenant_id and queue.depth:
            for item in list(queue.items.values()):
                hold(turn, item)


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
