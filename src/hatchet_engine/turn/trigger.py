"""New runs (TR-*)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import orjson

from hatchet_engine.domain.errors import invalid
from hatchet_engine.domain.labels import DesiredLabel
from hatchet_engine.domain.payloads import EMPTY_OBJECT, check_object
from hatchet_engine.domain.states import PRIORITY_DEFAULT, PRIORITY_MAX, PRIORITY_MIN
from hatchet_engine.turn.commands import TriggerItem, TriggerRuns
from hatchet_engine.turn.definitions import Version
from hatchet_engine.turn.deliveries import RunEvent
from hatchet_engine.turn.lifecycle import enqueue
from hatchet_engine.turn.plan import NewTask
from hatchet_engine.turn.queues import Payload
from hatchet_engine.turn.state import Limits, Turn


@dataclass(slots=True)
class NewRun:
    """An item that passed all checks."""

    version: Version
    input: str
    metadata: str | None
    priority: int
    demand: str | None
    item: TriggerItem


def trigger(turn: Turn, command: TriggerRuns) -> list[UUID]:
    """Create the runs of one call, all or none; returns their ids in order."""
    new_runs = check(turn, command)
    ids = [_create(turn, command.tenant_id, new_run) for new_run in new_runs]
    if command.subscriber is not None:
        turn.subscriptions.append((command.tenant_id, command.subscriber, ids))
    return ids


def check(turn: Turn, command: TriggerRuns) -> list[NewRun]:
    """Look at every item before anything is created (TR-4, TR-7)."""
    limits = turn.limits
    items = command.items
    if len(items) > limits.trigger_items_max:
        raise invalid(
            f"workflows: {len(items)} runs in one call, the limit is {limits.trigger_items_max}; "
            "split the call",
            field="workflows",
        )
    latest = turn.hot.definitions.latest
    tenant_id = command.tenant_id
    unknown = {item.workflow for item in items if (tenant_id, item.workflow) not in latest}
    if unknown:
        raise invalid(
            "workflow names not found: "
            + ", ".join(sorted(unknown))
            + " (start a worker that registers it, or check the name and the namespace)",
            field="name",
        )
    return [
        _check_item(latest[tenant_id, item.workflow], item, limits, index)
        for index, item in enumerate(items)
    ]


def _check_item(version: Version, item: TriggerItem, limits: Limits, index: int) -> NewRun:
    priority = item.priority
    if priority is None:
        priority = version.definition.default_priority or PRIORITY_DEFAULT
    elif not PRIORITY_MIN <= priority <= PRIORITY_MAX:
        raise invalid(
            f"priority must be between 1 and 3, got {priority}", field="priority", index=index
        )
    text = check_object(item.input, "input", limits.payload_bytes_max, index=index)
    metadata: str | None = None
    if item.metadata:
        metadata = check_object(
            item.metadata, "additional_metadata", limits.metadata_bytes_max, index=index
        )
        if metadata == EMPTY_OBJECT:
            metadata = None
    if item.child_key and len(item.child_key) > limits.child_key_length_max:
        raise invalid(
            f"child_key: is longer than {limits.child_key_length_max} characters",
            field="child_key",
            index=index,
        )
    if item.child_key and "\x00" in item.child_key:
        raise invalid(
            "child_key: holds the null character, which can't be stored",
            field="child_key",
            index=index,
        )
    demand = None
    if item.desired_worker_id is not None or item.desired_labels:
        demand = encode_demand(item.desired_worker_id, item.desired_labels)
    return NewRun(version, text, metadata, priority, demand, item)


def encode_demand(worker_id: UUID | None, labels: Mapping[str, DesiredLabel] | None) -> str:
    """What a run asks of its worker, as stored."""
    data: dict[str, object] = {}
    if worker_id is not None:
        data["worker_id"] = str(worker_id)
    if labels:
        data["labels"] = labels
    return orjson.dumps(data).decode()


def _create(turn: Turn, tenant_id: UUID, new_run: NewRun) -> UUID:
    version = new_run.version
    step = version.steps[0]
    item = new_run.item
    id = turn.ids.new(turn.now_ms)
    parent = item.parent_task_id
    # Without a parent an index means nothing: the Python SDK always sends 0.
    child_index = item.child_index if parent is not None else None
    child_key = item.child_key or None if parent is not None else None
    extra = None
    if parent is not None or new_run.demand is not None:
        extra = (parent, child_index, child_key, new_run.demand)
    turn.plan.tasks.append(
        NewTask(step, id, new_run.priority, new_run.input, new_run.metadata, extra)
    )
    payload = Payload(
        id,
        new_run.input,
        new_run.metadata or "",
        new_run.priority,
        turn.now_ms,
        parent,
        child_index,
        child_key,
    )
    enqueue(
        turn,
        task_id=id,
        tenant_id=tenant_id,
        step=step,
        priority=new_run.priority,
        demand=new_run.demand,
        payload=payload,
    )
    if turn.events is not None:
        turn.events.append(
            RunEvent(
                run_id=id,
                task_id=id,
                kind="STARTED",
                payload="",
                retry_count=0,
                index=None,
                at_ms=turn.now_ms,
            )
        )
    return id
