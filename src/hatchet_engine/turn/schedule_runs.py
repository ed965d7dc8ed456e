"""The run that a cron or a schedule makes: by the way of any other run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from hatchet_engine.domain.errors import Code, Refused, invalid
from hatchet_engine.domain.payloads import EMPTY_OBJECT, check_object
from hatchet_engine.domain.states import PRIORITY_MAX, PRIORITY_MIN
from hatchet_engine.turn import trigger
from hatchet_engine.turn.commands import TriggerItem, TriggerRuns
from hatchet_engine.turn.definitions import Version
from hatchet_engine.turn.idempotency import KeyTaken
from hatchet_engine.turn.schedule_commands import BEFORE_ALL
from hatchet_engine.turn.state import Limits, Turn


async def ask_keys(
    connection: asyncpg.Connection, turn: Turn, rows: Iterable[tuple[UUID, Any]]
) -> None:
    """Find out who holds the idempotency keys of the runs that these rows, each with its tenant,
    may make."""
    for tenant_id, row in rows:
        version = version_of(turn, tenant_id, row["workflow"])
        if version is not None and version.definition.idempotency is not None:
            turn.keys.ask(version, row["input"], row["metadata"])
    await turn.keys.read(connection)


def start_cron(turn: Turn, tenant_id: UUID, row: Any, tick_ms: int) -> UUID:
    """A run for a tick (CR-6). Raises ``Refused`` when the workflow can't be run."""
    noted = {
        "hatchet__cron_expression": row["expression"],
        "hatchet__cron_name": row["name"],
        "hatchet__cron_scheduled_at": rfc3339(tick_ms),
    }
    return _start(turn, tenant_id, row, noted, {"cron_id": str(row["id"])})


def start_scheduled(turn: Turn, tenant_id: UUID, row: Any) -> UUID:
    """The run of a schedule. Raises ``Refused`` when the workflow can't be run."""
    return _start(turn, tenant_id, row, {}, {"scheduled_id": str(row["id"])})


def _start(
    turn: Turn, tenant_id: UUID, row: Any, noted: Mapping[str, str], cause: Mapping[str, str]
) -> UUID:
    item = TriggerItem(row["workflow"], row["input"], row["metadata"] or "", row["priority"])
    (new_run,) = trigger.check(turn, TriggerRuns(tenant_id, (item,)))
    if new_run.version.definition.idempotency is not None:
        new_run.key = _key(turn, new_run.version, row)
    if noted:
        values = {**orjson.loads(new_run.metadata or EMPTY_OBJECT), **noted}
        new_run.metadata = orjson.dumps(values).decode()
    new_run.trigger = orjson.dumps(cause).decode()
    try:
        return trigger.create(turn, tenant_id, new_run)
    except KeyTaken as taken:
        raise Refused(Code.ALREADY_EXISTS, f"{taken}: run {taken.holder} has its key") from None


def _key(turn: Turn, version: Version, row: Any) -> str:
    try:
        return turn.keys.of(version, row["input"], row["metadata"])
    except ValueError as error:
        raise invalid(f"idempotency key: {error}") from None


def version_of(turn: Turn, tenant_id: UUID, workflow: str) -> Version | None:
    return turn.hot.definitions.latest.get((tenant_id, workflow))


def check_run(
    limits: Limits, input: str, metadata: str, priority: int | None
) -> tuple[str, str | None]:
    """Input and metadata as stored; raises ``Refused`` naming the field (SC-1)."""
    if priority is not None and not PRIORITY_MIN <= priority <= PRIORITY_MAX:
        raise invalid(f"priority must be between 1 and 3, got {priority}", field="priority")
    text = check_object(input, "input", limits.payload_bytes_max)
    noted = check_object(metadata, "additionalMetadata", limits.metadata_bytes_max)
    return text, None if noted == EMPTY_OBJECT else noted


def rfc3339(at_ms: int) -> str:
    """Whole seconds, as the planned times of crons are.

    >>> rfc3339(0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(at_ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def look_at_scheduled(turn: Turn, due_ms: int) -> None:
    """The same for a scheduled run, also for one of the past."""
    turn.hot.scheduled_seen = min(turn.hot.scheduled_seen, (due_ms, BEFORE_ALL))
    look_at(turn, due_ms)


def look_at_held(turn: Turn) -> None:
    """A pause holds scheduled runs no more, whose time may have come long ago."""
    look_at_scheduled(turn, 0)


def look_at(turn: Turn, due_ms: int | None) -> None:
    """Have the loop wake when something new is due."""
    earliest = turn.hot.next_schedule_ms
    if due_ms is not None and (earliest is None or due_ms < earliest):
        turn.hot.next_schedule_ms = due_ms
