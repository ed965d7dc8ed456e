"""Reads the hot state from Postgres: at start, at takeover, and after any failed turn."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from hatchet_engine.domain.demand import read_demand
from hatchet_engine.store import (
    assignments,
    bulk,
    filters,
    lines,
    pauses,
    queue,
    rates,
    schedules,
    waits,
    workers,
    workflows,
)
from hatchet_engine.turn.batches import Batch, BatchGroup
from hatchet_engine.turn.commands import PausedThing, PauseKind
from hatchet_engine.turn.filters import filter_from_row
from hatchet_engine.turn.lines import (
    Line,
    batch_of_line,
    is_batch_line,
    is_pause_line,
    read_over_line,
)
from hatchet_engine.turn.operations import operation_from_row
from hatchet_engine.turn.queues import Queue
from hatchet_engine.turn.register import add_version, load_versions
from hatchet_engine.turn.state import Hot
from hatchet_engine.turn.waiting import parked_from_row, step_of
from hatchet_engine.turn.workers import Running, Worker


async def recover(connection: asyncpg.Connection, now_ms: int, previous: Hot | None) -> Hot:
    """A fresh hot state. ``previous``: keeps the live streams of the node and the last signs of
    life across a failed turn; without it every worker gets a full heartbeat timeout to return."""
    hot = Hot()
    waiting = await queue.depths(connection)
    depths, fair = Counter[int](), Counter[int]()
    for row in waiting:
        depths[row["queue_id"]] += row["depth"]
        fair[row["queue_id"]] += row["fair"]
    for row in await queue.list_all(connection):
        id_ = row["id"]
        hot.add_queue(Queue(id_, row["tenant_id"], row["action"], depths[id_], fair[id_]))
    for row in await workflows.latest_list(connection):
        await add_version(connection, hot, row, latest=True)
    await load_versions(connection, hot, {row["version_id"] for row in waiting})
    for row in await filters.list_all(connection):
        hot.add_filter(filter_from_row(row))
    hot.bulk = [operation_from_row(row) for row in await bulk.open_list(connection)]
    for row in await pauses.list_all(connection):
        hot.pauses.add(PausedThing(**{**dict(row), "kind": PauseKind(row["kind"])}))
    for row in await workers.present_list(connection):
        hot.add_worker(worker_from_row(row, now_ms))
    await _load_flow_control(connection, hot, now_ms)
    await _load_running(connection, hot, now_ms)
    hot.next_delayed_ms = await queue.delayed_next_due_ms(connection)
    hot.next_wait_ms = await waits.next_due_after_ms(connection, 0)
    hot.next_schedule_ms = await schedules.next_due_after_ms(connection, 0)
    hot.cron_waits = await schedules.cron_waiting(connection)
    hot.next_schedule_timeout_ms = now_ms  # looked up by the first turn
    hot.next_deadline_ms = min(
        (running.deadline_ms for running in hot.running.values()), default=None
    )
    if depths.total():
        hot.next_ageing_ms = now_ms  # if tasks age at all
    if hot.workers:
        hot.next_worker_check_ms = now_ms
    if previous is not None:
        _keep_streams(hot, previous)
    hot.ongoing = {one.id: one for one in hot.queues.values() if one.depth and one.workers}
    return hot


def worker_from_row(row: Any, now_ms: int) -> Worker:
    return Worker(
        id=row["id"],
        tenant_id=row["tenant_id"],
        name=row["name"],
        actions=row["actions"],
        slots=orjson.loads(row["slots"]),
        labels=orjson.loads(row["labels"]),
        protocol=row["protocol"],
        heartbeat_ms=now_ms,
        draining=row["draining"],
        streamed=row["stream_opened_at"] is not None,
    )


async def _load_running(connection: asyncpg.Connection, hot: Hot, now_ms: int) -> None:
    batches: dict[UUID, Batch] = {}
    rows = await assignments.list_all(connection)
    await load_versions(connection, hot, {row["version_id"] for row in rows})
    for row in rows:
        worker = hot.workers.get(row["worker_id"])
        if worker is None:
            # It left while holding work; look it up so that the work can be taken from it.
            found = await workers.get(connection, row["worker_id"], row["tenant_id"])
            if found is None:
                raise RuntimeError(f"assignment of {row['task_id']} names an unknown worker")
            worker = worker_from_row(found, now_ms)
            hot.add_worker(worker)
        running = Running(
            task_id=row["task_id"],
            tenant_id=row["tenant_id"],
            run_id=row["run_id"],
            step=step_of(hot, row),
            worker=worker,
            attempt=row["attempt"],
            app_retries=row["app_retries"],
            internal_retries=row["internal_retries"],
            assigned_ms=row["assigned_ms"],
            deadline_ms=row["deadline_ms"],
            started_ms=row["started_ms"],
            released=row["released"],
            demand=read_demand(row["demand"]),
        )
        hot.running[running.task_id] = running
        worker.running[running.task_id] = running
        shares_slot = False
        if row["batch_id"] is not None:
            shares_slot = row["batch_id"] in batches
            _restore_batch(hot, row["batch_id"], running, batches)
        if not running.released and not shares_slot:
            worker.take(running.step.units)


def _restore_batch(hot: Hot, batch_id: UUID, running: Running, batches: dict[UUID, Batch]) -> None:
    batch = batches.get(batch_id)
    if batch is None:
        assert running.demand is not None
        group = hot.batches.get(running.step, running.demand.group or "")
        batch = Batch(batch_id, group, running.worker, running.assigned_ms, "")
        batches[batch_id] = batch
        group.running.add(batch)
    running.batch = batch
    batch.members[running.task_id] = running


async def _load_flow_control(connection: asyncpg.Connection, hot: Hot, now_ms: int) -> None:
    """Lines, places and rate limits."""
    await load_versions(connection, hot, await lines.parked_versions(connection))
    for row in await lines.parked_depths(connection):
        line = hot.lines.restore(row["line"], row["depth"], row["size"])
        hot.stranded.add(line, None)
        if is_batch_line(line.id):
            hot.batches.begin_interval(_batch_group(hot, line.id), row["first_ms"])
    for row in await lines.places(connection):
        hot.groups.restore(row["holder_id"], row["line"], row["rank"], row["max_runs"])
    for thing in hot.pauses.of_kind(PauseKind.CONCURRENCY_KEY):
        hot.groups.pause(thing.target)
    for row in await lines.parked_newest(connection):
        item = parked_from_row(hot, row)
        assert item.demand is not None
        most = item.demand.places[item.stage].max_runs
        hot.groups.restore_waiting(row["line"], item.task_id, item.rules[item.stage].strategy, most)
    for line in list(hot.lines.by_id.values()):
        _let_go_on(hot, line)
    paused = {(one.tenant_id, one.target) for one in hot.pauses.of_kind(PauseKind.RATE_LIMIT)}
    for row in await rates.list_all(connection):
        bucket = hot.buckets.restore(row["tenant_id"], row["key"], rates.meter(row))
        bucket.meter.paused = (row["tenant_id"], row["key"]) in paused
        if bucket.line.depth:
            hot.buckets.look_at(bucket, now_ms)  # somebody may just have stood aside
    for line in list(hot.lines.by_id.values()):
        over = read_over_line(line.id)
        if over is not None:
            tenant_id, key, units = over
            bucket = hot.buckets.get(tenant_id, key)
            bucket.over[units] = line
            hot.buckets.look_at(bucket, now_ms)  # another limit may have been under way


def _batch_group(hot: Hot, line: str) -> BatchGroup:
    version_id, position, key = batch_of_line(line)
    group = hot.batches.get(hot.definitions.versions[version_id].steps[position], key)
    hot.batches.changed[group] = None
    return group


def _let_go_on(hot: Hot, line: Line) -> None:
    """A line whose pause has ended while some still stood in it."""
    if is_pause_line(line.id) and not hot.pauses.holds(line.id):
        hot.pauses.released[line] = None


def _keep_streams(hot: Hot, previous: Hot) -> None:
    for worker in hot.workers.values():
        old = previous.workers.get(worker.id)
        if old is not None:
            worker.session = old.session
            worker.heartbeat_ms = old.heartbeat_ms
            worker.lost_check_ms = old.lost_check_ms
            worker.maybe_lost = old.maybe_lost
            hot.refresh_assignable(worker)
            if worker.assignable:
                hot.stranded.look_at(worker)
