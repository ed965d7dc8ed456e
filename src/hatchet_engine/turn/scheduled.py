"""Scheduled runs (SC-*): made, moved, deleted and triggered within the turn's transaction."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from hatchet_engine.domain.errors import Code, Refused, invalid, not_found
from hatchet_engine.store import schedules as store
from hatchet_engine.turn.schedule_commands import (
    Changed,
    DeleteScheduled,
    RescheduleRuns,
    Scheduled,
    ScheduleRuns,
    TriggerScheduled,
)
from hatchet_engine.turn.schedule_runs import (
    ask_keys,
    check_run,
    look_at_scheduled,
    start_scheduled,
    version_of,
)
from hatchet_engine.turn.state import Turn
from hatchet_engine.turn.times import from_ms

SCHEDULES_MAX = 10_000  # times in one call
BYTES_MAX = 64 * 1024 * 1024  # of input and metadata of one call: each time has its own copy
DUE_MAX_MS = 253_402_214_400_000  # the last day that a timestamp can show in every zone
DELETED_AT_ONCE = 500
UNKNOWN = "Scheduled workflow not found."
TRIGGERED = "Scheduled workflow run has already been triggered"
BY_CODE = "Cannot change a scheduled run that was created by code"


async def create(connection: asyncpg.Connection, turn: Turn, command: ScheduleRuns) -> Scheduled:
    version = version_of(turn, command.tenant_id, command.workflow)
    if version is None:
        raise not_found(f"workflow not found: {command.workflow!r}")
    input, metadata = _checked(turn, command)
    rows = [
        (turn.ids.new(turn.now_ms), min(max(due_ms, 0), DUE_MAX_MS)) for due_ms in command.due_ms
    ]
    if rows:
        await store.scheduled_insert_many(
            connection,
            rows,
            command.tenant_id,
            version.workflow_id,
            input,
            metadata,
            command.priority,
            command.declarative,
            command.parent_run_id,
            command.parent_task_id,
            command.child_index,
            command.child_key,
            from_ms(turn.now_ms),
        )
        look_at_scheduled(turn, min(due_ms for _, due_ms in rows))
    return Scheduled(
        version.workflow_id,
        version.id,
        version.number,
        version.created_ms,
        [id_ for id_, _ in rows],
    )


def _checked(turn: Turn, command: ScheduleRuns) -> tuple[str, str | None]:
    """Input and metadata as stored; raises ``Refused`` naming the field."""
    times = len(command.due_ms)
    if times > SCHEDULES_MAX:
        raise invalid(
            f"schedules: {times} times in one call, the limit is {SCHEDULES_MAX}; split the call",
            field="schedules",
        )
    key = command.child_key or ""
    if len(key) > turn.limits.child_key_length_max or "\x00" in key:
        raise invalid("child_key: is too long or holds the null character", field="child_key")
    input, metadata = check_run(turn.limits, command.input, command.metadata, command.priority)
    size = len(input.encode()) + len((metadata or "").encode())
    if size * times > BYTES_MAX:
        raise invalid(
            f"schedules: {times} times with {size} bytes of input and metadata each; the limit is "
            f"{BYTES_MAX} bytes in one call; split the call",
            field="schedules",
        )
    return input, metadata


async def reschedule(
    connection: asyncpg.Connection, turn: Turn, command: RescheduleRuns
) -> Changed:
    moves = {id_: min(max(due_ms, 0), DUE_MAX_MS) for id_, due_ms in command.moves}
    changed = await _changeable(connection, command.tenant_id, list(moves))
    if changed.ids:
        rows = [(id_, moves[id_]) for id_ in changed.ids]
        await store.scheduled_move_many(connection, rows, from_ms(turn.now_ms))
        look_at_scheduled(turn, min(due_ms for _, due_ms in rows))
    return changed


async def delete(connection: asyncpg.Connection, turn: Turn, command: DeleteScheduled) -> Changed:
    ids = list(dict.fromkeys(command.ids))
    chosen = command.filter
    if chosen is not None:
        found = await store.scheduled_select(
            connection,
            command.tenant_id,
            chosen.workflow_id,
            chosen.parent_run_id,
            chosen.parent_task_id,
            chosen.metadata,
            command.after,
            DELETED_AT_ONCE,
        )
        ids = [row["id"] for row in found]
    changed = await _changeable(connection, command.tenant_id, ids, fired_too=True)
    if changed.ids:
        await store.scheduled_delete_many(connection, changed.ids)
    return changed


async def trigger(connection: asyncpg.Connection, turn: Turn, command: TriggerScheduled) -> UUID:
    row = await store.scheduled_get(connection, command.tenant_id, command.scheduled_id)
    if row is None:
        raise not_found(f"scheduled workflow run not found: {command.scheduled_id}")
    if row["fired_ms"] is not None:
        raise Refused(Code.FAILED_PRECONDITION, TRIGGERED)
    await ask_keys(connection, turn, [(command.tenant_id, row)])
    run_id = start_scheduled(turn, command.tenant_id, row)
    await store.scheduled_fired(connection, row["id"], run_id, None, turn.now_ms)
    return run_id


async def _changeable(
    connection: asyncpg.Connection, tenant_id: UUID, ids: list[UUID], *, fired_too: bool = False
) -> Changed:
    """Which of these may be changed over REST, and why the others may not (SC-7, SC-8)."""
    if not ids:
        return Changed((), ())
    found = await store.scheduled_get_many(connection, tenant_id, ids)
    good, errors = [], []
    for id_ in ids:
        row = found.get(id_)
        if row is None:
            errors.append((id_, UNKNOWN))
        elif row["declarative"]:
            errors.append((id_, BY_CODE))
        elif row["fired_ms"] is not None and not fired_too:
            errors.append((id_, TRIGGERED))
        else:
            good.append(id_)
    return Changed(good, errors)
