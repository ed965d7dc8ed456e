"""Running finished work again (RP-*)."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import asyncpg
import orjson

from hatchet_engine.domain.states import PRIORITY_AGAIN, EventKind, Status
from hatchet_engine.turn.commands import ReplayTasks
from hatchet_engine.turn.lifecycle import enqueue
from hatchet_engine.turn.state import Turn


@dataclass(slots=True)
class Ended:
    """A finished task as the tables have it."""

    task: asyncpg.Record
    outcome: asyncpg.Record


def replay(turn: Turn, command: ReplayTasks) -> list[UUID]:
    """Queue finished tasks again: same ids, next attempt, fresh retry budgets, same version and
    input (RP-3). What still lives is skipped (RP-5)."""
    ended: dict[UUID, Ended] = turn.loaded.pop(id(command))
    replayed = []
    for task_id, one in ended.items():
        if task_id in turn.moved:
            continue
        turn.moved.add(task_id)
        _replay_one(turn, one)
        replayed.append(task_id)
    return replayed


def _replay_one(turn: Turn, ended: Ended) -> None:
    task, outcome = ended.task, ended.outcome
    task_id, tenant_id = task["id"], task["tenant_id"]
    attempt = outcome["attempt"]
    turn.plan.outcomes_removed.append((tenant_id, task_id))
    status = Status(outcome["status"])
    turn.plan.event(
        EventKind.ENDED,
        tenant_id,
        task_id,
        attempt,
        outcome["worker_id"],
        outcome["output"] if status is Status.COMPLETED else outcome["error"],
        orjson.dumps(
            {
                "status": status.value,
                "assigned_at": outcome["assigned_at"],
                "started_at": outcome["started_at"],
                "finished_at": outcome["finished_at"],
            }
        ).decode(),
    )
    turn.plan.event(EventKind.RETRIED_BY_USER, tenant_id, task_id, attempt + 1)
    version = turn.hot.definitions.versions[task["version_id"]]
    enqueue(
        turn,
        task_id=task_id,
        tenant_id=tenant_id,
        step=version.steps[task["step"]],
        priority=PRIORITY_AGAIN,
        attempt=attempt + 1,
        demand=task["demand"],
    )
