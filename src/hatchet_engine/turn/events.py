"""Events: they trigger runs and meet the conditions of waiting tasks (E-*)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from hatchet_engine.domain.errors import Refused, invalid
from hatchet_engine.domain.event_keys import matches
from hatchet_engine.domain.expressions import FILTER, EvaluationError, ExpressionError, compile
from hatchet_engine.domain.payloads import EMPTY_OBJECT, check_object
from hatchet_engine.domain.states import PRIORITY_DEFAULT, PRIORITY_MAX, PRIORITY_MIN, EventKind
from hatchet_engine.turn.begin import holds
from hatchet_engine.turn.children import RESERVED
from hatchet_engine.turn.commands import Filter, NewEvent, PushedEvent, PushEvents
from hatchet_engine.turn.definitions import Version
from hatchet_engine.turn.idempotency import KeyTaken
from hatchet_engine.turn.state import Hit, Limits, Turn
from hatchet_engine.turn.trigger import NewRun, create
from hatchet_engine.turn.waiting import step_of

SOURCE_KEYS = ("hatchet__source_workflow_run_id", "hatchet__source_step_run_id")


def push(turn: Turn, command: PushEvents) -> list[PushedEvent]:
    """Take in the events of one call, all or none."""
    waits: dict[str, list[asyncpg.Record]] = turn.loaded.pop(id(command))
    if len(command.events) > turn.limits.events_max:
        raise invalid(
            f"events: {len(command.events)} in one call, the limit is {turn.limits.events_max}; "
            "split the call",
            field="events",
        )
    checked = [_check(event, turn.limits, at) for at, event in enumerate(command.events)]
    return [_take_in(turn, command.tenant_id, event, waits.get(event.key, [])) for event in checked]


def _check(event: NewEvent, limits: Limits, index: int) -> NewEvent:
    """The event as it is stored, or ``Refused`` naming the field (E-2, E-4)."""
    for field, text, most in (
        ("key", event.key, limits.event_key_length_max),
        ("scope", event.scope or "", limits.event_scope_length_max),
    ):
        if len(text) > most or "\x00" in text:
            raise invalid(
                f"{field}: must have at most {most} characters and no null character",
                field=field,
                index=index,
            )
    if not event.key:
        raise invalid("key: an event needs a key", field="key", index=index)
    priority = event.priority
    if priority is not None and not PRIORITY_MIN <= priority <= PRIORITY_MAX:
        raise invalid(
            f"priority must be between 1 and 3, got {priority}", field="priority", index=index
        )
    payload = check_object(event.payload, "payload", limits.payload_bytes_max, index=index)
    metadata = check_object(
        event.metadata, "additional_metadata", limits.metadata_bytes_max, index=index
    )
    return NewEvent(
        event.key,
        payload,
        "" if metadata == EMPTY_OBJECT else metadata,
        priority,
        event.scope or None,
        event.source,
    )


def _take_in(
    turn: Turn, tenant_id: UUID, event: NewEvent, waits: list[asyncpg.Record]
) -> PushedEvent:
    event_id = turn.ids.new(turn.now_ms)
    turn.plan.new_events.append(
        (
            tenant_id,
            event_id,
            event.key,
            event.scope,
            event.payload,
            event.metadata or None,
            event.priority,
            event.source,
        )
    )
    run_ids = []
    for version, filter_ in _triggered(turn, tenant_id, event, event_id):
        new_run = _run(version, event, event_id, filter_)
        if version.definition.idempotency is None or _set_key(turn, new_run, event):
            # An event whose run exists already triggers nothing (ID-9).
            with suppress(KeyTaken):
                run_ids.append(create(turn, tenant_id, new_run))
    for row in waits:
        _meet(turn, row, event, event_id)
    return PushedEvent(event_id, turn.now_ms, run_ids)


def ask_keys(turn: Turn, command: PushEvents) -> None:
    """Ask for the idempotency keys of all runs that the events of a call may trigger. A call that
    will be refused asks for nothing."""
    triggered_by = turn.hot.definitions.triggered_by
    for at, sent in enumerate(command.events):
        found = triggered_by(command.tenant_id, sent.key, matches)
        keyed = [version for version in found if version.definition.idempotency is not None]
        if not keyed:
            continue
        try:
            event = _check(sent, turn.limits, at)
        except Refused:
            return
        for version in keyed:
            turn.keys.ask(version, event.payload, event.metadata)


def _set_key(turn: Turn, new_run: NewRun, event: NewEvent) -> bool:
    """Whether the run has the key it needs; if not, that is recorded (ID-8). The key is made of
    what was sent: the metadata that a run gets of its event would tell all events apart."""
    version = new_run.version
    try:
        new_run.key = turn.keys.of(version, event.payload, event.metadata)
    except ValueError as error:
        failure_id = turn.ids.new(turn.now_ms)
        text = f"idempotency key of workflow {version.name!r}, event {event.key!r}: {error}"
        turn.plan.expression_failures.append((version.tenant_id, failure_id, "IDEMPOTENCY", text))
        return False
    return True


def _triggered(
    turn: Turn, tenant_id: UUID, event: NewEvent, event_id: UUID
) -> Iterator[tuple[Version, Filter | None]]:
    """Workflows to run, each with the filter that let the event pass (E-17 to E-21). A workflow
    two of whose patterns match runs once."""
    for version in turn.hot.definitions.triggered_by(tenant_id, event.key, matches):
        filters = turn.hot.filters.get(version.workflow_id)
        if not filters:
            yield version, None
            continue
        for filter_ in list(filters.values()):
            if filter_.scope == event.scope and _passes(turn, filter_, event, event_id):
                yield version, filter_


def _passes(turn: Turn, filter_: Filter, event: NewEvent, event_id: UUID) -> bool:
    variables: dict[str, Any] = {
        "input": orjson.loads(event.payload),
        "additional_metadata": orjson.loads(event.metadata or "{}"),
        "payload": orjson.loads(filter_.payload),
        "event_id": str(event_id),
        "event_key": event.key,
    }
    try:
        return bool(compile(filter_.expression, FILTER).evaluate(variables))
    except (ExpressionError, EvaluationError) as error:
        failure_id = turn.ids.new(turn.now_ms)
        text = f"filter {filter_.id}, event {event_id}: {error}"
        turn.plan.expression_failures.append((filter_.tenant_id, failure_id, "FILTER", text))
        return False


def _run(version: Version, event: NewEvent, event_id: UUID, filter_: Filter | None) -> NewRun:
    """The run that an event causes (E-14)."""
    values = {
        key: value
        for key, value in orjson.loads(event.metadata or "{}").items()
        if not key.startswith(RESERVED) or key in SOURCE_KEYS
    }
    values["hatchet__event_id"] = str(event_id)
    values["hatchet__event_key"] = event.key
    cause = f'{{"event_id":"{event_id}","event_key":{orjson.dumps(event.key).decode()}'
    if filter_ is not None:
        cause += f',"filter_id":"{filter_.id}","filter_payload":{filter_.payload}'
    return NewRun(
        version,
        event.payload,
        orjson.dumps(values).decode(),
        event.priority or version.definition.default_priority or PRIORITY_DEFAULT,
        None,
        trigger=cause + "}",
        filter_payload=None if filter_ is None else filter_.payload,
    )


def _meet(turn: Turn, row: asyncpg.Record, event: NewEvent, event_id: UUID) -> None:
    """An event and one condition that waits for its key (E-26 to E-28)."""
    if row["event_scope"] is not None and row["event_scope"] != event.scope:
        return
    condition = step_of(turn.hot, row).conditions[row["position"]]
    try:
        met = holds(condition.expression, lambda: orjson.loads(event.payload), output=False)
    except (ExpressionError, EvaluationError) as error:
        met = False
        turn.plan.event(
            EventKind.CONDITION_FAILED,
            row["tenant_id"],
            row["task_id"],
            0,
            None,
            f"event condition {condition.data_key!r}: {error}",
        )
    if met:
        turn.hits.append(
            Hit(
                row["task_id"],
                row["run_id"],
                row["tenant_id"],
                row["position"],
                event.payload,
                event_id,
            )
        )
