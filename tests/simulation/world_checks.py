"""What must hold after every step of a simulated world, by its tables before and after.

The numbers in messages are those of the list of invariants a task engine must keep: 2 attempts, 6
order, 7 ends that stay.
"""

from __future__ import annotations

import re
from uuid import UUID

import asyncpg

from hatchet_engine.turn.engine import Engine
from tests.support.invariants import Tables

_ATTEMPT = re.compile(r'"attempt":(\d+)')  # what reports say of themselves


def check_ends(before: Tables, tables: Tables, replayed: set[UUID]) -> None:
    """Ends stay as they are, unless they are replayed, and are those of the attempt they name."""
    for task_id, row in before.ended.items():
        now = tables.ended.get(task_id)
        if tables.task[task_id]["run_id"] not in replayed:
            assert now == row, f"7: the end of {task_id} changed from {row} to {now}"
    for task_id, row in tables.ended.items():
        said = _ATTEMPT.search(row["result"] or "")
        if said is not None:
            assert int(said[1]) == row["attempt"], f"2: {task_id} ended by another attempt"


def check_attempts(attempts: dict[UUID, int], tables: Tables) -> None:
    """Attempts only go up; ``attempts``: the last ones seen, which are brought up to date."""
    for rows in (tables.queued, tables.delayed, tables.assigned, tables.ended):
        for task_id, row in rows.items():
            assert row["attempt"] >= attempts.get(task_id, 0), "2: attempts went back"
            attempts[task_id] = row["attempt"]


def check_order(engine: Engine, before: Tables, tables: Tables) -> None:
    """Nothing that waited through the whole step was overtaken by its like."""
    waited = [row for task_id, row in before.queued.items() if tables.queued.get(task_id) == row]
    for row in tables.assigned.values():
        earlier = before.assigned.get(row["task_id"])
        if earlier is not None and earlier["attempt"] == row["attempt"]:
            continue
        asked = asked_of(engine, row)
        rank = -4 if row["attempt"] else -tables.task[row["task_id"]]["attempt"]
        for other in waited:
            if other["queue_id"] == row["queue_id"] and asked_of(engine, other) == asked:
                first, second = (rank, row["task_id"]), (other["rank"], other["task_id"])
                assert first < second, f"6: {first} overtook {second}"


def asked_of(engine: Engine, row: asyncpg.Record) -> object:
    """What tells whether a worker would take it."""
    versions = engine.hot.definitions.versions
    step = versions[row["version_id"]].steps[row["step"]]
    return step.units, step.labels, step.sticky, row["demand"]
