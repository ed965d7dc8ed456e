"""One client that watches runs live (SubscribeToWorkflowEvents, B10).

Events are best effort: nothing is replayed for those who come late. Watching one run puts chunks
into order and ends with the run; watching by metadata ends when the last run seen has ended.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from uuid import UUID

from hatchet_engine.domain.errors import not_found
from hatchet_engine.observe import runs
from hatchet_engine.transports.grpc.caller import Caller, Stream
from hatchet_engine.transports.grpc.chunk_order import ChunkOrder
from hatchet_engine.transports.grpc.codecs.events import (
    RUN_ENDS,
    STREAM,
    TASK_ENDS,
    workflow_event,
)
from hatchet_engine.turn.deliveries import RunEvent

APPEARS_POLLS = 10  # a run may be asked for before its trigger has returned
APPEARS_POLL_S = 1.0
# Chunks travel by other calls than the end of the task, and may come a little after it.
STRAGGLERS_S = 0.25
STRAGGLERS_WITH_GAP_S = 2.0
WAITING_MAX = 100_000  # events that wait for a client that does not read; the newest are dropped


class EventStream:
    """Implements ``RunWatcher``."""

    def __init__(self, caller: Caller, stream: Stream) -> None:
        self._caller = caller
        self._stream = stream
        self._events: deque[RunEvent] = deque()
        self._wake = asyncio.Event()
        self._closed = False
        self._orders: dict[UUID, ChunkOrder] = {}
        self._alive: set[UUID] = set()

    def deliver_events(self, events: Sequence[RunEvent]) -> None:
        if len(self._events) < WAITING_MAX:
            self._events.extend(events)
            self._wake.set()

    async def serve_run(self, run_id: UUID) -> None:
        """Raises ``Refused`` NOT_FOUND when the run does not appear in time."""
        engine, tenant_id = self._caller.engine, self._caller.tenant_id
        self._stream.ending.on_end(self._close)
        status = await self._appears(run_id)
        if status is None:
            return
        engine.watchers.watch_run(tenant_id, run_id, self)
        try:
            # Looked at again: it may have ended before the watch began.
            status = await runs.run_status(engine.read_pool, tenant_id, run_id)
            if status is not None and status.final:
                await self._wait(STRAGGLERS_S)
                if not any(event.kind in RUN_ENDS for event in self._events):
                    return
            await self._write_run()
        finally:
            engine.watchers.unwatch(self)

    async def serve_metadata(self, key: str, value: str) -> None:
        watchers = self._caller.engine.watchers
        self._stream.ending.on_end(self._close)
        watchers.watch_metadata(self._caller.tenant_id, key, value, self)
        try:
            await self._write_many()
        finally:
            watchers.unwatch(self)

    def _close(self) -> None:
        self._closed = True
        self._wake.set()

    async def _appears(self, run_id: UUID) -> object | None:
        """The status of the run; None when there is nothing to watch: it has ended already."""
        engine, tenant_id = self._caller.engine, self._caller.tenant_id
        for poll in range(APPEARS_POLLS):
            if poll:
                await self._wait(APPEARS_POLL_S)
            if self._closed:
                return None
            status = await runs.run_status(engine.read_pool, tenant_id, run_id)
            if status is not None:
                return None if status.final else status
        raise not_found(f"workflow_run_id: there is no run {run_id}")

    # ------------------------------------------------------------ one run

    async def _write_run(self) -> None:
        while True:
            while self._events:
                event = self._events.popleft()
                if event.kind in RUN_ENDS:
                    await self._finish(event)
                    return
                for ready in self._ordered(event):
                    await self._send(ready)
            if self._closed:
                return
            await self._wait(self._hold_s())
            for ready in self._overdue():
                await self._send(ready)

    def _ordered(self, event: RunEvent) -> list[RunEvent]:
        task_id = event.task_id
        if task_id is None:
            return [event]
        if event.kind == STREAM:
            order = self._orders.setdefault(task_id, ChunkOrder())
            return order.push(event, self._caller.engine.clock.now_ms())
        if event.kind in TASK_ENDS and task_id in self._orders:
            return [*self._orders[task_id].restart(), event]
        return [event]

    async def _finish(self, end: RunEvent) -> None:
        """The run has ended: wait a moment for chunks that are on their way, then hang up."""
        gap = any(order.due_ms is not None for order in self._orders.values())
        loop = asyncio.get_running_loop()
        until_s = loop.time() + (STRAGGLERS_WITH_GAP_S if gap else STRAGGLERS_S)
        if self._orders:
            while not self._closed and (rest_s := until_s - loop.time()) > 0:
                await self._wait(rest_s)
                while self._events:
                    for ready in self._ordered(self._events.popleft()):
                        await self._send(ready)
        for order in self._orders.values():
            for held in order.flush():
                await self._send(held)
        await self._send(end, hangup=True)

    def _hold_s(self) -> float | None:
        due = [order.due_ms for order in self._orders.values() if order.due_ms is not None]
        if not due:
            return None
        return max(0, min(due) - self._caller.engine.clock.now_ms()) / 1_000

    def _overdue(self) -> list[RunEvent]:
        now_ms = self._caller.engine.clock.now_ms()
        found: list[RunEvent] = []
        for order in self._orders.values():
            if order.due_ms is not None and order.due_ms <= now_ms:
                found += order.flush()
        return found

    # ------------------------------------------------------------ many runs

    async def _write_many(self) -> None:
        alive = self._alive
        while True:
            while self._events:
                event = self._events.popleft()
                if event.kind not in RUN_ENDS:
                    alive.add(event.run_id)
                    await self._send(event)
                    continue
                seen = event.run_id in alive
                alive.discard(event.run_id)
                hangup = seen and not alive
                await self._send(event, hangup=hangup)
                if hangup:
                    return
            if self._closed:
                return
            await self._wait(None)

    # ------------------------------------------------------------ both

    async def _send(self, event: RunEvent, *, hangup: bool = False) -> None:
        await self._stream.send(workflow_event(event, hangup=hangup).SerializeToString())

    async def _wait(self, timeout_s: float | None) -> None:
        self._wake.clear()
        if self._events or self._closed:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        except TimeoutError:
            pass
