"""Takes tasks that hold no worker (queued or in backoff) out of their tables, by id."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

from hatchet_engine.domain.demand import read_demand
from hatchet_engine.domain.states import EventKind
from hatchet_engine.turn.definitions import Step, Version
from hatchet_engine.turn.entering import leave_line, leave_queue, stand_aside
from hatchet_engine.turn.lifecycle import end_waiting
from hatchet_engine.turn.lines import place_line, read_no_worker_line
from hatchet_engine.turn.queues import Queued
from hatchet_engine.turn.state import Hot, Turn

WHOLE_RUN = -1  # in place of a step: the row stands for a run that waits to begin


@dataclass(slots=True)
class Found:
    """What the tables say about some tasks; read before the turn decides."""

    queued: dict[UUID, asyncpg.Record] = field(default_factory=dict)
    delayed: dict[UUID, asyncpg.Record] = field(default_factory=dict)
    parked: dict[UUID, asyncpg.Record] = field(default_factory=dict)


def step_of(hot: Hot, row: asyncpg.Record) -> Step:
    """The definition a stored hot row runs under; its version was loaded with the row."""
    version: UUID = row["version_id"]
    position: int = row["step"]
    return hot.definitions.versions[version].steps[position]


def item_from_row(hot: Hot, row: asyncpg.Record) -> Queued:
    """A queued task as its row tells it."""
    item = _item(row, step_of(hot, row))
    item.stored = True
    item.round = row["round"]
    return item


def parked_from_row(hot: Hot, row: asyncpg.Record) -> Queued:
    """A parked task, or a run that waits to begin, as its row tells it."""
    version: Version = hot.definitions.versions[row["version_id"]]
    whole = row["step"] == WHOLE_RUN
    item = _item(row, version.steps[0 if whole else row["step"]])
    item.whole = whole
    item.shelved = True
    item.line = hot.lines.get(row["line"])
    item.told = read_no_worker_line(row["line"]) is not None
    places = item.demand.places if item.demand is not None else ()
    for stage, (rule, place) in enumerate(zip(item.rules, places, strict=False)):
        if place_line(rule.limit_id, place.key) == row["line"]:
            item.stage = stage
    return item


def _item(row: asyncpg.Record, step: Step) -> Queued:
    return Queued(
        row["task_id"],
        row["tenant_id"],
        step,
        row["rank"],
        row["attempt"],
        row["app_retries"],
        row["internal_retries"],
        row["queued_ms"],
        row["schedule_timeout_ms"],
        read_demand(row["demand"]),
        run_id=row["run_id"],
    )


def end_queued(turn: Turn, item: Queued, kind: EventKind, reason: str) -> None:
    """A task that waits in its queue, in a line or for a place ends as cancelled."""
    if item.line is not None:
        leave_line(turn, item)
    elif item.stored or item.task_id in turn.plan.queued:
        leave_queue(turn, item)
    item.gone = True
    stand_aside(turn, item)
    end_waiting(
        turn,
        tenant_id=item.tenant_id,
        task_id=item.task_id,
        run_id=item.run_id,
        step=item.step,
        attempt=item.attempt,
        kind=kind,
        reason=reason,
    )


def end_waiting_anywhere(
    turn: Turn, tenant_id: UUID, task_id: UUID, found: Found, reason: str
) -> bool:
    """Cancel a task that holds no worker, wherever it stands: only in this turn, or in a table.
    Each row is used once: something earlier in this turn may have ended or moved the task."""
    if end_new(turn, tenant_id, task_id, reason):
        return True
    row = found.parked.pop(task_id, None)
    if row is not None and task_id not in turn.moved:
        end_queued(turn, parked_item(turn.hot, row), EventKind.CANCELLED, reason)
        turn.moved.add(task_id)
        return True
    row = found.queued.pop(task_id, None)
    if row is not None and task_id not in turn.moved:
        queue = turn.hot.queues[row["queue_id"]]
        item = queue.items.get(task_id) or item_from_row(turn.hot, row)
        end_queued(turn, item, EventKind.CANCELLED, reason)
        turn.moved.add(task_id)
        return True
    row = found.delayed.pop(task_id, None)
    if row is not None and task_id not in turn.moved:
        end_delayed(turn, row, reason)
        turn.moved.add(task_id)
        return True
    return False


def parked_item(hot: Hot, row: asyncpg.Record) -> Queued:
    """The item of a row, from memory if it is there."""
    line = hot.lines.get(row["line"])
    return line.items.get(row["task_id"]) or parked_from_row(hot, row)


def forget_parked_run(turn: Turn, run_id: UUID, found: Found) -> None:
    """A run that waits to begin waits no more."""
    item = turn.plan.parked.get(run_id)
    row = found.parked.pop(run_id, None)
    if item is None and row is not None and run_id not in turn.plan.parked_removed:
        item = parked_item(turn.hot, row)
    if item is not None:
        leave_line(turn, item)
        item.gone = True
    for arrival in turn.arrivals:
        if arrival.task_id == run_id:
            arrival.gone = True
    turn.moved.add(run_id)


def end_new(turn: Turn, tenant_id: UUID, task_id: UUID, reason: str) -> bool:
    """A task that was queued, parked or put into backoff within this very turn is in no table yet,
    or in the wrong one."""
    for position, row in enumerate(turn.plan.delayed):
        if row[0] == task_id and row[3] == tenant_id:
            del turn.plan.delayed[position]
            version = turn.hot.definitions.versions[row[4]]
            end_waiting(
                turn,
                tenant_id=row[3],
                task_id=task_id,
                run_id=row[10] or task_id,
                step=version.steps[row[5]],
                attempt=row[6],
                kind=EventKind.CANCELLED,
                reason=reason,
            )
            return True
    item = turn.plan.queued.get(task_id) or turn.plan.parked.get(task_id)
    if item is None or item.gone:
        item = _on_its_way(turn, task_id)
    if item is None or item.gone or item.tenant_id != tenant_id:
        return False
    end_queued(turn, item, EventKind.CANCELLED, reason)
    return True


def _on_its_way(turn: Turn, task_id: UUID) -> Queued | None:
    """A task that comes to its batch or wants a place, and stands nowhere yet."""
    joining = turn.joining.get(task_id)
    if joining is not None:
        return joining
    return next((one for one in turn.arrivals if one.task_id == task_id), None)


def end_delayed(turn: Turn, row: asyncpg.Record, reason: str) -> None:
    """A task in backoff ends as cancelled."""
    turn.plan.delayed_removed.append(row["task_id"])
    end_waiting(
        turn,
        tenant_id=row["tenant_id"],
        task_id=row["task_id"],
        run_id=row["run_id"] or row["task_id"],
        step=step_of(turn.hot, row),
        attempt=row["attempt"],
        kind=EventKind.CANCELLED,
        reason=reason,
    )
