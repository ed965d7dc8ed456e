"""One run or task as the read queries see it: its row, how it ended or where it is, its names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from hatchet_engine.domain import ids
from hatchet_engine.domain.states import Status, TaskKind
from hatchet_engine.observe import definitions
from hatchet_engine.observe.definitions import Version
from hatchet_engine.observe.pieces import statements
from hatchet_engine.observe.times import LATEST_MS, from_ms, ids_after, ids_from, to_ms

_SQL = statements("read_runs")


@dataclass(slots=True, frozen=True)
class TaskRow:
    """A standalone run, a DAG run or a member of one; times are of the latest attempt."""

    id: UUID
    run_id: UUID
    kind: TaskKind
    workflow_id: UUID
    version_id: UUID
    step: int
    priority: int
    created_at: datetime
    input: str | None  # JSON object text; None: not asked for
    metadata: str | None  # JSON object text; None: none
    parent_task_id: UUID | None
    status: Status
    attempt: int  # retry count, 0 first
    assigned_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    worker_id: UUID | None
    output: str | None  # JSON text; None: none, or not asked for
    error: str | None
    version: Version | None  # None: the definition is gone
    skipped: bool = False  # conditions said so: COMPLETED without having run
    idempotency_key: str | None = None  # that the run was created under
    begun: bool = True  # False: a member that still waits for its parents

    @property
    def payload_chars(self) -> int:
        """How much of its input and output was read."""
        return len(self.input or "") + len(self.output or "")

    @property
    def workflow_name(self) -> str:
        return self.version.definition.name if self.version else ""

    @property
    def task_name(self) -> str:
        """Readable id of the task; of a DAG run, the workflow's name."""
        if self.kind is TaskKind.DAG:
            return self.workflow_name
        return task_name(self.version, self.step)

    @property
    def action(self) -> str:
        task = self.version.task(self.step) if self.version else None
        return task.action if task and self.kind is not TaskKind.DAG else ""

    @property
    def parents(self) -> list[str]:
        """Names of the tasks of its run that it comes after."""
        task = self.version.task(self.step) if self.version else None
        return task.parents if task and self.kind is TaskKind.MEMBER else []

    @property
    def durable(self) -> bool:
        task = self.version.task(self.step) if self.version else None
        return task.durable if task and self.kind is not TaskKind.DAG else False

    @property
    def display_name(self) -> str:
        return display_name(self.task_name, self.created_at)

    @property
    def duration_ms(self) -> int | None:
        if self.started_at is None or self.finished_at is None:
            return None
        return max(to_ms(self.finished_at) - to_ms(self.started_at), 0)


def task_name(version: Version | None, step: int) -> str:
    task = version.task(step) if version else None
    return task.name if task else ""


def display_name(name: str, created_at: datetime) -> str:
    """``name-1735787045123``: clients match the part before the time (ST-2)."""
    return f"{name}-{to_ms(created_at)}"


async def task_rows(
    pool: asyncpg.Pool, tenant_id: UUID, wanted: Sequence[UUID], *, payloads: bool
) -> list[TaskRow]:
    """These runs or tasks of the tenant, newest first; unknown ids are missing."""
    if not wanted:
        return []
    lower, upper = ids_from(min(wanted)), max(wanted)
    return await _fetch(pool, "run_keys", tenant_id, list(wanted), lower, upper, payloads)


async def member_rows(
    pool: asyncpg.Pool, tenant_id: UUID, run_ids: Sequence[UUID], *, payloads: bool
) -> dict[UUID, list[TaskRow]]:
    """The tasks of these DAG runs by run id, in the order of the definition; in one read."""
    if not run_ids:
        return {}
    after = [ids_after(run_id) for run_id in run_ids]
    lower, upper = ids_from(min(run_ids)), max(after)
    found = await _fetch(
        pool, "run_keys_members", tenant_id, list(run_ids), lower, upper, payloads, after
    )
    members: dict[UUID, list[TaskRow]] = {}
    for row in sorted(found, key=lambda row: row.step):
        members.setdefault(row.run_id, []).append(row)
    return members


async def child_rows(
    pool: asyncpg.Pool, tenant_id: UUID, parent_ids: Sequence[UUID], most: int
) -> list[TaskRow]:
    """Runs that these tasks have spawned, without payloads, at most ``most``, newest first."""
    if not parent_ids:
        return []
    lower, upper = min(parent_ids), ids.lowest(LATEST_MS)
    parents = list(parent_ids)
    return await _fetch(pool, "run_keys_children", tenant_id, parents, lower, upper, False, most)


async def _fetch(
    pool: asyncpg.Pool,
    keys: str,
    tenant_id: UUID,
    wanted: Sequence[UUID],
    lower: UUID,
    upper: UUID,
    payloads: bool,
    *more: object,
) -> list[TaskRow]:
    text = _SQL["run_rows"].replace("{keys}", _SQL[keys])
    records = await pool.fetch(text, tenant_id, wanted, lower, upper, payloads, *more)
    versions = await definitions.get_many(pool, {record["version_id"] for record in records})
    return [_row(record, versions.get(record["version_id"])) for record in records]


def status_of(ended: int | None, live: bool) -> Status:
    """A status is not stored while a task lives: the row that holds it tells (domain/states)."""
    if ended is not None:
        return Status(ended)
    return Status.RUNNING if live else Status.QUEUED


def _row(record: asyncpg.Record, version: Version | None) -> TaskRow:
    ended = record["ended_status"] is not None
    live = record["live_attempt"] is not None
    if ended:
        attempt = record["ended_attempt"]
        assigned_at, started_at = record["ended_assigned_at"], record["ended_started_at"]
        worker_id = record["ended_worker_id"]
    else:
        attempt = record["live_attempt"] if live else record["waiting_attempt"] or 0
        assigned_at = _time(record["assigned_ms"])
        started_at = _time(record["started_ms"])
        worker_id = record["live_worker_id"]
    return TaskRow(
        id=record["id"],
        run_id=record["run_id"],
        kind=TaskKind(record["kind"]),
        workflow_id=record["workflow_id"],
        version_id=record["version_id"],
        step=record["step"],
        priority=record["priority"],
        created_at=record["created_at"],
        input=record["input"],
        metadata=record["metadata"],
        parent_task_id=record["parent_task_id"],
        status=status_of(record["ended_status"], live or record["begun"]),
        attempt=attempt,
        assigned_at=assigned_at,
        started_at=started_at,
        finished_at=record["finished_at"],
        worker_id=worker_id,
        output=record["output"],
        error=record["error"],
        version=version,
        skipped=record["skipped"],
        idempotency_key=record["idempotency_key"],
        begun=ended or live or record["waits"] or record["kind"] != TaskKind.MEMBER,
    )


def _time(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else from_ms(at_ms)
