"""Event filters (E-17 to E-24). Changes are rare, so they write within the turn's transaction."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg

from hatchet_engine.domain.definition import WorkflowDefinition
from hatchet_engine.domain.errors import invalid, not_found
from hatchet_engine.domain.expressions import FILTER, ExpressionError, compile
from hatchet_engine.domain.payloads import check_object
from hatchet_engine.store import filters as store
from hatchet_engine.turn.commands import ChangeFilter, CreateFilter, DeleteFilter, Filter
from hatchet_engine.turn.state import Hot, Turn
from hatchet_engine.turn.times import from_ms, to_ms


async def create(connection: asyncpg.Connection, turn: Turn, command: CreateFilter) -> Filter:
    known = turn.hot.definitions.latest.values()
    if not any(
        one.tenant_id == command.tenant_id and one.workflow_id == command.workflow_id
        for one in known
    ):
        raise not_found(f"workflowId: there is no workflow {command.workflow_id}")
    made = Filter(
        turn.ids.new(turn.now_ms),
        command.tenant_id,
        command.workflow_id,
        command.scope,
        command.expression,
        command.payload or "{}",
        False,
        turn.now_ms,
        turn.now_ms,
    )
    _check(turn, made)
    await _insert(connection, turn.hot, made)
    return made


async def change(connection: asyncpg.Connection, turn: Turn, command: ChangeFilter) -> Filter:
    old = _known(turn.hot, command.tenant_id, command.filter_id)
    new = replace(
        old,
        scope=old.scope if command.scope is None else command.scope,
        expression=old.expression if command.expression is None else command.expression,
        payload=old.payload if command.payload is None else command.payload,
        updated_ms=turn.now_ms,
    )
    _check(turn, new)
    now = from_ms(turn.now_ms)
    await store.update(connection, new.id, new.scope, new.expression, new.payload, now)
    turn.hot.add_filter(new)
    return new


async def delete(connection: asyncpg.Connection, turn: Turn, command: DeleteFilter) -> Filter:
    old = _known(turn.hot, command.tenant_id, command.filter_id)
    await store.delete(connection, old.id)
    del turn.hot.filters[old.workflow_id][old.id]
    return old


async def declare(
    connection: asyncpg.Connection,
    turn: Turn,
    tenant_id: UUID,
    workflow_id: UUID,
    definition: WorkflowDefinition,
) -> None:
    """Filters of a new version replace those of the one before (E-22)."""
    await store.delete_declarative(connection, workflow_id)
    present = turn.hot.filters.get(workflow_id, {})
    for old in [one for one in present.values() if one.declarative]:
        del present[old.id]
    for entry in definition.default_filters:
        made = Filter(
            turn.ids.new(turn.now_ms),
            tenant_id,
            workflow_id,
            entry.scope,
            entry.expression,
            entry.payload or "{}",
            True,
            turn.now_ms,
            turn.now_ms,
        )
        await _insert(connection, turn.hot, made)


def filter_from_row(row: Any) -> Filter:
    return Filter(
        row["id"],
        row["tenant_id"],
        row["workflow_id"],
        row["scope"],
        row["expression"],
        row["payload"],
        row["declarative"],
        to_ms(row["created_at"]),
        to_ms(row["updated_at"]),
    )


async def _insert(connection: asyncpg.Connection, hot: Hot, made: Filter) -> None:
    await store.insert(
        connection,
        made.id,
        made.tenant_id,
        made.workflow_id,
        made.scope,
        made.expression,
        made.payload,
        made.declarative,
        from_ms(made.created_ms),
    )
    hot.add_filter(made)


def _check(turn: Turn, filter_: Filter) -> None:
    limits = turn.limits
    if len(filter_.scope) > limits.event_scope_length_max or "\x00" in filter_.scope:
        raise invalid(
            f"scope: must have at most {limits.event_scope_length_max} characters", field="scope"
        )
    check_object(filter_.payload, "payload", limits.metadata_bytes_max)
    try:
        compile(filter_.expression, FILTER)
    except ExpressionError as error:
        raise invalid(f"expression: {error}", field="expression") from None


def _known(hot: Hot, tenant_id: UUID, filter_id: UUID) -> Filter:
    for of_workflow in hot.filters.values():
        found = of_workflow.get(filter_id)
        if found is not None and found.tenant_id == tenant_id:
            return found
    raise not_found(f"there is no filter {filter_id}")
