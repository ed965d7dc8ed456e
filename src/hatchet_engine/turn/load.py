"""The reads of a turn: what its commands and timers need and memory does not hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from hatchet_engine.domain import ids
from hatchet_engine.domain.dag import Member
from hatchet_engine.domain.errors import invalid
from hatchet_engine.domain.states import Status, TaskKind
from hatchet_engine.store import history, lines, queue, waits, workers
from hatchet_engine.turn import events, rates, trigger
from hatchet_engine.turn.buckets import Bucket
from hatchet_engine.turn.children import Parent, Spawn, child_key
from hatchet_engine.turn.commands import (
    CancelTasks,
    ChangeWorker,
    LeaveWorker,
    OpenStream,
    Pause,
    PauseKind,
    PushEvents,
    ReplayTasks,
    ReportTasks,
    RunFilter,
    TriggerRuns,
)
from hatchet_engine.turn.dags import Dag, merge_triggers
from hatchet_engine.turn.lifecycle import leave_worker
from hatchet_engine.turn.lines import Line
from hatchet_engine.turn.load_dags import (
    find_waiting,
    load_dags,
    load_input,
    load_outputs,
    load_triggers,
)
from hatchet_engine.turn.pause_list import paused_worker
from hatchet_engine.turn.queues import WINDOW_READ, Payload, Queue
from hatchet_engine.turn.read_lines import LINE_READ_MAX, read_lines
from hatchet_engine.turn.recover import worker_from_row
from hatchet_engine.turn.register import load_versions
from hatchet_engine.turn.replay import Selected
from hatchet_engine.turn.selection import check_selection
from hatchet_engine.turn.state import Turn
from hatchet_engine.turn.timers import DUE_READ_MAX
from hatchet_engine.turn.times import from_ms
from hatchet_engine.turn.waiting import WHOLE_RUN, Found, item_from_row
from hatchet_engine.turn.workers import Running

FAR_FUTURE_MS = (1 << 48) - 1
DAY_MS = 86_400_000
READ_SIZE = 1_000
LIVE = frozenset({Status.QUEUED.value, Status.RUNNING.value})
FINAL = frozenset({Status.COMPLETED.value, Status.FAILED.value, Status.CANCELLED.value})

log = structlog.get_logger("hatchet.turn")


class Loader:
    """Loads for one turn, on the writer's connection."""

    def __init__(self, connection: asyncpg.Connection, turn: Turn) -> None:
        self.connection = connection
        self.turn = turn
        self.due_backoffs: list[asyncpg.Record] = []
        self.due_waits: list[asyncpg.Record] = []
        self.due_sleeps: list[asyncpg.Record] = []
        self.due_parked: list[asyncpg.Record] = []
        self.due_buckets: list[Bucket] = []
        self.released: list[Line] = []  # of pauses that have ended

    async def timers(self) -> None:
        """Rows whose time has come; the next due time is read when a batch was the last one."""
        hot, now_ms = self.turn.hot, self.turn.now_ms
        if hot.next_delayed_ms is not None and hot.next_delayed_ms <= now_ms:
            self.due_backoffs = await queue.delayed_due(self.connection, now_ms, DUE_READ_MAX)
            await self._versions(self.due_backoffs)
            hot.next_delayed_ms = now_ms
            if len(self.due_backoffs) < DUE_READ_MAX:
                hot.next_delayed_ms = await self._next_delayed(now_ms)
        if hot.next_schedule_timeout_ms is not None and hot.next_schedule_timeout_ms <= now_ms:
            await self._schedule_timeouts(now_ms)
        if hot.next_wait_ms is not None and hot.next_wait_ms <= now_ms:
            self.due_sleeps = await waits.due(self.connection, now_ms, DUE_READ_MAX)
            await self._versions(self.due_sleeps)
            hot.next_wait_ms = now_ms
            if len(self.due_sleeps) < DUE_READ_MAX:
                hot.next_wait_ms = await waits.next_due_after_ms(self.connection, now_ms)

        self.due_buckets = hot.buckets.take_due(now_ms, rates.DUE_MAX)
        if self.due_buckets:
            wanted: dict[Line, int] = {}
            for bucket in self.due_buckets:
                if (units := bucket.meter.available(now_ms)) > 0:
                    wanted[bucket.line] = min(units, rates.CALLED_MAX)
                wanted |= dict.fromkeys(bucket.fitting(), rates.CALLED_MAX)
            await read_lines(self.connection, self.turn, wanted)

        self.released = list(hot.pauses.released)
        if self.released:
            await read_lines(
                self.connection, self.turn, dict.fromkeys(self.released, LINE_READ_MAX)
            )

    async def _schedule_timeouts(self, now_ms: int) -> None:
        """Those who have waited too long, in queues and in lines."""
        connection, hot = self.connection, self.turn.hot
        self.due_waits = await queue.timed_out(connection, now_ms, DUE_READ_MAX)
        self.due_parked = await lines.parked_timed_out(connection, now_ms, DUE_READ_MAX)
        await self._versions(self.due_waits)
        await self._versions(self.due_parked)
        hot.next_schedule_timeout_ms = now_ms
        if max(len(self.due_waits), len(self.due_parked)) < DUE_READ_MAX:
            nexts = (
                await queue.next_timeout_after_ms(connection, now_ms),
                await lines.parked_next_timeout_after_ms(connection, now_ms),
            )
            hot.next_schedule_timeout_ms = min(
                (one for one in nexts if one is not None), default=None
            )
        runs: dict[UUID, list[UUID]] = {}
        for row in self.due_parked:
            if row["step"] == WHOLE_RUN:
                runs.setdefault(row["tenant_id"], []).append(row["task_id"])
        for tenant_id, run_ids in runs.items():
            await load_dags(connection, self.turn, tenant_id, run_ids)

    async def _next_delayed(self, now_ms: int) -> int | None:
        return await queue.delayed_next_due_after_ms(self.connection, now_ms)

    async def windows(self) -> None:
        """Read on where a window has run dry and workers are there to take more."""
        ongoing, self.turn.hot.ongoing = self.turn.hot.ongoing, {}
        for one in ongoing.values():
            if one.wants_reading and one.workers:
                await self._read_window(one)
            self.turn.wake(one)

    async def _read_window(self, one: Queue) -> None:
        rows = await queue.window(
            self.connection,
            one.id,
            one.edge,
            WINDOW_READ,
            plain=one.depth > one.fair_depth,
            fair=one.fair_depth > 0,
        )
        await self._versions(rows)
        items = [item_from_row(self.turn.hot, row) for row in rows]
        if one.edge is None and items:
            one.round = max(one.round, items[0].round - 1)
        one.extend(items, read_all=len(rows) < WINDOW_READ)

    async def keys(self, triggers: Sequence[TriggerRuns], pushes: Sequence[PushEvents]) -> None:
        """Who holds the idempotency keys that new runs need; in one read for the whole turn."""
        if not self.turn.hot.definitions.keyed:
            return
        for command in triggers:
            await self._children(command)
            trigger.ask_keys(self.turn, command)
        for pushed in pushes:
            events.ask_keys(self.turn, pushed)
        await self.turn.keys.read(self.connection)

    async def command(self, command: Any) -> None:
        """What one command needs; raises ``Refused`` for a selection that makes no sense."""
        if isinstance(command, ReportTasks):
            await self._reports(command)
        elif isinstance(command, CancelTasks):
            await self._cancel(command)
        elif isinstance(command, ReplayTasks):
            await self._replay(command)
        elif isinstance(command, TriggerRuns):
            if id(command) not in self.turn.loaded:
                await self._children(command)
        elif isinstance(command, PushEvents):
            await self._event_waits(command)
        elif isinstance(command, OpenStream | ChangeWorker | LeaveWorker):
            await self._worker(command.worker_id, command.tenant_id)
        elif isinstance(command, Pause) and command.kind is PauseKind.WORKER:
            worker_id = paused_worker(command.target)
            if worker_id is not None:
                await self._worker(worker_id, command.tenant_id)

    async def payloads(self, tasks: list[tuple[Running, Payload | None]]) -> None:
        """Fill in what start messages need where memory has not kept it."""
        missing = [running for running, payload in tasks if payload is None]
        if not missing:
            return
        found: dict[UUID, Payload] = {}
        by_tenant: dict[UUID, list[UUID]] = {}
        for one in missing:
            by_tenant.setdefault(one.tenant_id, []).append(one.task_id)
        for tenant_id, wanted in by_tenant.items():
            for start in range(0, len(wanted), READ_SIZE):
                some = wanted[start : start + READ_SIZE]
                for row in await history.task_get_many(self.connection, tenant_id, some):
                    found[row["id"]] = _payload(row)
        for position, (running, payload) in enumerate(tasks):
            if payload is None:
                loaded = found.get(running.task_id)
                if loaded is None:
                    # Its history was dropped by retention while it waited: nothing can run.
                    log.error("task_without_record", task_id=str(running.task_id))
                    leave_worker(self.turn, running)
                    continue
                if running.step.version.several:
                    await self._complete(running, loaded)
                tasks[position] = (running, loaded)

    async def _complete(self, running: Running, payload: Payload) -> None:
        """What stands with the run of a task: its input, and what came before the task."""
        dags = await load_dags(self.connection, self.turn, running.tenant_id, [running.run_id])
        if not dags:
            return
        dag, step = dags[0], running.step
        payload.input = (
            dag.input if dag.input is not None else await load_input(self.connection, dag)
        )
        payload.created_ms = dag.created_ms
        payload.parent_task_id = dag.parent_task_id
        payload.child_index, payload.child_key = dag.child_index, dag.child_key
        await load_outputs(self.connection, dag, step.ancestors)
        await load_triggers(self.connection, dag, step.index)
        payload.context = dag.context(step)
        self.turn.touched.add(dag)

    async def _children(self, command: TriggerRuns) -> None:
        """What new children inherit, and which of them exist already (CH-2, CH-7)."""
        tenant_id, items = command.tenant_id, command.items
        parents = {item.parent_task_id for item in items if item.parent_task_id is not None}
        if not parents:
            return
        spawn = Spawn()
        for row in await history.task_parents(self.connection, tenant_id, list(parents)):
            spawn.parents[row["id"]] = Parent(row["run_id"], row["metadata"] or "")
        keys = [
            (item.parent_task_id, key)
            for item in items
            if item.parent_task_id is not None and (key := child_key(item)) and "\x00" not in key
        ]
        if keys:
            for row in await history.task_children(self.connection, tenant_id, keys):
                spawn.existing[row["parent_task_id"], row["key"]] = row["id"]
        self.turn.loaded[id(command)] = spawn

    async def _event_waits(self, command: PushEvents) -> None:
        keys = list({event.key for event in command.events})
        rows = await waits.by_event(self.connection, command.tenant_id, keys)
        await self._versions(rows)
        by_key: dict[str, list[asyncpg.Record]] = {}
        for row in rows:
            by_key.setdefault(row["event_key"], []).append(row)
        self.turn.loaded[id(command)] = by_key

    async def _reports(self, command: ReportTasks) -> None:
        running = self.turn.hot.running
        unknown = {one.task_id for one in command.reports if one.task_id not in running}
        if unknown:
            self.turn.loaded[id(command)] = await history.task_existing(
                self.connection, command.tenant_id, list(unknown)
            )

    async def _cancel(self, command: CancelTasks) -> None:
        limit = self.turn.limits.cancel_ids_max
        check_selection(command.ids, command.filter, limit)
        # What has ended can't be cancelled, and must not use up the limit.
        ids_ = await self._selected(command.tenant_id, command.ids, command.filter, limit, LIVE)
        if command.children and ids_:
            ids_ = await self._with_spawned(command, ids_, limit)
        found = Found()
        members, begun = await self._members(command.tenant_id, ids_)
        waiting = [id_ for id_ in [*ids_, *begun] if id_ not in self.turn.hot.running]
        for start in range(0, len(waiting), READ_SIZE):
            await self._find_waiting(command.tenant_id, waiting[start : start + READ_SIZE], found)
        self.turn.loaded[id(command)] = (ids_, found, members)

    async def _with_spawned(self, command: CancelTasks, ids_: list[UUID], limit: int) -> list[UUID]:
        spawned = await history.task_descendants(
            self.connection, command.tenant_id, await self._with_members(command, ids_), limit + 1
        )
        if len(spawned) <= limit:
            return list(dict.fromkeys([*ids_, *spawned]))
        if command.in_parts:
            return spawned[:limit]
        raise invalid(
            f"more than {limit} runs that these have spawned go on; cancel fewer at once, or "
            "select them by a filter in a bulk operation, which takes any number",
            field="includeChildren",
        )

    async def _with_members(self, command: CancelTasks, ids_: list[UUID]) -> list[UUID]:
        dags = await load_dags(self.connection, self.turn, command.tenant_id, ids_)
        return [*ids_, *(task_id for dag in dags for task_id in dag.task_ids)]

    async def _members(
        self, tenant_id: UUID, ids_: list[UUID]
    ) -> tuple[dict[UUID, tuple[UUID, int]], list[UUID]]:
        """Which of these are tasks of runs, and the tasks that have begun of those that are runs;
        all those runs are in memory afterwards."""
        members: dict[UUID, tuple[UUID, int]] = {}
        begun: list[UUID] = []
        for start in range(0, len(ids_), READ_SIZE):
            some = ids_[start : start + READ_SIZE]
            rows = await self._tasks(tenant_id, some)
            for row in rows:
                if row["kind"] == TaskKind.MEMBER:
                    members[row["id"]] = (row["run_id"], row["step"])
            runs = [row["id"] for row in rows if row["kind"] == TaskKind.DAG]
            runs += [id_ for id_ in some if self.turn.hot.dags.get(id_) is not None]
            runs += [run_id for run_id, _ in members.values()]
            if runs:
                for dag in await load_dags(self.connection, self.turn, tenant_id, runs):
                    begun += [
                        task_id
                        for task_id, state in zip(dag.task_ids, dag.states, strict=True)
                        if state is Member.BEGUN
                    ]
        return members, begun

    async def _find_waiting(self, tenant_id: UUID, task_ids: list[UUID], found: Found) -> None:
        tasks = await self._tasks(tenant_id, task_ids)
        if not tasks:
            return
        versions = self.turn.hot.definitions.versions
        keys = [
            (versions[row["version_id"]].steps[row["step"]].queue.id, row["id"]) for row in tasks
        ]
        await find_waiting(self.connection, keys, found)

    async def _replay(self, command: ReplayTasks) -> None:
        limit = self.turn.limits.replay_ids_max
        check_selection(command.ids, command.filter, limit)
        ids_ = await self._selected(command.tenant_id, command.ids, command.filter, limit, FINAL)
        rows = await self._tasks(command.tenant_id, ids_) if ids_ else []
        runs = {row["run_id"] for row in rows if row["kind"] != TaskKind.STANDALONE}
        dags: dict[UUID, Dag] = {}
        if runs:
            loaded = await load_dags(self.connection, self.turn, command.tenant_id, list(runs))
            dags = {dag.run_id: dag for dag in loaded}
        wanted = {row["id"] for row in rows} | runs
        wanted.update(task_id for dag in dags.values() for task_id in dag.task_ids)
        ended: dict[UUID, asyncpg.Record] = {}
        if wanted:
            for row in await history.outcome_get_many(
                self.connection, command.tenant_id, list(wanted)
            ):
                ended[row["id"]] = row
        self.turn.loaded[id(command)] = Selected(
            ids_, {row["id"]: row for row in rows}, ended, dags
        )

    async def _worker(self, worker_id: UUID, tenant_id: UUID) -> None:
        """A worker that had been given up, or that another node knew, is looked up again."""
        if worker_id not in self.turn.hot.workers:
            row = await workers.get(self.connection, worker_id, tenant_id)
            if row is not None:
                self.turn.hot.add_worker(worker_from_row(row, self.turn.now_ms))

    async def _selected(
        self,
        tenant_id: UUID,
        given: Sequence[UUID],
        filter: RunFilter | None,
        limit: int,
        sensible: frozenset[int],
        after: UUID | None = None,
    ) -> list[UUID]:
        if filter is None:
            return list(dict.fromkeys(given))
        statuses = sensible.intersection(filter.statuses or sensible)
        if not statuses:
            return []
        # Times from outside may be anything; the tables hold only what fits into an id.
        since_ms = min(max(0, filter.since_ms), FAR_FUTURE_MS)
        until_ms = FAR_FUTURE_MS if filter.until_ms is None else max(0, filter.until_ms)
        latest_ms = self.turn.now_ms + DAY_MS
        return await history.task_ids_by_filter(
            self.connection,
            tenant_id,
            max(ids.lowest(since_ms), UUID(int=after.int + 1) if after else UUID(int=0)),
            ids.lowest(min(FAR_FUTURE_MS, until_ms + 60_000)),
            from_ms(min(since_ms, latest_ms)),
            from_ms(min(until_ms, latest_ms)),
            sorted(statuses),
            list(filter.workflow_ids),
            [key for key, _ in filter.metadata],
            [value for _, value in filter.metadata],
            limit,
        )

    async def selected(
        self,
        tenant_id: UUID,
        filter: RunFilter,
        limit: int,
        sensible: frozenset[int],
        after: UUID | None = None,
    ) -> list[UUID]:
        """The first runs behind ``after`` that a filter selects, by id."""
        return await self._selected(tenant_id, (), filter, limit, sensible, after)

    async def _tasks(self, tenant_id: UUID, task_ids: Sequence[UUID]) -> list[asyncpg.Record]:
        rows = await history.task_get_many(self.connection, tenant_id, task_ids)
        await self._versions(rows)
        return rows

    async def _versions(self, rows: Sequence[asyncpg.Record]) -> None:
        if rows:
            wanted = {row["version_id"] for row in rows}
            await load_versions(self.connection, self.turn.hot, wanted)


def _payload(row: asyncpg.Record) -> Payload:
    triggers = merge_triggers(None, row["filter_payload"])
    return Payload(
        row["run_id"],
        row["input"],
        row["metadata"] or "",
        row["priority"],
        ids.time_ms(row["id"]),
        row["parent_task_id"],
        row["child_index"],
        row["child_key"],
        f'{{"triggers":{triggers}}}' if triggers is not None else "",
    )
