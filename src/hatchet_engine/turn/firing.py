"""Fires crons and scheduled runs whose time has come: a bounded number in each turn.

A tick and the move to the next one, a schedule and the mark that it has fired, are one transaction
with the run that they make: there is exactly one run for each, whatever breaks.
"""

from __future__ import annotations

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
    parse,
    ticks_of,
    to_make_good,
)
from hatchet_engine.domain.errors import Refused
from hatchet_engine.store import schedules as store
from hatchet_engine.turn import cancel
from hatchet_engine.turn.commands import CancelTasks
from hatchet_engine.turn.crons import policies_of
from hatchet_engine.turn.load import Loader
from hatchet_engine.turn.schedule_runs import ask_keys, look_at, start_cron, start_scheduled
from hatchet_engine.turn.state import Turn

DUE_READ_MAX = 70  # rows of either kind in one turn; the rest follows in the next ones
PAUSE_MS = 10  # between two such turns while there is other work
TASKS_MAX = 1_000  # tasks of the runs that one turn makes
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
    due = await _looked_at(connection, turn, crons)
    await _cancel_old(loader, turn, due)
    done_crons = _until_full(turn, due, _fire_cron)
    done_runs = _until_full(turn, runs, _fire_scheduled)
    if _more(crons, done_crons) or _more(runs, done_runs):
        hot.next_schedule_ms = now_ms + (PAUSE_MS if busy else 0)


def _more(rows: list[asyncpg.Record], done: int) -> bool:
    """Whether due rows are left to the next turn."""
    return bool(rows) and (done < rows[0]["found"] or rows[0]["found"] == DUE_READ_MAX)


def _until_full(turn: Turn, rows: list[Any], fire: Any) -> int:
    """Fire row after row until the turn has enough to do; how many."""
    tasks, dags = turn.plan.tasks, turn.plan.dags
    made = 0
    for done, row in enumerate(rows):
        if made >= TASKS_MAX:
            return done
        tasks_before, dags_before = len(tasks), len(dags)
        fire(turn, row)
        made += len(tasks) - tasks_before
        made += sum(len(dag.task_ids) for dag in dags[dags_before:])
    return len(rows)


# ---------------------------------------------------------------- crons


async def _looked_at(
    connection: asyncpg.Connection, turn: Turn, rows: list[asyncpg.Record]
) -> list[_Due]:
    known = [
        (row["tenant_id"], row["last_run_id"])
        for row in rows
        if row["overlap"] != Overlap.ALLOW and row["last_run_id"] is not None
    ]
    live = await store.runs_live(connection, known) if known else set()
    found = []
    for row in rows:
        policies = policies_of(row)
        ticks = ticks_of(parse(row["expression"]).fields, policies.zone)
        tick_ms = row["tick_ms"]
        if not row["waiting"]:
            tick_ms = to_make_good(ticks, policies, tick_ms, turn.now_ms)
        found.append(_Due(row, policies, ticks, tick_ms, row["last_run_id"] in live))
    return found


async def _cancel_old(loader: Loader, turn: Turn, due: list[_Due]) -> None:
    by_tenant: dict[UUID, list[UUID]] = {}
    for one in due:
        old = one.policies.overlap is Overlap.CANCEL_OLD and one.live
        if old and one.ready(turn.now_ms):
            by_tenant.setdefault(one.row["tenant_id"], []).append(one.row["last_run_id"])
            one.live = False
    for tenant_id, ids in by_tenant.items():
        cancelling = CancelTasks(tenant_id, ids, reason="The next tick of its cron came")
        await loader.command(cancelling)
        cancel.cancel(turn, cancelling)


def _fire_cron(turn: Turn, due: _Due) -> None:
    """The ticks of one cron that are due, then on to the next one."""
    row, policies = due.row, due.policies
    last_tick_ms, last_run_id = row["last_tick_ms"], row["last_run_id"]
    error: str | None = None
    waiting = False
    paused = turn.hot.pauses.of_workflow(row["workflow_id"])
    dropped = paused is not None and paused.drop_crons
    for _ in range(TICKS_AT_ONCE):
        if due.tick_ms is None or not due.ready(turn.now_ms):
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
    turn.plan.crons[row["id"]] = (
        row["id"],
        due.tick_ms,
        fire_ms,
        waiting,
        last_tick_ms,
        last_run_id,
        error,
        None if error is None else turn.now_ms,
    )
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


def _fire_scheduled(turn: Turn, row: asyncpg.Record) -> None:
    try:
        run_id, error = start_scheduled(turn, row["tenant_id"], row), None
    except Refused as refused:
        run_id, error = None, refused.message
    turn.plan.scheduled.append((row["id"], run_id, error))
