"""What the database says in the end about all runs, and what workers saw of them."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import asyncpg

from hatchet_engine.domain.states import EventKind, Status, TaskKind
from tests.chaos.flow import Job
from tests.chaos.journal import Attempt, Journal, Span

_TASKS = """
select t.id::text, t.run_id::text, t.kind, w.name as workflow, t.input, t.metadata,
       t.created_at, o.status, o.attempt, o.assigned_at, o.finished_at, o.error, o.output
from task t join workflow w on w.id = t.workflow_id left join outcome o on o.id = t.id
order by t.id"""

_EARLIER = """
select task_id::text, attempt, (data ->> 'assigned_ms')::bigint as assigned_ms
from task_event where kind = any($1)"""

_METERS = "select key, began_ms, limit_value - remaining as taken from rate_limit"

_ENDS_OF_ATTEMPTS = [EventKind.ATTEMPT_FAILED, EventKind.TIMED_OUT, EventKind.REASSIGNED]


@dataclass
class Row:
    """A run, or a task of a larger one; times in ms of the wall clock.

    ``assigned``: when each of its attempts got its worker. ``tasks``: of a larger run.
    """

    id: str
    run_id: str
    kind: TaskKind
    workflow: str
    job: Job
    metadata: dict[str, Any]
    created_ms: float
    finished_ms: float
    status: Status
    attempt: int
    error: str | None
    output: str | None
    assigned: dict[int, float] = field(default_factory=dict)
    tasks: list[Row] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.workflow} {self.id} ({self.created_ms:.0f} to {self.finished_ms:.0f}, "
            f"{self.status.name}, assigned {self.assigned}, {self.job})"
        )

    @property
    def called(self) -> list[Row]:
        """The rows of what workers were given."""
        return self.tasks or [self]


class Interval(NamedTuple):
    begin_ms: float
    end_ms: float
    who: str


class MeterRow(NamedTuple):
    """A rate limit: when its present window began, and how many units are taken from it."""

    began_ms: int
    taken: int


class Evidence:
    """All runs, oldest first, and the journal of the workers.

    ``moved``: how many attempts of a task were taken from a worker that did not know them.
    """

    def __init__(self, runs: list[Row], tasks: list[Row], journal: Journal) -> None:
        self.runs = runs
        self.tasks = tasks  # what workers are given
        self.moved = Counter[str]()
        self.meters: dict[str, MeterRow] = {}
        self.spans: dict[str, list[Span]] = {task.id: [] for task in tasks}
        for span in journal.read().spans.values():
            self.spans[span.task_id].append(span)
        self._offset_ms = (time.time_ns() - time.monotonic_ns()) / 1e6

    @cached_property
    def by_number(self) -> dict[int, list[Row]]:
        found: dict[int, list[Row]] = {}
        for run in self.runs:
            found.setdefault(run.job.number, []).append(run)
        return found

    @cached_property
    def _by_workflow(self) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        for run in self.runs:
            found.setdefault(run.workflow, []).append(run)
        return found

    def of(self, *workflows: str) -> list[Row]:
        return [run for name in workflows for run in self._by_workflow[name]]

    def by_key(self, workflow: str) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        for run in self.of(workflow):
            found.setdefault(run.job.key, []).append(run)
        return found

    def starts_ms(self, run: Row) -> list[float]:
        """When workers began its attempts."""
        return [self._wall_ms(span.start_ns) for span in self._spans_of(run)]

    def seen(self, run: Row) -> Interval | None:
        """From its first start to its last end, on any worker; None if no worker has seen it.

        A run that a strategy cancels gives its place back when it is cancelled; its worker hears
        of it a moment later, perhaps even of its start.
        """
        spans = self._spans_of(run)
        if not spans:
            return None
        begin_ms, end_ms = self.hull(spans)
        if run.status is Status.CANCELLED:
            end_ms = min(end_ms, run.finished_ms)
        return Interval(begin_ms, end_ms, str(run)) if begin_ms < end_ms else None

    def hull(self, spans: Iterable[Span]) -> tuple[float, float]:
        """From the first start to the last end."""
        ends = []
        for span in spans:
            assert span.end_ns is not None, f"an attempt never ended: {span}"
            ends.append(span.end_ns)
        return self._wall_ms(min(span.start_ns for span in spans)), self._wall_ms(max(ends))

    def _spans_of(self, run: Row) -> list[Span]:
        return [span for task in run.called for span in self.spans[task.id]]

    def _wall_ms(self, at_ns: int) -> float:
        return at_ns / 1e6 + self._offset_ms


async def gather_evidence(
    connection: asyncpg.Connection, journal: Journal, moved: Iterable[Attempt]
) -> Evidence:
    """Everything there is; fails if a run has not ended."""
    rows = {row["id"]: _row(row) for row in await connection.fetch(_TASKS)}
    for event in await connection.fetch(_EARLIER, _ENDS_OF_ATTEMPTS):
        if event["assigned_ms"] is not None:
            rows[event["task_id"]].assigned[event["attempt"]] = event["assigned_ms"]
    for row in rows.values():
        if row.kind is TaskKind.MEMBER:
            rows[row.run_id].tasks.append(row)
            row.job = rows[row.run_id].job
    runs = [row for row in rows.values() if row.kind is not TaskKind.MEMBER]
    tasks = [row for row in rows.values() if row.kind is not TaskKind.DAG]
    evidence = Evidence(runs, tasks, journal)
    evidence.moved.update(task_id for task_id, _ in moved)
    for meter in await connection.fetch(_METERS):
        evidence.meters[meter["key"]] = MeterRow(meter["began_ms"], meter["taken"])
    return evidence


def _row(row: asyncpg.Record) -> Row:
    assert row["status"] is not None, f"{row['workflow']} {row['id']} has not ended: {row['input']}"
    job = Job(number=0) if row["kind"] == TaskKind.MEMBER else Job.model_validate_json(row["input"])
    assigned = {row["attempt"]: _ms(row["assigned_at"])} if row["assigned_at"] else {}
    return Row(
        row["id"],
        row["run_id"],
        TaskKind(row["kind"]),
        row["workflow"],
        job,
        json.loads(row["metadata"] or "{}"),
        _ms(row["created_at"]),
        _ms(row["finished_at"]),
        Status(row["status"]),
        row["attempt"],
        row["error"],
        row["output"],
        assigned,
    )


def _ms(at: Any) -> float:
    return round(at.timestamp() * 1_000, 3)
