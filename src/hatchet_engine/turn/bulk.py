"""Cancelling or replaying many runs: a bounded step in each turn, calm traffic in between.

The operation is a row with a cursor, moved in the same transaction as the step, so that it goes on
where it was after any failure or restart.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

import asyncpg
import orjson

from hatchet_engine.domain.errors import invalid
from hatchet_engine.store import bulk as store
from hatchet_engine.turn import cancel, replay
from hatchet_engine.turn.commands import (
    BulkProgress,
    CancelTasks,
    ReplayTasks,
    StartBulk,
)
from hatchet_engine.turn.load import FINAL, LIVE, Loader
from hatchet_engine.turn.operations import Operation
from hatchet_engine.turn.state import Turn
from hatchet_engine.turn.times import from_ms

KINDS = {"CANCEL": LIVE, "REPLAY": FINAL}
STEP_CHILDREN_MAX = 2_000  # cancelled in one turn, with their parents; of one parent more


async def start(connection: asyncpg.Connection, turn: Turn, command: StartBulk) -> BulkProgress:
    """Store the operation; its steps follow, one in each turn."""
    if command.kind not in KINDS:
        raise invalid(f"kind: is CANCEL or REPLAY, not {command.kind!r}", field="kind")
    if command.children and command.kind != "CANCEL":
        raise invalid(
            "includeChildren: is for CANCEL only; replayed parents find their children again",
            field="includechildren",
        )
    # What comes later is not part of it.
    until_ms = turn.now_ms
    if command.filter.until_ms is not None:
        until_ms = min(until_ms, command.filter.until_ms)
    chosen = replace(command.filter, until_ms=until_ms)
    most = turn.limits.bulk_runs_max
    loader = Loader(connection, turn)
    found = await loader.selected(command.tenant_id, chosen, most + 1, KINDS[command.kind])
    if len(found) > most:
        raise invalid(
            f"filter: selects more than {most} runs; narrow it, for example by its times",
            field="filter",
        )
    operation = Operation(
        turn.ids.new(turn.now_ms),
        command.tenant_id,
        command.kind,
        chosen,
        command.children,
        command.reason,
        None,
        len(found),
        0,
        0,
    )
    now = from_ms(turn.now_ms)
    await store.insert(
        connection,
        operation.id,
        operation.tenant_id,
        operation.kind,
        orjson.dumps(chosen, default=str).decode(),  # ids as asyncpg makes them
        operation.children,
        operation.reason,
        operation.total,
        now,
        None if found else now,
    )
    if found:
        turn.hot.bulk.append(operation)
    return BulkProgress(operation.id, operation.total, 0, 0)


async def step(connection: asyncpg.Connection, turn: Turn) -> None:
    """The next runs of the oldest operation."""
    operation = turn.hot.bulk[0]
    most = turn.limits.bulk_step_runs
    loader = Loader(connection, turn)
    ids = await loader.selected(
        operation.tenant_id,
        operation.filter,
        most,
        KINDS[operation.kind],
        after=operation.cursor,
    )
    over = len(ids) < most
    if ids:
        taken = await _apply(turn, loader, operation, ids)
        over = over and taken == len(ids)
        operation.done += taken
        operation.cursor = ids[taken - 1] if taken else operation.cursor
    finished_at = from_ms(turn.now_ms) if over else None
    turn.plan.bulk = (
        operation.id,
        operation.cursor,
        operation.done,
        operation.changed,
        finished_at,
    )
    if over:
        turn.hot.bulk.pop(0)


async def give_up(
    connection: asyncpg.Connection, operation: Operation, now: datetime, error: Exception
) -> None:
    """End an operation whose next step can't be done; what it has done stays."""
    await store.give_up(connection, operation.id, now, f"{type(error).__name__}: {error}")


async def _apply(turn: Turn, loader: Loader, operation: Operation, ids: list[UUID]) -> int:
    """Do it to these runs, or to the first of them; to how many."""
    if operation.kind == "CANCEL":
        taken, cancelling = await _cancel_command(turn, loader, operation, ids)
        part = ids[0] not in turn.loaded[id(cancelling)][0]  # it has spawned more than fit in
        changed = len(cancel.cancel(turn, cancelling))
        operation.changed += changed
        return 0 if part and changed else taken
    replaying = ReplayTasks(operation.tenant_id, ids, lenient=True)
    await loader.command(replaying)
    operation.changed += len(replay.replay(turn, replaying))
    return len(ids)


async def _cancel_command(
    turn: Turn, loader: Loader, operation: Operation, ids: list[UUID]
) -> tuple[int, CancelTasks]:
    """The command for as many runs as have, with what they have spawned, enough for one turn; it
    is loaded already."""
    taken = len(ids)
    while True:
        command = CancelTasks(
            operation.tenant_id,
            ids[:taken],
            reason=operation.reason,
            children=operation.children,
            in_parts=True,
        )
        await loader.command(command)
        if taken == 1 or len(turn.loaded[id(command)][0]) <= max(taken, STEP_CHILDREN_MAX):
            return taken, command
        del turn.loaded[id(command)]
        taken //= 2
