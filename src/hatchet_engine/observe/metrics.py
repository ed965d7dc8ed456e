"""Counts for clients and autoscalers: runs by status, queues, task definitions, time buckets."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from hatchet_engine.domain import ids
from hatchet_engine.domain.states import Status
from hatchet_engine.observe import definitions, run_query
from hatchet_engine.observe.pieces import statements
from hatchet_engine.observe.range_counts import range_counts
from hatchet_engine.observe.run_query import RunQuery
from hatchet_engine.observe.times import exact_bounds, from_ms, to_ms

_SQL = statements("read_metrics")

# Bucket width by the span of a chart: up to this many seconds, so many seconds wide.
_WIDTHS_S = ((61 * 60, 60), (12 * 3600, 300), (48 * 3600, 1_800), (8 * 86_400, 28_800))
_WIDEST_S = 86_400
BUCKETS_MAX = 2_000


@dataclass(slots=True)
class TaskStat:
    """Live tasks of one name in one state."""

    total: int = 0
    oldest_ms: int | None = None  # since when the oldest waits or runs
    oldest_first_ms: int | None = None  # the same among first attempts
    queues: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class TaskStats:
    queued: TaskStat = field(default_factory=TaskStat)
    running: TaskStat = field(default_factory=TaskStat)


@dataclass(slots=True, frozen=True)
class Buckets:
    """The time axis of a chart: ``count`` buckets of ``width_s`` from ``start``."""

    start: datetime
    width_s: int
    count: int

    def times(self) -> list[datetime]:
        return [self.start + timedelta(seconds=self.width_s * n) for n in range(self.count)]


async def status_counts(pool: asyncpg.Pool, query: RunQuery) -> dict[Status, int]:
    """Runs per status, every status present. Statuses and the worker aren't conditions here."""
    if replace(query, workflow_ids=(), statuses=()).any_run:
        bounds = exact_bounds(query.since, query.until)
        [counts] = await range_counts(pool, query.tenant_id, bounds, query.workflow_ids)
        return counts
    statement = run_query.grouped(query, _SQL["status_counts"])
    records = await pool.fetch(statement.text, *statement.arguments)
    counts = dict.fromkeys(Status, 0)
    for record in records:
        counts[Status(record["status"])] = record["runs"]
    return counts


async def status_counts_all(pool: asyncpg.Pool, since_ms: int) -> dict[Status, int]:
    """Tasks of all tenants by status: ended ones created since then, and all that are alive."""
    counts = dict.fromkeys(Status, 0)
    for record in await pool.fetch(_SQL["status_counts_all"], ids.lowest(max(since_ms, 0))):
        counts[Status(record["status"])] += record["runs"]
    return counts


async def queue_depths(pool: asyncpg.Pool, tenant_id: UUID) -> dict[str, int]:
    """Waiting tasks by queue; empty queues are left out."""
    records = await pool.fetch(_SQL["queue_depths"], tenant_id)
    return {record["action"]: record["waiting"] for record in records}


async def task_stats(pool: asyncpg.Pool, tenant_id: UUID) -> dict[str, TaskStats]:
    """Waiting and running tasks by the name of the task definition."""
    queued = await pool.fetch(_SQL["queued_stats"], tenant_id)
    running = await pool.fetch(_SQL["running_stats"], tenant_id)
    versions = await definitions.get_many(
        pool, {record["version_id"] for record in (*queued, *running)}
    )
    stats: dict[str, TaskStats] = {}
    for records, is_queued in ((queued, True), (running, False)):
        for record in records:
            version = versions.get(record["version_id"])
            task = version.task(record["step"]) if version else None
            if task is None:
                continue
            entry = stats.setdefault(task.name, TaskStats())
            _add(entry.queued if is_queued else entry.running, task.action, record)
    return stats


def _add(stat: TaskStat, queue: str, record: asyncpg.Record) -> None:
    stat.total += record["total"]
    stat.queues[queue] = stat.queues.get(queue, 0) + record["total"]
    stat.oldest_ms = _earliest(stat.oldest_ms, record["oldest_ms"])
    stat.oldest_first_ms = _earliest(stat.oldest_first_ms, record["oldest_first_ms"])


def _earliest(one: int | None, other: Any) -> int | None:
    return one if other is None else other if one is None else min(one, other)


def buckets(since: datetime | None, until: datetime | None, now_ms: int) -> Buckets:
    """The buckets between two times, by default the last 24 hours; aligned to UTC.

    Raises ValueError when there would be more than ``BUCKETS_MAX``.
    """
    upper_s = (now_ms if until is None else to_ms(until)) // 1_000
    if since is None:
        lower_s = (now_ms // 1_000 - 86_400) // 1_800 * 1_800
    else:
        lower_s = to_ms(since) // 1_000
    span_s = max(upper_s - lower_s, 0)
    width_s = next((width for most, width in _WIDTHS_S if span_s < most), _WIDEST_S)
    start_s = lower_s // width_s * width_s
    count = max(upper_s - start_s, 0) // width_s + 1
    if count > BUCKETS_MAX:
        raise ValueError(f"the time span has {count} steps, the limit is {BUCKETS_MAX}")
    return Buckets(datetime.fromtimestamp(start_s, UTC), width_s, count)


async def run_points(
    pool: asyncpg.Pool, tenant_id: UUID, axis: Buckets, until: datetime
) -> list[tuple[int, int]]:
    """Completed and failed runs of each bucket, by creation time; what is later is left out."""
    first, last = exact_bounds(axis.start, until)
    starts = [exact_bounds(start, None)[0] for start in axis.times()[1:]]
    bounds = [first, *(min(start, last) for start in starts), max(first, last)]
    counts = await range_counts(pool, tenant_id, bounds)
    return [(count[Status.COMPLETED], count[Status.FAILED]) for count in counts]


def time_of(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else from_ms(at_ms)
