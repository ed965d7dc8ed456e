"""The reads of a turn: what its commands and timers need and memory does not hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from hatchet_engine.domain import ids
from hatchet_engine.domain.states import Status
from hatchet_engine.store import history, queue, workers
from hatchet_engine.turn.commands import (
    CancelTasks,
    ChangeWorker,
    LeaveWorker,
    OpenStream,
    ReplayTasks,
    ReportTasks,
    RunFilter,
)
from hatchet_engine.turn.lifecycle import leave_worker
from hatchet_engine.turn.queues import WINDOW_READ, Payload, Queue
from hatchet_engine.turn.recover import worker_from_row
from hatchet_engine.turn.register import load_versions
from hatchet_engine.turn.replay import Ended
from hatchet_engine.turn.selection import check_selection
from hatchet_engine.turn.state import Turn
from hatchet_engine.turn.timers import DUE_READ_MAX
from hatchet_engine.turn.times import from_ms
from hatchet_engine.turn.waiting import Found, item_from_row
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
            self.due_waits = await queue.timed_out(self.connection, now_ms, DUE_READ_MAX)
            await self._versions(self.due_waits)
            hot.next_schedule_timeout_ms = now_ms
            if len(self.due_waits) < DUE_READ_MAX:
                hot.next_schedule_timeout_ms = await queue.next_timeout_after_ms(
                    self.connection, now_ms
                )

    async def _next_delayed(self, now_ms: int) -> int | None:
        return await queue.delayed_next_due_after_ms(self.connection, now_ms)

    async def windows(self) -> None:
        """Read on where a window has run dry and workers are there to take more."""
        for one in self.turn.hot.queues.values():
            if one.wants_reading and one.workers:
                await self._read_window(one)

    async def _read_window(self, one: Queue) -> None:
        rows = await queue.window(self.connection, one.id, one.edge, WINDOW_READ)
        await self._versions(rows)
        items = [item_from_row(self.turn.hot, row) for row in rows]
        one.extend(items, read_all=len(rows) < WINDOW_READ)
        self.turn.wake(one)

    async def command(self, command: Any) -> None:
        """What one command needs; raises ``Refused`` for a selection that makes no sense."""
        if isinstance(command, ReportTasks):
            await self._reports(command)
        elif isinstance(command, CancelTasks):
            await self._cancel(command)
        elif isinstance(command, ReplayTasks):
            await self._replay(command)
        elif isinstance(command, OpenStream | ChangeWorker | LeaveWorker):
            await self._worker(command.worker_id, command.tenant_id)

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
                running.run_id = loaded.run_id
                tasks[position] = (running, loaded)

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
        found = Found()
        waiting = [task_id for task_id in ids_ if task_id not in self.turn.hot.running]
        for start in range(0, len(waiting), READ_SIZE):
            await self._find_waiting(command.tenant_id, waiting[start : start + READ_SIZE], found)
        self.turn.loaded[id(command)] = (ids_, found)

    async def _find_waiting(self, tenant_id: UUID, task_ids: list[UUID], found: Found) -> None:
        tasks = await self._tasks(tenant_id, task_ids)
        if not tasks:
            return
        versions = self.turn.hot.definitions.versions
        keys = [
            (versions[row["version_id"]].steps[row["step"]].queue.id, row["id"]) for row in tasks
        ]
        for row in await queue.find_many(self.connection, keys):
            found.queued[row["task_id"]] = row
        known = [row["id"] for row in tasks]
        for row in await queue.delayed_find_many(self.connection, known):
            found.delayed[row["task_id"]] = row

    async def _replay(self, command: ReplayTasks) -> None:
        limit = self.turn.limits.replay_ids_max
        check_selection(command.ids, command.filter, limit)
        ids_ = await self._selected(command.tenant_id, command.ids, command.filter, limit, FINAL)
        ended: dict[UUID, Ended] = {}
        if ids_:
            tasks = await self._tasks(command.tenant_id, ids_)
            known = [row["id"] for row in tasks]
            outcomes = (
                await history.outcome_get_many(self.connection, command.tenant_id, known)
                if known
                else []
            )
            by_id = {row["id"]: row for row in outcomes}
            ended = {row["id"]: Ended(row, by_id[row["id"]]) for row in tasks if row["id"] in by_id}
        self.turn.loaded[id(command)] = ended

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
            ids.lowest(since_ms),
            ids.lowest(min(FAR_FUTURE_MS, until_ms + 60_000)),
            from_ms(min(since_ms, latest_ms)),
            from_ms(min(until_ms, latest_ms)),
            sorted(statuses),
            list(filter.workflow_ids),
            [key for key, _ in filter.metadata],
            [value for _, value in filter.metadata],
            limit,
        )

    async def _tasks(self, tenant_id: UUID, task_ids: Sequence[UUID]) -> list[asyncpg.Record]:
        rows = await history.task_get_many(self.connection, tenant_id, task_ids)
        await self._versions(rows)
        return rows

    async def _versions(self, rows: Sequence[asyncpg.Record]) -> None:
        if rows:
            wanted = {row["version_id"] for row in rows}
            await load_versions(self.connection, self.turn.hot, wanted)


def _payload(row: asyncpg.Record) -> Payload:
    return Payload(
        row["run_id"],
        row["input"],
        row["metadata"] or "",
        row["priority"],
        ids.time_ms(row["id"]),
        row["parent_task_id"],
        row["child_index"],
        row["child_key"],
    )
