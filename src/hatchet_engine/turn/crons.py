"""Crons (CR-*, REG-16). Changes are rare, so they write within the turn's transaction."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg

from hatchet_engine.domain.calendar import (
    CatchUp,
    CronText,
    Overlap,
    Policies,
    Ticks,
    check_policies,
    check_zone,
    first_tick,
    jittered_ms,
    parse,
    ticks_of,
)
from hatchet_engine.domain.errors import invalid, not_found
from hatchet_engine.store import schedules as store
from hatchet_engine.turn.definitions import Version
from hatchet_engine.turn.schedule_commands import CreateCron, DeleteCron, EnableCron, TriggerCron
from hatchet_engine.turn.schedule_runs import ask_keys, check_run, look_at, start_cron, version_of
from hatchet_engine.turn.state import Turn
from hatchet_engine.turn.times import from_ms

CRON_NAME_LENGTH_MAX = 255
REFUSED = "error creating cron trigger"


async def create(connection: asyncpg.Connection, turn: Turn, command: CreateCron) -> UUID:
    version = version_of(turn, command.tenant_id, command.workflow)
    if version is None:
        raise invalid(f"workflow not found: {command.workflow!r}", field="workflow")
    name = command.name
    if not name:
        raise invalid("cron name is required", field="cronname")
    if len(name) > CRON_NAME_LENGTH_MAX or "\x00" in name:
        raise invalid(
            f"cronName: must have at most {CRON_NAME_LENGTH_MAX} characters and no null character",
            field="cronname",
        )
    _check_options(command.policies)
    try:
        text = parse(command.expression, command.policies)
    except ValueError as error:
        raise invalid(f"{REFUSED}: cronExpression: {error}", field="cronexpression") from None
    input, metadata = check_run(turn.limits, command.input, command.metadata, command.priority)
    if await store.cron_exists(connection, version.workflow_id, name, command.expression):
        raise invalid(
            "cron trigger with that name-expression pair already exists", field="cronname"
        )
    return await _insert(
        connection,
        turn,
        version,
        text,
        (name, command.expression),
        (input, metadata, command.priority),
        declarative=False,
    )


def _check_options(policies: Policies) -> None:
    """Those that do not stand in the expression."""
    try:
        check_zone(policies.zone)
    except ValueError as error:
        raise invalid(f"{REFUSED}: zone: {error}", field="zone") from None
    try:
        check_policies(policies)
    except ValueError as error:
        option = str(error).partition(":")[0]
        raise invalid(f"{REFUSED}: {error}", field=option.replace("_", "")) from None


async def declare(connection: asyncpg.Connection, turn: Turn, version: Version) -> None:
    """Crons of a new version replace those of the one before (REG-16). An expression that stays
    keeps its cron: no tick is lost, and one that was disabled stays so."""
    definition = version.definition
    input = definition.cron_input or "{}"
    gone = await store.cron_declared(connection, version.workflow_id)
    for expression in dict.fromkeys(definition.cron_triggers):
        known = gone.pop(expression, None)
        if known is not None:
            await store.cron_set_input(connection, known, input, from_ms(turn.now_ms))
            continue
        await _insert(
            connection,
            turn,
            version,
            parse(expression),
            ("", expression),
            (input, None, None),
            declarative=True,
        )
    if gone:
        await store.cron_delete_many(connection, list(gone.values()))


async def enable(connection: asyncpg.Connection, turn: Turn, command: EnableCron) -> None:
    row = await _known(connection, command.tenant_id, command.cron_id)
    if row["enabled"] == command.enabled:
        return
    tick_ms, fire_ms = None, None
    if command.enabled:
        try:
            ticks = ticks_of_cron(row)
        except ValueError as error:
            raise invalid(f"cron: {error}; delete it and make it anew") from None
        tick_ms, fire_ms = _first(turn, row["id"], ticks, policies_of(row))
        look_at(turn, fire_ms)
    now = from_ms(turn.now_ms)
    await store.cron_set_enabled(connection, row["id"], command.enabled, tick_ms, fire_ms, now)


async def delete(connection: asyncpg.Connection, turn: Turn, command: DeleteCron) -> None:
    if not await store.cron_delete(connection, command.tenant_id, command.cron_id):
        raise not_found(f"there is no cron {command.cron_id}")


async def trigger(connection: asyncpg.Connection, turn: Turn, command: TriggerCron) -> UUID:
    row = await _known(connection, command.tenant_id, command.cron_id)
    await ask_keys(connection, turn, [(command.tenant_id, row)])
    return start_cron(turn, command.tenant_id, row, turn.now_ms)


def policies_of(row: Any) -> Policies:
    """The options of a stored cron."""
    return Policies(
        row["zone"],
        CatchUp(row["catch_up"]),
        row["catch_up_max"],
        Overlap(row["overlap"]),
        row["jitter_ms"],
        row["start_ms"],
        row["end_ms"],
    )


def ticks_of_cron(row: Any) -> Ticks:
    """When a stored cron is due. Raises ``ValueError`` when its text means nothing any more: zones
    come and go with the database of the system (CR-10)."""
    return ticks_of(parse(row["expression"]).fields, check_zone(row["zone"]))


async def _insert(
    connection: asyncpg.Connection,
    turn: Turn,
    version: Version,
    text: CronText,
    named: tuple[str, str],
    run: tuple[str, str | None, int | None],
    *,
    declarative: bool,
) -> UUID:
    policies = text.policies
    cron_id = turn.ids.new(turn.now_ms)
    ticks = ticks_of(text.fields, policies.zone)
    tick_ms, fire_ms = _first(turn, cron_id, ticks, policies)
    await store.cron_insert(
        connection,
        cron_id,
        version.tenant_id,
        version.workflow_id,
        *named,
        policies.zone,
        policies.catch_up.value,
        policies.catch_up_max,
        policies.overlap.value,
        policies.jitter_ms,
        policies.start_ms,
        policies.end_ms,
        *run,
        declarative,
        True,
        tick_ms,
        fire_ms,
        from_ms(turn.now_ms),
    )
    look_at(turn, fire_ms)
    return cron_id


def _first(
    turn: Turn, cron_id: UUID, ticks: Ticks, policies: Policies
) -> tuple[int | None, int | None]:
    """The first tick and when it is fired."""
    tick_ms = first_tick(ticks, policies, turn.now_ms)
    if tick_ms is None:
        return None, None
    return tick_ms, jittered_ms(cron_id, tick_ms, policies.jitter_ms)


async def _known(connection: asyncpg.Connection, tenant_id: UUID, cron_id: UUID) -> Any:
    row = await store.cron_get(connection, tenant_id, cron_id)
    if row is None:
        raise not_found(f"there is no cron {cron_id}")
    return row
