"""What must hold between any two turns: the invariants of the queue, read from the tables, and
the hot state against them.

The numbers in messages are those of the list of invariants a task engine must keep:
1 nothing is lost, 2 one live attempt, 3 slots, 6 order, 7 an end is final.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from hatchet_engine.domain.labels import DesiredLabel, score
from hatchet_engine.turn.engine import Engine
from hatchet_engine.turn.recover import recover
from hatchet_engine.turn.state import Hot
from hatchet_engine.turn.workers import Worker


@dataclass
class Tables:
    """One look at all rows that say where a task is."""

    tasks: dict[UUID, asyncpg.Record] = field(default_factory=dict)
    queued: dict[UUID, asyncpg.Record] = field(default_factory=dict)
    delayed: dict[UUID, asyncpg.Record] = field(default_factory=dict)
    assigned: dict[UUID, asyncpg.Record] = field(default_factory=dict)
    ended: dict[UUID, asyncpg.Record] = field(default_factory=dict)

    @classmethod
    async def read(cls, connection: Any) -> Tables:
        return cls(
            await _by_id(connection, "select id as task_id, priority from task"),
            await _by_id(connection, "select * from queue_item"),
            await _by_id(connection, "select * from delayed_item"),
            await _by_id(connection, "select * from assignment"),
            await _by_id(connection, "select id as task_id, status, attempt from outcome"),
        )


async def _by_id(connection: Any, query: str) -> dict[UUID, asyncpg.Record]:
    rows = await connection.fetch(query)
    found = {row["task_id"]: row for row in rows}
    assert len(found) == len(rows), f"2: a task stands twice in: {query}"
    return found


def check_tables(tables: Tables) -> None:
    """Every task is in exactly one place."""
    places = Counter[UUID]()
    for rows in (tables.queued, tables.delayed, tables.assigned, tables.ended):
        places.update(rows.keys())
    for task_id in tables.tasks:
        assert places[task_id] == 1, f"1/2: task {task_id} is in {places[task_id]} places"
    strangers = places.keys() - tables.tasks.keys()
    assert not strangers, f"hot rows without a task: {strangers}"


def check_hot(hot: Hot, tables: Tables) -> None:
    """The hot state says what the tables say."""
    assert hot.running.keys() == tables.assigned.keys(), "running tasks differ from assignments"
    used: dict[UUID, Counter[str]] = {worker_id: Counter() for worker_id in hot.workers}
    for task_id, running in hot.running.items():
        row = tables.assigned[task_id]
        in_memory = {name: getattr(running, name) for name in _RUNNING_FIELDS}
        assert in_memory == {name: row[name] for name in _RUNNING_FIELDS}, task_id
        assert running.worker.id == row["worker_id"]
        assert hot.workers[row["worker_id"]].running[task_id] is running
        assert running.live
        if not running.released:
            used[row["worker_id"]].update(running.step.units)
    for worker in hot.workers.values():
        for slot_type, units in worker.slots.items():
            taken = used[worker.id][slot_type]
            assert taken <= units, f"3: worker {worker.id} has {taken} of {units} in use"
            assert worker.free[slot_type] == units - taken, f"3: {slot_type} of {worker.id} leaked"
        assert all(hot.running.get(task_id) is one for task_id, one in worker.running.items())
    _check_queues(hot, tables)
    _check_dues(hot, tables)


_RUNNING_FIELDS = (
    "tenant_id",
    "attempt",
    "app_retries",
    "internal_retries",
    "assigned_ms",
    "deadline_ms",
    "started_ms",
    "released",
)


def _check_queues(hot: Hot, tables: Tables) -> None:
    by_queue: dict[int, list[tuple[int, UUID]]] = {queue_id: [] for queue_id in hot.queues}
    for row in tables.queued.values():
        by_queue[row["queue_id"]].append((row["rank"], row["task_id"]))
    for queue in hot.queues.values():
        keys = sorted(by_queue[queue.id])
        assert queue.depth == len(keys), f"depth of {queue.action}: {queue.depth}, {len(keys)} rows"
        if queue.complete:
            expected = keys
        else:
            expected = [] if queue.edge is None else [key for key in keys if key <= queue.edge]
        window = sorted((item.rank, item.task_id) for item in queue.items.values())
        assert window == expected, f"the window of {queue.action} is not the head of its table"
        in_heap = {entry[1] for entry in queue.heap if not entry[2].gone}
        assert in_heap == queue.items.keys(), f"heap and items of {queue.action} differ"
        for item in queue.items.values():
            row = tables.queued[item.task_id]
            assert item.stored
            assert (item.attempt, item.app_retries, item.internal_retries) == (
                row["attempt"],
                row["app_retries"],
                row["internal_retries"],
            )
            assert item.schedule_timeout_ms == row["schedule_timeout_ms"]
        expected_workers = {
            worker.id
            for worker in hot.workers.values()
            if worker.tenant_id == queue.tenant_id
            and queue.action in worker.actions
            and worker.session is not None
            and not worker.paused
        }
        listed = [worker.id for worker in queue.workers]
        assert len(listed) == len(set(listed))
        assert set(listed) == expected_workers, f"workers of {queue.action}"


def _check_dues(hot: Hot, tables: Tables) -> None:
    """Each timer is known at or before its time."""
    for known, rows, column in (
        (hot.next_deadline_ms, tables.assigned, "deadline_ms"),
        (hot.next_delayed_ms, tables.delayed, "due_ms"),
        (hot.next_schedule_timeout_ms, tables.queued, "schedule_timeout_ms"),
    ):
        if rows:
            earliest = min(row[column] for row in rows.values())
            assert known is not None, column
            assert known <= earliest, column


def check_work_conserved(hot: Hot, tables: Tables) -> None:
    """Nothing waits that fits on a worker which is there (Q-8)."""
    for row in tables.queued.values():
        step = hot.definitions.versions[row["version_id"]].steps[row["step"]]
        for worker in step.queue.workers:
            if row["demand"] is None and worker.fits(step.units) and _suits(worker, step.labels):
                raise AssertionError(f"task {row['task_id']} waits though {worker.id} has room")


def _suits(worker: Worker, labels: dict[str, DesiredLabel]) -> bool:
    return not labels or score(labels, worker.labels) is not None


async def check_workers(hot: Hot, connection: Any) -> None:
    """Workers that are there in the table are there in memory; others hold nothing."""
    rows = await connection.fetch("select id, paused from worker where left_at is null")
    present = {row["id"]: row["paused"] for row in rows}
    assert {id: hot.workers[id].paused for id in present if id in hot.workers} == present
    for worker in hot.workers.values():
        if worker.id not in present:
            assert worker.session is None, f"worker {worker.id} has left, but has a stream"


async def check_all(engine: Engine, connection: Any) -> Tables:
    """Every check at once; call it only while the engine is idle."""
    tables = await Tables.read(connection)
    check_tables(tables)
    check_hot(engine.hot, tables)
    check_work_conserved(engine.hot, tables)
    await check_workers(engine.hot, connection)
    return tables


async def check_recovery(engine: Engine, connection: asyncpg.Connection) -> None:
    """A fresh recovery from the tables gives what the engine has in memory."""
    fresh = await recover(connection, engine.clock.now_ms(), None)
    check_hot_equal(engine.hot, fresh)


def check_hot_equal(hot: Hot, fresh: Hot) -> None:
    assert _picture(hot) == _picture(fresh)


def _picture(hot: Hot) -> dict[str, object]:
    return {
        "running": {
            task_id: (running.worker.id, running.step.version.id, running.step.index)
            + tuple(getattr(running, name) for name in _RUNNING_FIELDS)
            for task_id, running in hot.running.items()
        },
        "depths": {queue.action: queue.depth for queue in hot.queues.values()},
        "workers": {
            worker.id: (worker.slots, worker.free, worker.labels, worker.paused, worker.actions)
            for worker in hot.workers.values()
        },
        "latest": {key: version.id for key, version in hot.definitions.latest.items()},
    }
