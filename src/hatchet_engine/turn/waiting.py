"""Takes tasks that hold no worker (queued or in backoff) out of their tables, by id."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

from hatchet_engine.domain.states import EventKind
from hatchet_engine.turn.definitions import Step
from hatchet_engine.turn.lifecycle import end_waiting
from hatchet_engine.turn.queues import Queued
from hatchet_engine.turn.state import Hot, Turn


@dataclass(slots=True)
class Found:
    """What the tables say about some tasks; read before the turn decides."""

    queued: dict[UUID, asyncpg.Record] = field(default_factory=dict)
    delayed: dict[UUID, asyncpg.Record] = field(default_factory=dict)


def step_of(hot: Hot, row: asyncpg.Record) -> Step:
    """The definition a stored hot row runs under; its version was loaded with the row."""
    version: UUID = row["version_id"]
    position: int = row["step"]
    return hot.definitions.versions[version].steps[position]


def item_from_row(hot: Hot, row: asyncpg.Record) -> Queued:
    return Queued(
        row["task_id"],
        row["tenant_id"],
        step_of(hot, row),
        row["rank"],
        row["attempt"],
        row["app_retries"],
        row["internal_retries"],
        row["queued_ms"],
        row["schedule_timeout_ms"],
        row["demand"],
        stored=True,
    )


def end_queued(turn: Turn, item: Queued, kind: EventKind, reason: str) -> None:
    """A queued task ends as cancelled."""
    queue = item.step.queue
    queue.remove(item)
    if item.stored:
        turn.plan.queue_removed.append((queue.id, item.rank, item.task_id))
    end_waiting(
        turn,
        tenant_id=item.tenant_id,
        task_id=item.task_id,
        step=item.step,
        attempt=item.attempt,
        kind=kind,
        reason=reason,
    )


def end_delayed(turn: Turn, row: asyncpg.Record, reason: str) -> None:
    """A task in backoff ends as cancelled."""
    turn.plan.delayed_removed.append(row["task_id"])
    end_waiting(
        turn,
        tenant_id=row["tenant_id"],
        task_id=row["task_id"],
        step=step_of(turn.hot, row),
        attempt=row["attempt"],
        kind=EventKind.CANCELLED,
        reason=reason,
    )
