"""Ageing, if it is switched on: a task that has waited long goes up one priority, so that a steady
stream of urgent ones does not starve it for ever (Q-2). Each level takes as long again.
"""

from __future__ import annotations

import asyncpg

from hatchet_engine.domain import ids
from hatchet_engine.domain.states import PRIORITY_MAX, PRIORITY_MIN
from hatchet_engine.store import queue as store
from hatchet_engine.turn.entering import leave_queue
from hatchet_engine.turn.register import load_versions
from hatchet_engine.turn.state import Turn
from hatchet_engine.turn.waiting import item_from_row

AGED_MAX = 1_000  # tasks in one turn; the others follow
LOOKS_PER_LEVEL = 10  # so often a level is looked at while it passes: how exact it is
PERIOD_MIN_MS = 1_000


def plan_ageing(turn: Turn) -> None:
    """Look at what waits again in a while; nothing waits, nothing is looked at."""
    hot, ageing_ms = turn.hot, turn.limits.priority_ageing_ms
    if ageing_ms is not None and hot.next_ageing_ms is None and turn.plan.queued:
        hot.next_ageing_ms = turn.now_ms + max(PERIOD_MIN_MS, ageing_ms // LOOKS_PER_LEVEL)


async def age(connection: asyncpg.Connection, turn: Turn) -> None:
    """Move up those whose time has come."""
    hot, ageing_ms = turn.hot, turn.limits.priority_ageing_ms
    if hot.next_ageing_ms is None or hot.next_ageing_ms > turn.now_ms:
        return
    hot.next_ageing_ms = None
    if ageing_ms is None:
        return
    waiting = [queue for queue in hot.queues.values() if queue.depth]
    keys = [
        (queue.id, -priority, ids.lowest(max(0, turn.now_ms - level * ageing_ms + 1)))
        for queue in waiting
        for level, priority in enumerate(range(PRIORITY_MIN, PRIORITY_MAX), start=1)
    ]
    rows = await store.aged(connection, keys, AGED_MAX) if keys else []
    await load_versions(connection, hot, {row["version_id"] for row in rows})
    left = {task_id for _, _, task_id in turn.plan.queue_removed}  # in this turn, before this
    for row in rows:
        if row["task_id"] not in left:
            _move_up(turn, row)
    if waiting:
        period_ms = max(PERIOD_MIN_MS, ageing_ms // LOOKS_PER_LEVEL)
        hot.next_ageing_ms = turn.now_ms + (0 if len(rows) >= AGED_MAX else period_ms)


def _move_up(turn: Turn, row: asyncpg.Record) -> None:
    item = item_from_row(turn.hot, row)
    queue = item.step.queue
    item = queue.items.get(item.task_id) or item
    leave_queue(turn, item)
    item.rank -= 1
    queue.add(item)
    turn.plan.queued[item.task_id] = item
    turn.wake(queue)
