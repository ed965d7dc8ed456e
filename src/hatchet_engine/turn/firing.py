"""Fires crons and scheduled runs whose time has come: a bounded number in each turn.

A tick and the move to the next one, a schedule and the mark that it has fired, are one transaction
with the run that they make: there is exactly one run for each, whatever breaks.
"""

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
from hatchet_engine.turn.load import Loader
from hatchet_engine.turn.plan import Plan
from hatchet_engine.turn.schedule_runs import ask_keys, look_at, start_cron, start_scheduled
from hatchet_engine.turn.state import Turn

DUE_READ_MAX = 70  # rows of either kind in one turn; the rest follows in the next ones
PAUSE_MS = 10  # between two such turns while there is other work
TASKS_MAX = 300  # tasks of the runs of either kind that one turn makes: about 20 ms of it
INPUT_BYTES_MAX = 8 * 1024 * 1024  # read in one turn, of either kind
TICKS_AT_ONCE = 100  # of one cron in one turn


@dataclass(slots=True)
class _Due:
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


async def fire_due(loader: Loader, turn: Turn, *, busy: bool) -> None:
    """Make the runs that are due now. ``busy``: the turn has other work; what can't be made in it
    then lets some turns without it go first, which are short."""
    hot = turn.hot
    if hot.next_schedule_ms is None or hot.next_schedule_ms > turn.now_ms:
        return
    connection, now_ms = loader.connection, turn.now_ms
    crons = await store.cron_due(connection, now_ms, DUE_READ_MAX, INPUT_BYTES_MAX)
    held = hot.pauses.dropping_scheduled()
    runs = await store.scheduled_due(connection, now_ms, DUE_READ_MAX, INPUT_BYTES_MAX, held)
    await ask_keys(connection, turn, [(row["tenant_id"], row) for row in (*crons, *runs)])
    hot.next_schedule_ms = await store.next_due_after_ms(connection, now_ms)
    live = await _live_runs(connection, crons)
    await _cancel_old(loader, turn, crons, live)
    done_crons = _fire_crons(turn, crons, live)
    done_runs = _fire_scheduled(turn, runs)
    if _more(crons, done_crons) or _more(runs, done_runs):
        look_at(turn, now_ms)
    if busy and hot.next_schedule_ms is not None:
        hot.next_schedule_ms = max(hot.next_schedule_ms, now_ms + PAUSE_MS)


def _more(rows: list[asyncpg.Record], done: int) -> bool:
    """Whether due rows are left to the next turn."""
    return bool(rows) and (done < rows[0]["found"] or rows[0]["found"] == DUE_READ_MAX)


class _Made:
    """Counts the tasks of the runs that are made."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._count = 0
        self._tasks, self._dags = len(plan.tasks), len(plan.dags)

    def enough(self) -> bool:
        tasks, dags = self._plan.tasks, self._plan.dags
        self._count += len(tasks) - self._tasks
        self._count += sum(len(dag.task_ids) for dag in dags[self._dags :])
        self._tasks, self._dags = len(tasks), len(dags)
        return self._count >= TASKS_MAX


# ---------------------------------------------------------------- crons


async def _live_runs(connection: asyncpg.Connection, rows: list[asyncpg.Record]) -> set[UUID]:
    """The last runs of crons, where it matters, that have not ended."""
    known = [
        (row["tenant_id"], row["last_run_id"])
        for row in rows
        if row["overlap"] != Overlap.ALLOW and row["last_run_id"] is not None
    ]
    return await store.runs_live(connection, known) if known else set()


def _looked_at(turn: Turn, row: asyncpg.Record, live: set[UUID]) -> _Due:
    """Raises ``ValueError`` when its text means nothing any more."""
    ticks, tick_ms = ticks_of_cron(row), row["tick_ms"]
    policies = policies_of(row)
    if not row["waiting"]:
        tick_ms = to_make_good(ticks, policies, tick_ms, turn.now_ms)
    return _Due(row, policies, ticks, tick_ms, row["last_run_id"] in live)


async def _cancel_old(
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


def _fire_crons(turn: Turn, rows: list[asyncpg.Record], live: set[UUID]) -> int:
    """Cron after cron until the turn has enough to do; how many. A cron is looked at when it is its
    turn: to count what it has missed may take some milliseconds."""
    made = _Made(turn.plan)
    for done, row in enumerate(rows):
        if made.enough():
            return done
        try:
            due = _looked_at(turn, row, live)
        except ValueError as error:
            _move(turn, row, row["tick_ms"], None, error=str(error))
        else:
            _fire_cron(turn, due, made)
    return len(rows)


def _fire_cron(turn: Turn, due: _Due, made: _Made) -> None:
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


# ---------------------------------------------------------------- scheduled runs


def _fire_scheduled(turn: Turn, rows: list[asyncpg.Record]) -> int:
    """Run after run until the turn has enough to do; how many."""
    made = _Made(turn.plan)
    for done, row in enumerate(rows):
        if made.enough():
            return done
        try:
            run_id, error = start_scheduled(turn, row["tenant_id"], row), None
        except Refused as refused:
            run_id, error = None, refused.message
        turn.plan.scheduled.append((row["id"], run_id, error))
    return len(rows)
