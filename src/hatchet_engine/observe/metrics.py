"""Counts for clients and autoscalers: runs by status, queues, task definitions, time buckets."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from hatchet_engine.domain import ids
from hatchet_engine.domain.definition import TaskDefinition
from hatchet_engine.domain.states import Status
from hatchet_engine.observe import concurrency, definitions, run_query
from hatchet_engine.observe.concurrency import KeyCount, LimitRow
from hatchet_engine.observe.definitions import Version
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
    rules: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    """Tasks by concurrency key, for each rule (expression and strategy): those that wait for a
    place, or those that hold one."""


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
    """Waiting tasks by queue, whatever they wait for; empty queues are left out."""
    depths = {
        record["action"]: record["waiting"]
        for record in await pool.fetch(_SQL["queue_depths"], tenant_id)
    }
    parked = await pool.fetch(_SQL["parked_counts"], tenant_id)
    versions = await definitions.get_many(pool, {record["version_id"] for record in parked})
    for record in parked:
        task = _task(versions, record["version_id"], record["step"])
        if task is not None:
            depths[task.action] = depths.get(task.action, 0) + record["waiting"]
    return depths


async def waiting_by_key(pool: asyncpg.Pool, tenant_id: UUID) -> dict[str, dict[str, int]]:
    """Tasks and runs that wait for a place: by the name of their workflow, then by key."""
    counts = await concurrency.queued_keys(pool, tenant_id)
    versions = await definitions.get_many(pool, {count.version_id for count in counts})
    waiting: dict[str, dict[str, int]] = {}
    for count in counts:
        version = versions.get(count.version_id)
        if version is not None:
            keys = waiting.setdefault(version.definition.name, {})
            keys[count.key] = keys.get(count.key, 0) + count.total
    return waiting


async def task_stats(pool: asyncpg.Pool, tenant_id: UUID) -> dict[str, TaskStats]:
    """Waiting and running tasks by the name of the task definition."""
    queued = await pool.fetch(_SQL["queued_stats"], tenant_id)
    running = await pool.fetch(_SQL["running_stats"], tenant_id)
    queued_keys = await concurrency.queued_keys(pool, tenant_id)
    running_keys = await concurrency.running_keys(pool, tenant_id)
    versions = await definitions.get_many(
        pool, {record["version_id"] for record in (*queued, *running)}
    )
    stats: dict[str, TaskStats] = {}
    for records, is_queued in ((queued, True), (running, False)):
        for record in records:
            task = _task(versions, record["version_id"], record["step"])
            if task is not None:
                entry = stats.setdefault(task.name, TaskStats())
                _add(entry.queued if is_queued else entry.running, task.action, record)
    keys = (*queued_keys, *running_keys)
    limits = await concurrency.limits_get(pool, tenant_id, (count.limit_id for count in keys))
    for counts, is_queued in ((queued_keys, True), (running_keys, False)):
        for count in counts:
            task = _task(versions, count.version_id, count.step)
            limit = limits.get(count.limit_id)
            if task is not None and limit is not None and task.name in stats:
                entry = stats[task.name]
                _add_key(entry.queued if is_queued else entry.running, task, limit, count)
    return stats


def _task(versions: dict[UUID, Version], version_id: UUID, step: int) -> TaskDefinition | None:
    version = versions.get(version_id)
    return None if version is None else version.task(step)


def _add_key(stat: TaskStat, task: TaskDefinition, limit: LimitRow, count: KeyCount) -> None:
    strategy = next(
        (rule.strategy for rule in task.concurrency if rule.expression == limit.expression), ""
    )
    keys = stat.rules.setdefault((limit.expression, strategy), {})
    keys[count.key] = keys.get(count.key, 0) + count.total


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
