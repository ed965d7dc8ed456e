"""What a task waits for when it is not a worker, a time or an event."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

import asyncpg

from hatchet_engine.observe.rows import TaskRow
from hatchet_engine.store.sql import load

_SQL = load("read_flow")


class Reason(StrEnum):
    CONCURRENCY_KEY = "CONCURRENCY_KEY"
    RATE_LIMIT = "RATE_LIMIT"
    RATE_LIMIT_TOO_SMALL = "RATE_LIMIT_TOO_SMALL"  # it asks for more units than a window has
    PAUSED_WORKFLOW = "PAUSED_WORKFLOW"
    PAUSED_TENANT = "PAUSED_TENANT"


# By the first letter of the line's name, see turn/lines.py.
_REASONS = {
    "c": Reason.CONCURRENCY_KEY,
    "r": Reason.RATE_LIMIT,
    "o": Reason.RATE_LIMIT_TOO_SMALL,
    "p": Reason.PAUSED_WORKFLOW,
    "t": Reason.PAUSED_TENANT,
}


@dataclass(slots=True, frozen=True)
class Hold:
    reason: Reason
    key: str | None  # of the concurrency rule or rate limit


async def hold_of(pool: asyncpg.Pool, tenant_id: UUID, task: TaskRow) -> Hold | None:
    """Why the task is held back, or its run as a whole; None: it is not."""
    line = await pool.fetchval(_SQL["task_line"], tenant_id, [task.id, task.run_id])
    return None if line is None else read_hold(line)


def read_hold(line: str) -> Hold:
    """What a line's name tells.

    >>> read_hold("c12:user:7")
    Hold(reason=<Reason.CONCURRENCY_KEY: 'CONCURRENCY_KEY'>, key='user:7')
    """
    _, colon, key = line.partition(":")
    if line[0] == "o":  # the units stand before the key
        key = key.partition(":")[2]
    return Hold(_REASONS[line[0]], key if colon else None)
