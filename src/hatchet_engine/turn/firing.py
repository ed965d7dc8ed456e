"""Fires crons and scheduled runs whose time has come: a bounded number in each turn.

A tick and the move to the next one, a schedule and the mark that it has fired, are one transaction
with the run that they make: there is exactly one run for each, whatever breaks.
"""

from __future__ import annotations

from uuid import UUID

import asyncpg

from hatchet_engine.domain.errors import Refused
from hatchet_engine.store import schedules as store
from hatchet_engine.turn.due import Due, FiringFailed, Made
from hatchet_engine.turn.fire_crons import cancel_old, fire_crons, live_runs
from hatchet_engine.turn.load import Loader
from hatchet_engine.turn.schedule_runs import ask_keys, look_at, start_scheduled
from hatchet_engine.turn.state import Turn

DUE_READ_MAX = 70  # rows of either kind in one turn; the rest follows in the next ones
LOOKED_AT_MAX = 2_000  # scheduled runs looked at in one turn while a pause holds some: about 1 ms
PAUSE_MS = 10  # between two such turns while there is other work
INPUT_BYTES_MAX = 8 * 1024 * 1024  # read in one turn, of either kind


async def fire_due(loader: Loader, turn: Turn, *, busy: bool) -> None:
    """Make the runs that are due now. ``busy``: the turn has other work; what can't be made in it
    then lets some turns without it go first, which are short."""
    hot = turn.hot
    if hot.next_schedule_ms is None or hot.next_schedule_ms > turn.now_ms:
        return
    connection, now_ms = loader.connection, turn.now_ms
    only = None if turn.apart is None else list(turn.apart)
    crons = await store.cron_due(connection, now_ms, DUE_READ_MAX, INPUT_BYTES_MAX, only)
    found = await _read_scheduled(connection, turn, only)
    turn.fired += [Due(row, is_cron=True) for row in crons]
    turn.fired += [Due(row, is_cron=False) for row in found.rows]
    await ask_keys(connection, turn, [(row["tenant_id"], row) for row in (*crons, *found.rows)])
    hot.next_schedule_ms = await store.next_due_after_ms(connection, now_ms)
    live = await live_runs(connection, crons)
    await cancel_old(loader, turn, crons, live)
    done = fire_crons(turn, crons, live)
    more = bool(crons) and (done < crons[0]["found"] or crons[0]["found"] == DUE_READ_MAX)
    done = _fire_scheduled(turn, found.rows)
    if turn.apart is not None:
        more = True  # the others are due, too
    elif _note_seen(turn, found, done):
        more = True
    if more:
        look_at(turn, now_ms)
    if busy and hot.next_schedule_ms is not None:
        hot.next_schedule_ms = max(hot.next_schedule_ms, now_ms + PAUSE_MS)


async def _read_scheduled(
    connection: asyncpg.Connection, turn: Turn, only: list[UUID] | None
) -> store.DueRuns:
    """Those of paused workflows stay where they are; they are looked at once, then they lie behind
    ``Hot.scheduled_seen``."""
    held = turn.hot.pauses.dropping_scheduled()
    return await store.scheduled_due(
        connection,
        turn.now_ms,
        DUE_READ_MAX,
        INPUT_BYTES_MAX,
        held,
        store.BEFORE_ALL_DUE if only is not None else turn.hot.scheduled_seen,
        LOOKED_AT_MAX if held else DUE_READ_MAX,
        only,
    )


def _note_seen(turn: Turn, found: store.DueRuns, done: int) -> bool:
    """Note up to where all that is due has fired or is held. Returns whether more is due."""
    if done == found.count < DUE_READ_MAX:
        if found.last is not None:
            turn.hot.scheduled_seen = found.last
        return found.more
    if done:
        row = found.rows[done - 1]
        turn.hot.scheduled_seen = (row["due_ms"], row["id"])
    return True


def _fire_scheduled(turn: Turn, rows: list[asyncpg.Record]) -> int:
    """Run after run until the turn has enough to do; how many."""
    made = Made(turn.plan)
    for done, row in enumerate(rows):
        if made.enough():
            return done
        try:
            run_id, error = start_scheduled(turn, row["tenant_id"], row), None
        except Refused as refused:
            run_id, error = None, refused.message
        except Exception as surprise:
            raise FiringFailed(Due(row, is_cron=False)) from surprise
        turn.plan.scheduled.append((row["id"], run_id, error))
    return len(rows)
