"""Fills a database with a long history of one tenant: `fill(dsn, runs=...)`.

Rows are made by the database (``fill.sql``): ten million runs of two weeks take minutes, not hours.
Everything about a run follows from its number, so two fills are alike and :class:`History` knows
ids that exist without asking.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg

from hatchet_engine.domain import ids
from hatchet_engine.domain.definition import TaskDefinition, WorkflowDefinition, digest, to_json
from hatchet_engine.domain.states import EventKind
from hatchet_engine.observe.times import from_ms
from hatchet_engine.store import partitions
from hatchet_engine.store.partitions import DAY_MS

RUNS_PER_STATEMENT = 200_000
QUEUED_SHARE = 100  # among so many runs one is new enough to wait or run
RUNNING = 500

TENANT = UUID("0199aa00-0000-7000-8000-000000000001")
DAG_STEPS = (("load", ()), ("check", ("load",)), ("store", ("check",)), ("mail", ("store",)))
# In the order of fill.sql: a large and a small DAG, a rare task, three large ones, some more.
NAMES = ("order", "refund", "audit", "mail", "resize", "sync", *(f"job-{n}" for n in range(14)))
DAGS = 2


@dataclass(frozen=True)
class History:
    """What was filled. Runs are numbered from 0, the oldest, on."""

    runs: int
    days: int
    end_ms: int

    @property
    def start_ms(self) -> int:
        return self.end_ms - self.days * DAY_MS

    def id_of(self, run: int, member: int = 0) -> UUID:
        """The id of a run, or of a task of a DAG run (those with number 7 of twenty)."""
        at_ms = self.start_ms + run * self.days * DAY_MS // self.runs
        return UUID(hex=f"{at_ms:012x}7{member:03x}8{run:015x}")

    def event_of(self, run: int) -> UUID:
        """The event that has caused two runs near this one."""
        return self.id_of(run - run % 40, 99)

    @property
    def workflow_ids(self) -> dict[str, UUID]:
        return {name: _id(n) for n, name in enumerate(NAMES)}


async def fill(dsn: str, *, runs: int, days: int, end_ms: int) -> History:
    """Fill a migrated database and gather its statistics. ``end_ms``: when the newest run began."""
    history = History(runs, days, end_ms)
    connection = await asyncpg.connect(dsn)
    try:
        for day in range(days + 1):
            await partitions.create_ahead(connection, end_ms - day * DAY_MS)
        await _workflows(connection, history)
        pieces = _pieces(history)
        await connection.execute(pieces["functions"])
        for first in range(0, runs, RUNS_PER_STATEMENT):
            last = min(first + RUNS_PER_STATEMENT, runs) - 1
            for name in ("tasks", "outcomes", "task_events", "sleeping"):
                await connection.execute(pieces[name], first, last)
        for name in ("queued", "running"):
            await connection.execute(pieces[name])
        await connection.execute("vacuum analyze")
    finally:
        await connection.close()
    return history


def _id(number: int) -> UUID:
    return UUID(int=TENANT.int + 256 * (number + 1))


def _version(number: int) -> UUID:
    return UUID(int=_id(number).int + 1)


async def _workflows(connection: asyncpg.Connection, history: History) -> None:
    created_at = from_ms(history.start_ms)
    await connection.execute(
        "insert into tenant (id, slug, name, created_at, updated_at)"
        " values ($1, 'history', 'history', $2, $2)",
        TENANT,
        created_at,
    )
    for n, name in enumerate(NAMES):
        steps = DAG_STEPS if n < DAGS else (("step", ()),)
        tasks = [
            TaskDefinition(name=step, action=f"{name}:{step}", parents=list(parents))
            for step, parents in steps
        ]
        definition = WorkflowDefinition(name=name, tasks=tasks)
        await connection.execute(
            "insert into workflow (id, tenant_id, name, created_at, updated_at)"
            " values ($1, $2, $3, $4, $4)",
            _id(n),
            TENANT,
            name,
            created_at,
        )
        await connection.execute(
            "insert into workflow_version (id, tenant_id, workflow_id, number, digest, definition,"
            " created_at) values ($1, $2, $3, 1, $4, $5, $6)",
            _version(n),
            TENANT,
            _id(n),
            digest(definition),
            to_json(definition),
            created_at,
        )
        for task in tasks:
            await connection.execute(
                "insert into queue (tenant_id, action) values ($1, $2)", TENANT, task.action
            )


def _pieces(history: History) -> dict[str, str]:
    values = {
        "tenant": TENANT,
        "runs": history.runs,
        "newest": history.runs // QUEUED_SHARE,
        "running": min(RUNNING, history.runs // QUEUED_SHARE),
        "start_ms": history.start_ms,
        "end_ms": history.end_ms,
        "span_ms": history.days * DAY_MS,
        "workflows": _array(_id),
        "versions": _array(_version),
        "retry": int(EventKind.ATTEMPT_FAILED),
    }
    assert ids.time_ms(history.id_of(0)) == history.start_ms
    text = Path(__file__).with_name("fill.sql").read_text("utf-8")
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    parts = re.split(r"^-- name: (\w+)\s*$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _array(id_of: object) -> str:
    assert callable(id_of)
    return "{" + ",".join(str(id_of(n)) for n in range(len(NAMES))) + "}"
