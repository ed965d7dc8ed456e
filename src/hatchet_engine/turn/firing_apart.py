"""What becomes of a cron or a scheduled run that takes the engine by surprise when it is fired.

A turn that fails is rolled back as a whole. If it was to fire something, its commands are run again
without that, and what was to be fired goes apart from them, in halves, until the row that fails
stands alone. That one is set aside: it is noted on the row and logged, and the others go on.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg
import structlog

from hatchet_engine.domain.calendar import following, jittered_ms
from hatchet_engine.store import schedules as store
from hatchet_engine.turn.crons import policies_of, ticks_of_cron
from hatchet_engine.turn.due import Due, FiringFailed
from hatchet_engine.turn.failed import PASSING_ERRORS

log = structlog.get_logger("hatchet.turn")

ERROR_LENGTH_MAX = 1_000


class FiringApart:
    """``fired``: what the present turn is to fire. ``parts``: what goes apart from commands, each
    part in a turn; the last one is the next."""

    def __init__(self) -> None:
        self.fired: list[Due] = []
        self.parts: list[frozenset[UUID]] = []

    async def failed(self, connection: asyncpg.Connection, now_ms: int, error: Exception) -> None:
        """A turn that was to fire something has failed. Raises the error again if it is known to be
        the fault of none of them."""
        fired, alone = self.fired, bool(self.parts)
        if alone:
            self.parts.pop()
        if isinstance(error, FiringFailed):
            await set_aside(connection, error.due, now_ms, error.__cause__ or error)
            self._put([due for due in fired if due.id != error.due.id])
        elif not alone:
            self._put(fired)
        elif isinstance(error, PASSING_ERRORS):
            self._put(fired)
            raise error
        elif len(fired) == 1:
            await set_aside(connection, fired[0], now_ms, error)
        else:
            middle = len(fired) // 2
            self._put(fired[middle:])
            self._put(fired[:middle])

    def _put(self, part: list[Due]) -> None:
        if part:
            self.parts.append(frozenset(due.id for due in part))


async def set_aside(
    connection: asyncpg.Connection, due: Due, now_ms: int, error: BaseException
) -> None:
    """Note on the row that it made no run and why; a cron goes on at its next tick."""
    kind = "cron" if due.is_cron else "scheduled_run"
    log.error("firing_failed", kind=kind, id=str(due.id), exc_info=error)
    text = f"the engine failed to start the run: {type(error).__name__}: {error}"
    text = text.replace("\x00", "")[:ERROR_LENGTH_MAX]
    if due.is_cron:
        row = due.row
        tick_ms, fire_ms = _next_tick(row, now_ms)
        last = (row["last_tick_ms"], row["last_run_id"])
        await store.cron_move(connection, (due.id, tick_ms, fire_ms, False, *last, text, now_ms))
    else:
        await store.scheduled_fired(connection, due.id, None, text, now_ms)


def _next_tick(row: Any, now_ms: int) -> tuple[int | None, int | None]:
    """The first tick to come, and when it is fired. What it has missed is not tried again: there
    may be much of it, and it would most likely fail alike."""
    try:
        policies = policies_of(row)
        tick_ms = following(ticks_of_cron(row), policies, max(now_ms, row["tick_ms"] or 0))
        if tick_ms is None:
            return None, None
        return tick_ms, jittered_ms(row["id"], tick_ms, policies.jitter_ms)
    except Exception:
        log.exception("cron_stopped", id=str(row["id"]))
        return row["tick_ms"], None
