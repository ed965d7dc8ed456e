"""Fires crons: the ticks that are due, those that are to be made good, then on to the next one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from hatchet_engine.domain.calendar import (
    Overlap,
    Policies,
    Ticks,
    following,
    jittered_ms,
    to_make_good,
)
from hatchet_engine.domain.errors import Refused
from hatchet_engine.store import schedules as store
from hatchet_engine.turn import cancel
from hatchet_engine.turn.commands import CancelTasks
from hatchet_engine.turn.crons import policies_of, ticks_of_cron
from hatchet_engine.turn.due import Due, FiringFailed, Made
from hatchet_engine.turn.load import Loader
from hatchet_engine.turn.schedule_runs import look_at, start_cron
from hatchet_engine.turn.state import Turn

TICKS_AT_ONCE = 100  # of one cron in one turn


@dataclass(slots=True)
class _Ticking:
    """A cron that is looked at. ``tick_ms`` None: no tick is left."""

    row: Any
    policies: Policies
    ticks: Ticks
    tick_ms: int | None
    live: bool  # the run of its last tick goes on

    def fire_ms(self) -> int | None:
        if self.tick_ms is None:
            return None
        return jittered_ms(self.row["id"], self.tick_ms, self.policies.jitter_ms)

    def ready(self, now_ms: int) -> bool:
        if self.row["waiting"]:
            return True
        fire_ms = self.fire_ms()
        return fire_ms is not None and fire_ms <= now_ms


async def live_runs(connection: asyncpg.Connection, rows: list[asyncpg.Record]) -> set[UUID]:
    """The last runs of crons, where it matters, that have not ended."""
    known = [
        (row["tenant_id"], row["last_run_id"])
        for row in rows
        if row["overlap"] != Overlap.ALLOW and row["last_run_id"] is not None
    ]
    return await store.runs_live(connection, known) if known else set()


def _looked_at(turn: Turn, row: asyncpg.Record, live: set[UUID]) -> _Ticking:
    """Raises ``ValueError`` when its text means nothing any more."""
    ticks, tick_ms = ticks_of_cron(row), row["tick_ms"]
    policies = policies_of(row)
    if not row["waiting"]:
        tick_ms = to_make_good(ticks, policies, tick_ms, turn.now_ms)
    return _Ticking(row, policies, ticks, tick_ms, row["last_run_id"] in live)


async def cancel_old(
    loader: Loader, turn: Turn, rows: list[asyncpg.Record], live: set[UUID]
) -> None:
    by_tenant: dict[UUID, list[UUID]] = {}
    for row in rows:
        if row["overlap"] == Overlap.CANCEL_OLD and row["last_run_id"] in live:
            with suppress(ValueError):
                if _looked_at(turn, row, live).ready(turn.now_ms):
                    by_tenant.setdefault(row["tenant_id"], []).append(row["last_run_id"])
                    live.discard(row["last_run_id"])
    for tenant_id, ids in by_tenant.items():
        cancelling = CancelTasks(tenant_id, ids, reason="The next tick of its cron came")
        await loader.command(cancelling)
        cancel.cancel(turn, cancelling)


def fire_crons(turn: Turn, rows: list[asyncpg.Record], live: set[UUID]) -> int:
    """Cron after cron until the turn has enough to do; how many. A cron is looked at when it is its
    turn: to count what it has missed may take some milliseconds."""
    made = Made(turn.plan)
    for done, row in enumerate(rows):
        if made.enough():
            return done
        try:
            _fire_cron(turn, row, live, made)
        except Exception as error:
            raise FiringFailed(Due(row, is_cron=True)) from error
    return len(rows)


def _fire_cron(turn: Turn, row: asyncpg.Record, live: set[UUID], made: Made) -> None:
    try:
        due = _looked_at(turn, row, live)
    except ValueError as error:
        _move(turn, row, row["tick_ms"], None, error=str(error))
    else:
        _fire_ticks(turn, due, made)


def _fire_ticks(turn: Turn, due: _Ticking, made: Made) -> None:
    """The ticks of one cron that are due, then on to the next one."""
    row, policies = due.row, due.policies
    last_tick_ms, last_run_id = row["last_tick_ms"], row["last_run_id"]
    error: str | None = None
    waiting = False
    paused = turn.hot.pauses.of_workflow(row["workflow_id"])
    dropped = paused is not None and paused.drop_crons
    for _ in range(TICKS_AT_ONCE):
        if due.tick_ms is None or not due.ready(turn.now_ms) or made.enough():
            break
        if dropped:
            pass  # the tick passes without a run (REG-27)
        elif due.live and policies.overlap is not Overlap.ALLOW:
            if policies.overlap is not Overlap.SKIP:
                break  # another look comes, and QUEUE waits
        else:
            last_tick_ms = due.tick_ms
            try:
                last_run_id = start_cron(turn, row["tenant_id"], row, due.tick_ms)
                due.live, error = True, None
            except Refused as refused:
                error = refused.message
        after_ms = due.tick_ms
        if row["waiting"]:
            # One tick waits at most: those that came meanwhile do not run.
            after_ms = max(after_ms, turn.now_ms)
        due.tick_ms = following(due.ticks, policies, after_ms)
        if row["waiting"]:
            break
    fire_ms = due.fire_ms()
    if policies.overlap is Overlap.QUEUE and due.live and fire_ms is not None:
        waiting = fire_ms <= turn.now_ms
    if waiting:
        turn.hot.cron_waits[last_run_id] = row["id"]
        fire_ms = None
    _move(turn, row, due.tick_ms, fire_ms, waiting, (last_tick_ms, last_run_id), error)


def _move(
    turn: Turn,
    row: asyncpg.Record,
    tick_ms: int | None,
    fire_ms: int | None,
    waiting: bool = False,
    last: tuple[int | None, UUID | None] | None = None,
    error: str | None = None,
) -> None:
    """Note where a cron goes on."""
    if last is None:
        last = (row["last_tick_ms"], row["last_run_id"])
    error_ms = None if error is None else turn.now_ms
    turn.plan.crons[row["id"]] = (row["id"], tick_ms, fire_ms, waiting, *last, error, error_ms)
    look_at(turn, fire_ms)


def release_waiting(turn: Turn) -> None:
    """Crons whose tick waits for the end of a run that has ended in this turn."""
    waits = turn.hot.cron_waits
    if not waits:
        return
    ended = [one.run_id for one in turn.finished]
    ended += [run.run_id for run in turn.finished_runs]
    for run_id in ended:
        cron_id = waits.pop(run_id, None)
        if cron_id is None:
            continue
        moved = turn.plan.crons.get(cron_id)
        if moved is None:
            turn.plan.crons_released.append(cron_id)
        else:
            turn.plan.crons[cron_id] = (*moved[:2], turn.now_ms, *moved[3:])
        look_at(turn, turn.now_ms)
