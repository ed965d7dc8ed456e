"""Who waits for the results of which runs (RS-2).

A waiter is entered first and the table is looked at afterwards, so a run that ends in between is
found by one way or the other; what comes by both is delivered once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

import asyncpg
import structlog

from hatchet_engine.sessions.result_reader import ResultReader, TaskNames
from hatchet_engine.turn.commands import RunSubscriber
from hatchet_engine.turn.deliveries import RunResult

log = structlog.get_logger("hatchet.subscriptions")

LOOKUP_RETRY_S = 1.0


class Subscriptions:
    """All waiters of this node; call :meth:`attach` before :meth:`run`.

    A waiter belongs to one tenant and hears of that tenant's runs only, whatever ids it names.
    """

    def __init__(self) -> None:
        self._waiting: dict[UUID, dict[UUID, set[RunSubscriber]]] = {}  # tenant -> run -> waiters
        self._ids_of: dict[RunSubscriber, tuple[UUID, set[UUID]]] = {}  # -> its tenant, its ids
        self._lookups: dict[UUID, set[UUID]] = {}  # tenant -> ids to look up in the table
        self._wake = asyncio.Event()
        self._reader: ResultReader | None = None

    def attach(self, pool: asyncpg.Pool, task_name: TaskNames) -> None:
        """Where to read results of runs that have ended already."""
        self._reader = ResultReader(pool, task_name)

    def subscribe(self, tenant_id: UUID, subscriber: RunSubscriber, ids: Sequence[UUID]) -> None:
        """Deliver the result of each of these runs once, now or when it ends."""
        self.add(tenant_id, subscriber, ids)
        self._lookups.setdefault(tenant_id, set()).update(ids)
        self._wake.set()

    def add(self, tenant_id: UUID, subscriber: RunSubscriber, ids: Sequence[UUID]) -> None:
        """Like :meth:`subscribe` for runs that were just created: the table needs no look."""
        owner, mine = self._ids_of.setdefault(subscriber, (tenant_id, set()))
        assert owner == tenant_id, "a waiter belongs to one tenant"
        mine.update(ids)
        waiting = self._waiting.setdefault(tenant_id, {})
        for id in ids:
            present = waiting.get(id)
            if present is None:
                waiting[id] = {subscriber}
            else:
                present.add(subscriber)

    def unsubscribe(self, subscriber: RunSubscriber, ids: Sequence[UUID] | None = None) -> None:
        """Forget some ids of a subscriber, or all of them (None)."""
        known = self._ids_of.get(subscriber)
        if known is None:
            return
        tenant_id, mine = known
        waiting = self._waiting.get(tenant_id, {})
        for id in list(mine) if ids is None else ids:
            mine.discard(id)
            present = waiting.get(id)
            if present is not None:
                present.discard(subscriber)
                if not present:
                    del waiting[id]
        if not mine:
            del self._ids_of[subscriber]

    def awaited(self, tenant_id: UUID, run_id: UUID) -> bool:
        waiting = self._waiting.get(tenant_id)
        return waiting is not None and run_id in waiting

    def look_up(self, tenant_id: UUID, run_id: UUID) -> None:
        """Have the result of a run that has ended read from the table."""
        self._lookups.setdefault(tenant_id, set()).add(run_id)
        self._wake.set()

    def deliver(self, tenant_id: UUID, results: Sequence[RunResult]) -> None:
        """Hand results of a tenant's runs to those who wait, many to each at once."""
        waiting = self._waiting.get(tenant_id, {})
        by_subscriber: dict[RunSubscriber, list[RunResult]] = {}
        for result in results:
            for subscriber in waiting.pop(result.run_id, ()):
                by_subscriber.setdefault(subscriber, []).append(result)
        for subscriber, delivered in by_subscriber.items():
            _, mine = self._ids_of[subscriber]
            mine.difference_update(result.run_id for result in delivered)
            if not mine:
                del self._ids_of[subscriber]
            subscriber.deliver_results(delivered)

    async def run(self) -> None:
        """Look up subscribed ids in the table, many per read; runs until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._lookups:
                tenant_id, ids = self._lookups.popitem()
                await self._look_up(tenant_id, [id for id in ids if self.awaited(tenant_id, id)])

    async def _look_up(self, tenant_id: UUID, ids: list[UUID]) -> None:
        assert self._reader is not None
        try:
            async for results in self._reader.read(tenant_id, ids):
                if results:
                    self.deliver(tenant_id, results)
        except Exception:
            # The database is away, however that shows; waiters keep waiting and are looked up
            # again. Nothing may end this loop.
            log.warning("result_lookup_failed", ids=len(ids), exc_info=True)
            self._lookups.setdefault(tenant_id, set()).update(ids)
            await asyncio.sleep(LOOKUP_RETRY_S)
            self._wake.set()
