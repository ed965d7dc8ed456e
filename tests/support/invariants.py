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

from hatchet_engine.domain.dag import Member, doomed, member_of, on_failure, run_status
from hatchet_engine.domain.demand import Demand, read_demand
from hatchet_engine.domain.labels import score
from hatchet_engine.domain.states import Status, TaskKind
from hatchet_engine.turn.commands import PauseKind
from hatchet_engine.turn.definitions import Step
from hatchet_engine.turn.engine import Engine
from hatchet_engine.turn.lines import is_batch_line
from hatchet_engine.turn.queues import Queue
from hatchet_engine.turn.recover import recover
from hatchet_engine.turn.state import Hot
from hatchet_engine.turn.workers import Worker

# Where tasks live: few rows with many columns.
_LIVE = """
select 'queued' as place, task_id, rank, queue_id, tenant_id, version_id, step, attempt,
       app_retries, internal_retries, schedule_timeout_ms as due_ms, queued_ms as assigned_ms,
       null::bigint as started_ms, null::boolean as released, null::uuid as worker_id, demand,
       round, null::text as line, null::uuid as batch_id
from queue_item
union all
select 'delayed', task_id, null, queue_id, tenant_id, version_id, step, attempt, app_retries,
       internal_retries, due_ms, null, null, null, null, demand, null, null, null
from delayed_item
union all
select 'assigned', task_id, null, queue_id, tenant_id, version_id, step, attempt, app_retries,
       internal_retries, deadline_ms, assigned_ms, started_ms, released, worker_id, demand, null,
       null, batch_id
from assignment
union all
select 'parked', task_id, rank, null, tenant_id, version_id, step, attempt, app_retries,
       internal_retries, schedule_timeout_ms, queued_ms, null, null, null, demand, null, line,
       null
from parked_item
"""
# All others: many rows with few columns.
_REST = """
select 'task' as place, id as task_id, priority::integer as attempt, kind as status,
       null as result, run_id, version_id, step, null::boolean as skipped
from task
union all
select 'ended', id, attempt, status, case when status = 2 then output else error end, null, null,
       null, skipped
from outcome
union all
select 'worker', id, draining::integer, exists (
    select from pause p where p.tenant_id = w.tenant_id and p.kind = 5 and p.target = w.id::text
)::integer, null, null, null, null, null
from worker w where left_at is null
"""

Row = asyncpg.Record


@dataclass
class Tables:
    """A look at all rows that say where a task is, by task id. Take it while nobody writes."""

    task: dict[UUID, Row] = field(default_factory=dict)
    queued: dict[UUID, Row] = field(default_factory=dict)
    delayed: dict[UUID, Row] = field(default_factory=dict)
    assigned: dict[UUID, Row] = field(default_factory=dict)
    parked: dict[UUID, Row] = field(default_factory=dict)
    ended: dict[UUID, Row] = field(default_factory=dict)
    worker: dict[UUID, Row] = field(default_factory=dict)  # those that have not left
    waiting: set[UUID] = field(default_factory=set)  # tasks with conditions to wait for
    held: list[Row] = field(default_factory=list)  # concurrency places
    rates: list[Row] = field(default_factory=list)

    @classmethod
    async def read(cls, connection: Any) -> Tables:
        tables = cls()
        places = {name: getattr(tables, name) for name in cls.__dataclass_fields__}
        for row in [*await connection.fetch(_LIVE), *await connection.fetch(_REST)]:
            rows = places[row["place"]]
            assert row["task_id"] not in rows, f"2: {row['task_id']} is {row['place']} twice"
            rows[row["task_id"]] = row
        found = await connection.fetch("select distinct task_id from task_wait")
        tables.waiting = {row["task_id"] for row in found}
        tables.held = await connection.fetch("select * from concurrency_place")
        tables.rates = await connection.fetch("select * from rate_limit")
        return tables


def check_tables(tables: Tables) -> None:
    """Every task is in exactly one place; those of runs of several tasks may wait as well."""
    places = Counter[UUID]()
    for rows in (tables.queued, tables.delayed, tables.assigned, tables.parked, tables.ended):
        places.update(rows.keys())
    for task_id, task in tables.task.items():
        if task["status"] != TaskKind.STANDALONE:
            assert places[task_id] <= 1, f"2: member {task_id} is in {places[task_id]} places"
            continue
        assert places[task_id] == 1, f"1/2: task {task_id} is in {places[task_id]} places"
    strangers = places.keys() - tables.task.keys()
    assert not strangers, f"hot rows without a task: {strangers}"


def check_runs(hot: Hot, tables: Tables) -> None:
    """Runs of several tasks: every consequence was followed to its end, in the tables and in what
    memory knows of them."""
    members: dict[UUID, list[Row]] = {}
    for row in tables.task.values():
        if row["status"] == TaskKind.MEMBER:
            members.setdefault(row["run_id"], []).append(row)
    for run_id, rows in members.items():
        rows.sort(key=lambda row: row["step"])
        states = [_state(tables, row["task_id"]) for row in rows]
        version = hot.definitions.versions.get(rows[0]["version_id"])
        if version is None:  # of this version memory need not know what is in backoff or has ended
            if not any(row["task_id"] in tables.delayed for row in rows):
                assert all(state.final for state in states)
                assert run_id in tables.ended
            continue
        held_back = run_id in tables.parked  # it waits for a place, so nothing of it begins
        assert len(states) == len(version.steps), f"run {run_id} lacks tasks"
        for step, state in zip(version.steps, states, strict=True):
            parents = [states[at] for at in step.parents]
            if step.on_failure:
                others = [one for at, one in enumerate(states) if at != step.index]
                due = on_failure(others) is not Member.PENDING
            else:
                due = all(one.final for one in parents) or doomed(parents) is not None
            assert (
                due == (state is not Member.PENDING)
                or held_back
                or (
                    # Chosen for a replay while a parent outside of it had failed.
                    state.final and not due
                )
            ), f"1: {step.name} of run {run_id} is {state.name}, parents {parents}"
        over = all(state.final for state in states)
        assert over == (run_id in tables.ended), f"1/7: the end of run {run_id}"
        if over:
            assert tables.ended[run_id]["status"] == run_status(states)
        dag = hot.dags.get(run_id)
        if dag is not None:
            assert dag.states == states, f"run {run_id} in memory"
            counted = list(dag.pending_parents)
            dag.recount()
            assert counted == dag.pending_parents, f"parents of run {run_id} are miscounted"
    for run_id, row in tables.task.items():
        assert row["status"] != TaskKind.DAG or run_id in members, f"run {run_id} has no tasks"
    for task_id in tables.waiting:
        assert task_id not in tables.ended, f"{task_id} has ended, but waits"
        assert task_id not in tables.assigned, f"{task_id} runs, but waits"


def _state(tables: Tables, task_id: UUID) -> Member:
    ended = tables.ended.get(task_id)
    if ended is not None:
        return member_of(Status(ended["status"]), ended["skipped"])
    places = (tables.queued, tables.delayed, tables.assigned, tables.parked, tables.waiting)
    return Member.BEGUN if any(task_id in place for place in places) else Member.PENDING


def check_hot(hot: Hot, tables: Tables, now_ms: int = 0, *, lowered: bool = False) -> None:
    """The hot state says what the tables say. ``lowered``: limits of concurrency keys may have
    become smaller, so that more may hold places than there are."""
    assert hot.running.keys() == tables.assigned.keys(), "running tasks differ from assignments"
    used: dict[UUID, Counter[str]] = {worker_id: Counter() for worker_id in hot.workers}
    for task_id, running in hot.running.items():
        row = tables.assigned[task_id]
        in_memory = {name: getattr(running, name) for name in _RUNNING_FIELDS}
        assert in_memory == {name: row[name] for name in _RUNNING_FIELDS}, task_id
        assert running.deadline_ms == row["due_ms"]
        # Signs of a start are noted at once and written a little later.
        assert row["started_ms"] in (None, running.started_ms)
        assert running.worker.id == row["worker_id"]
        assert hot.workers[row["worker_id"]].running[task_id] is running
        assert running.live
        assert row["batch_id"] == (running.batch and running.batch.id)
        first = running.batch is None or next(iter(running.batch.members.values())) is running
        if not running.released and first:  # a batch takes its slots once
            used[row["worker_id"]].update(running.step.units)
    for worker in hot.workers.values():
        for slot_type, units in worker.slots.items():
            taken = used[worker.id][slot_type]
            assert taken <= units, f"3: worker {worker.id} has {taken} of {units} in use"
            assert worker.free[slot_type] == units - taken, f"3: {slot_type} of {worker.id} leaked"
        assert all(hot.running.get(task_id) is one for task_id, one in worker.running.items())
    _check_queues(hot, tables)
    _check_lines(hot, tables)
    _check_batches(hot, tables, now_ms)
    _check_places(hot, tables, lowered=lowered)
    _check_rates(hot, tables)
    _check_dues(hot, tables)


_RUNNING_FIELDS = (
    "tenant_id",
    "attempt",
    "app_retries",
    "internal_retries",
    "assigned_ms",
    "released",
)


def _check_lines(hot: Hot, tables: Tables) -> None:
    by_line: dict[str, list[tuple[int, int, UUID]]] = {}
    for row in tables.parked.values():
        by_line.setdefault(row["line"], []).append((row["rank"], 0, row["task_id"]))
    for id_, keys in by_line.items():
        line = hot.lines.by_id[id_]
        keys.sort()
        assert line.depth == len(keys), f"depth of line {id_}: {line.depth}, {len(keys)} rows"
        expected = keys
        if not line.complete:
            expected = [] if line.edge is None else [key for key in keys if key <= line.edge]
        window = sorted((item.rank, item.round, item.task_id) for item in line.items.values())
        assert window == expected, f"the window of line {id_} is not the head of its table"
        assert {entry[2] for entry in line.heap if line.items.get(entry[2]) is entry[3]} == {
            key[2] for key in window
        }
        assert all(item.shelved and item.line is line for item in line.items.values())
    for id_, line in hot.lines.by_id.items():
        assert line.depth == 0 or id_ in by_line, f"line {id_} has no rows"


def _check_batches(hot: Hot, tables: Tables, now_ms: int) -> None:
    """Members of a batch share worker, group and slot; nothing ripe waits that fits on a worker."""
    members: dict[UUID, set[UUID]] = {}
    for task_id, row in tables.assigned.items():
        if row["batch_id"] is not None:
            members.setdefault(row["batch_id"], set()).add(task_id)
    batches = {one.batch.id: one.batch for one in hot.running.values() if one.batch is not None}
    assert {id_: set(batch.members) for id_, batch in batches.items()} == members
    for batch in batches.values():
        assert batch in batch.group.running
        assert len(batch.members) <= batch.group.config.max_size
        for running in batch.members.values():
            assert running.worker is batch.worker
            assert running.step is batch.group.step
            assert running.demand is not None
            assert running.demand.group == batch.group.key
        assert len({running.released for running in batch.members.values()}) == 1
    sizes: dict[str, int] = {}
    firsts: dict[str, tuple[int, UUID, Demand]] = {}  # a batch goes where its first may go (BA-9)
    for row in tables.parked.values():
        if is_batch_line(id_ := row["line"]):
            demand = read_demand(row["demand"])
            assert demand is not None
            sizes[id_] = sizes.get(id_, 0) + demand.size
            here = (row["rank"], row["task_id"], demand)
            firsts[id_] = min(here, firsts.get(id_, here), key=lambda one: one[:2])
    for group in hot.batches.groups():
        line = group.line
        assert line.depth or group.running, f"nobody is in group {line.id}"
        assert all(batch.id in batches for batch in group.running)
        assert len(group.running) <= group.config.group_max_runs, f"BA-4: {line.id}"
        assert line.size == sizes.pop(line.id, 0), f"bytes of {line.id}"
        step = group.step
        if line.depth and group.ripe(now_ms) is not None and not group.full:
            assert group in step.queue.ripe
            assert not any(
                worker.fits(step.units) and _suits(worker, step, firsts[line.id][2])
                for worker in step.queue.workers
            ), f"BA-3: a batch of {line.id} waits though a worker has room"
    assert not sizes, f"lines of batches without a group: {sizes}"


def _check_places(hot: Hot, tables: Tables, *, lowered: bool) -> None:
    held = sorted((group.id, holder) for holder, gs in hot.groups.held.items() for group in gs)
    assert held == sorted((row["line"], row["holder_id"]) for row in tables.held)
    members = {row["run_id"] for row in tables.task.values()}
    for row in tables.held:
        holder = row["holder_id"]
        assert holder not in tables.ended, f"{holder} has ended, but holds a place"
        assert holder not in tables.delayed, f"{holder} is in backoff, but holds a place"
        assert holder in tables.task or holder in members
        group = hot.groups.find(row["line"])
        assert group is not None
        assert holder in group.holders
    for groups in hot.groups.held.values():
        for group in groups:
            count = len(group.holders)
            most = max(group.limit, group.recovered)
            assert lowered or count <= most, f"4: {count} hold {group.id}"
            waits = group.line.depth
            assert not waits or group.free <= 0 or group.paused, f"{waits} wait for {group.id}"


def _check_rates(hot: Hot, tables: Tables) -> None:
    for row in tables.rates:
        bucket = hot.buckets.find(row["tenant_id"], row["key"])
        assert bucket is not None
        meter = bucket.meter
        assert (meter.limit, meter.window) == (row["limit_value"], row["window_length"])
        assert row["remaining"] >= 0, f"5: {row['key']} is overdrawn"
        if meter.began_ms == row["began_ms"]:
            assert meter.remaining == row["remaining"], row["key"]


def _check_queues(hot: Hot, tables: Tables) -> None:
    by_queue: dict[int, list[tuple[int, int, UUID]]] = {queue_id: [] for queue_id in hot.queues}
    for row in tables.queued.values():
        by_queue[row["queue_id"]].append((row["rank"], row["round"], row["task_id"]))
    for queue in hot.queues.values():
        keys = sorted(by_queue[queue.id])
        assert queue.depth == len(keys), f"depth of {queue.action}: {queue.depth}, {len(keys)} rows"
        if queue.complete:
            expected = keys
        else:
            expected = [] if queue.edge is None else [key for key in keys if key <= queue.edge]
        window = sorted((item.rank, item.round, item.task_id) for item in queue.items.values())
        assert window == expected, f"the window of {queue.action} is not the head of its table"
        _check_shapes(queue)
        for item in queue.items.values():
            row = tables.queued[item.task_id]
            assert item.stored
            assert (item.attempt, item.app_retries, item.internal_retries) == (
                row["attempt"],
                row["app_retries"],
                row["internal_retries"],
            )
            assert item.schedule_timeout_ms == row["due_ms"]
        expected_workers = {
            worker.id
            for worker in hot.workers.values()
            if worker.tenant_id == queue.tenant_id
            and queue.action in worker.actions
            and worker.session is not None
            and not worker.paused
            and not worker.draining
        }
        listed = [worker.id for worker in queue.workers]
        assert len(listed) == len(set(listed))
        assert set(listed) == expected_workers, f"workers of {queue.action}"


def _check_shapes(queue: Queue) -> None:
    by_shape: dict[object, set[UUID]] = {}
    for item in queue.items.values():
        assert item.shape is not None
        assert item.shape.wish == queue.shapes.of(item).wish
        by_shape.setdefault(item.shape, set()).add(item.task_id)
    assert by_shape.keys() == queue.shapes.waiting.keys(), f"shapes of {queue.action}"
    for shape in queue.shapes.waiting:
        in_heap = {entry[2] for entry in shape.heap if entry[3].shape is shape}
        assert in_heap == by_shape[shape], f"heap and items of {queue.action} differ"
        assert shape.count == len(in_heap)


def _check_dues(hot: Hot, tables: Tables) -> None:
    """Each timer is known at or before its time."""
    for known, rows, name in (
        (hot.next_deadline_ms, tables.assigned, "execution timeout"),
        (hot.next_delayed_ms, tables.delayed, "backoff"),
        (hot.next_schedule_timeout_ms, tables.queued, "schedule timeout"),
        (hot.next_schedule_timeout_ms, tables.parked, "schedule timeout in a line"),
    ):
        if rows:
            earliest = min(row["due_ms"] for row in rows.values())
            assert known is not None, name
            assert known <= earliest, name


def check_work_conserved(hot: Hot, tables: Tables) -> None:
    """Nothing waits that fits on a worker which is there (Q-8), and nobody stands in a line for
    lack of a worker who has one (RO-6)."""
    for row in tables.queued.values():
        step = hot.definitions.versions[row["version_id"]].steps[row["step"]]
        demand = read_demand(row["demand"])
        if demand is not None and demand.units:
            continue  # they may be lacking
        if hot.pauses and hot.pauses.of_task(row["tenant_id"], step.version.workflow_id):
            continue
        for worker in step.queue.workers:
            if worker.fits(step.units) and _suits(worker, step, demand):
                raise AssertionError(f"task {row['task_id']} waits though {worker.id} has room")
    for row in tables.parked.values():
        if row["line"].startswith("w"):
            step = hot.definitions.versions[row["version_id"]].steps[row["step"]]
            for worker in step.queue.workers:
                large = all(worker.slots.get(key, 0) >= most for key, most in step.units.items())
                if large and _suits(worker, step, read_demand(row["demand"])):
                    raise AssertionError(f"{row['task_id']} is stranded, but {worker.id} would do")


def _suits(worker: Worker, step: Step, demand: Demand | None) -> bool:
    """Whether a worker would do if it had room (RO-4, RO-7, RO-11)."""
    labels = step.labels
    if demand is not None:
        if step.version.definition.sticky == "HARD" and demand.worker_id is not None:
            return worker.id == demand.worker_id
        if demand.group is None:  # of batches only the definition's labels count (RO-9)
            labels = demand.labels or step.labels
    return not labels or score(labels, worker.labels) is not None


def check_workers(hot: Hot, tables: Tables) -> None:
    """Workers that are there in the table are there in memory; others hold nothing."""
    assert tables.worker.keys() <= hot.workers.keys()
    for worker in hot.workers.values():
        row = tables.worker.get(worker.id)
        if row is None:
            assert worker.session is None, f"worker {worker.id} has left, but has a stream"
        else:
            stored = bool(row["attempt"]), bool(row["status"])
            assert (worker.draining, worker.paused) == stored, f"pause of {worker.id}"


async def check_all(engine: Engine, connection: Any, *, lowered: bool = False) -> Tables:
    """Every check at once; call it only while the engine is idle. ``lowered``: see
    :func:`check_hot`."""
    tables = await Tables.read(connection)
    check_tables(tables)
    check_hot(engine.hot, tables, engine.clock.now_ms(), lowered=lowered)
    check_runs(engine.hot, tables)
    check_work_conserved(engine.hot, tables)
    check_workers(engine.hot, tables)
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
            task_id: (
                running.worker.id,
                running.step.version.id,
                running.step.index,
                running.deadline_ms,
                *tuple(getattr(running, name) for name in _RUNNING_FIELDS),
            )
            for task_id, running in hot.running.items()
        },
        "lines": {
            id_: (line.depth, line.size) for id_, line in hot.lines.by_id.items() if line.depth
        },
        "batches": {
            task_id: (running.batch.id, running.batch.group.key, set(running.batch.members))
            for task_id, running in hot.running.items()
            if running.batch is not None
        },
        "places": {
            holder: sorted(group.id for group in groups)
            for holder, groups in hot.groups.held.items()
        },
        "depths": {queue.action: queue.depth for queue in hot.queues.values()},
        "workers": {
            worker.id: (
                worker.slots,
                worker.free,
                worker.labels,
                worker.draining,
                worker.paused,
                worker.actions,
            )
            for worker in hot.workers.values()
        },
        "paused": {kind: sorted(map(repr, hot.pauses.of_kind(kind))) for kind in PauseKind},
        "paused limits": {
            key for key, bucket in hot.buckets._by_key.items() if bucket.meter.paused
        },
        "latest": {key: version.id for key, version in hot.definitions.latest.items()},
    }
