"""The loop: commands in, one transaction, announcements out.

One turn drains the inbox (bounded), reads what it needs in few set-based reads, lets the rules
decide with all consequences, writes in few set-based statements, commits, and only then answers.
While a turn commits, the next batch gathers: batches grow under load and stay at one under calm.

Any failure inside a turn rolls back and reads the hot state anew; the commands of that turn are
then run in halves until the culprit stands alone and gets its error. Schedules that were to be
fired in that turn go apart (:mod:`hatchet_engine.turn.firing_apart`).
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast
from uuid import UUID

import asyncpg
import structlog
from asyncpg.pgproto.pgproto import UUID as FastUUID

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.domain.ids import IdSource
from hatchet_engine.store import partitions, transactions
from hatchet_engine.turn import bulk
from hatchet_engine.turn.admit import admit, evict
from hatchet_engine.turn.ageing import age, plan_ageing
from hatchet_engine.turn.announce import Waiters, Watchers, announce
from hatchet_engine.turn.clock import Clock
from hatchet_engine.turn.commands import Command, PushEvents, ReportTasks, TriggerRuns
from hatchet_engine.turn.decide import DECIDE, DIRECT, decide_timers, weight
from hatchet_engine.turn.failed import ConnectionLost, answer_of, is_lost
from hatchet_engine.turn.fire_crons import release_waiting
from hatchet_engine.turn.firing import fire_due
from hatchet_engine.turn.firing_apart import FiringApart
from hatchet_engine.turn.gather import join, ripen, tell_waiting
from hatchet_engine.turn.idempotency import free_keys
from hatchet_engine.turn.load import Loader
from hatchet_engine.turn.load_dags import load_noted
from hatchet_engine.turn.operations import Operation
from hatchet_engine.turn.place import forget_large_inputs, place
from hatchet_engine.turn.recover import recover
from hatchet_engine.turn.settle import settle
from hatchet_engine.turn.signs import Signs
from hatchet_engine.turn.state import Hot, Limits, Turn
from hatchet_engine.turn.stranded import call_back
from hatchet_engine.turn.timers import next_due_ms
from hatchet_engine.turn.times import from_ms
from hatchet_engine.turn.worker_changes import heartbeat
from hatchet_engine.turn.write import prepare, stored, write

log = structlog.get_logger("hatchet.turn")

R = TypeVar("R")

TURN_WEIGHT_MAX = 4_000  # rows of work in one turn; one larger command still goes as a whole
DATABASE_AWAY = "the engine lost its database: try again"
DATABASE_AWAY_IN_DOUBT = (
    "the engine lost its database while it stored this call: it may have been done or not; "
    "look before trying again"
)
INBOX_MAX = 100_000  # commands waiting; beyond it callers are told to slow down

Waiting = tuple[Any, "asyncio.Future[Any]"]


@dataclass(slots=True)
class Doubt:
    """A turn whose COMMIT was sent and never answered: it may be stored or not."""

    turn: Turn
    batch: list[Waiting]
    answers: list[tuple[asyncio.Future[Any], Any]]
    transaction_id: str | None = None  # None: a single statement


class Engine:
    """The single writer of a shard. ``run`` is its loop; ``submit`` is its door."""

    def __init__(
        self,
        *,
        clock: Clock,
        waiters: Waiters,
        watchers: Watchers,
        limits: Limits | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.clock = clock
        self.limits = limits or Limits()
        self.hot = Hot()
        self.turns = 0
        self._waiters = waiters
        self._watchers = watchers
        self._ids = IdSource(random_bytes, FastUUID)
        self._inbox: deque[Waiting] = deque()
        self._wake = asyncio.Event()
        self._connection: asyncpg.Connection | None = None
        self._now_ms = 0
        self._partitions_until_ms = 0
        self._again = False
        self._stopping = False
        self._busy = False
        self._open = False  # takes commands, also while the connection is being made again
        self._doubt: Doubt | None = None
        self._signs = Signs()
        self._bulk_alone = False  # an operation's step has failed: it gets a turn of its own
        self._firing = FiringApart()

    # ------------------------------------------------------------ door

    async def submit(self, command: Command[R]) -> R:
        """Hand a command to the next turn; returns after its commit.

        Raises ``Refused`` when it can't be carried out, or UNAVAILABLE when this node does not
        own the shard or is stopping.
        """
        return await self.enter(command)

    def enter(self, command: Command[R]) -> asyncio.Future[R]:
        """Like :meth:`submit`, for callers that put several commands into one turn."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        if not self._open or self._stopping:
            future.set_exception(
                Refused(Code.UNAVAILABLE, "the engine is not ready to take commands: try again")
            )
        elif isinstance(command, ReportTasks) and self._note_signs(command):
            cast("asyncio.Future[Any]", future).set_result([True] * len(command.reports))
        elif len(self._inbox) >= INBOX_MAX:
            future.set_exception(
                Refused(Code.RESOURCE_EXHAUSTED, "the engine is overloaded: try again later")
            )
        else:
            self._inbox.append((command, cast("asyncio.Future[Any]", future)))
            self._wake.set()
        return future

    def _note_signs(self, command: ReportTasks) -> bool:
        """Whether the command was nothing but signs of having begun, which need no turn."""
        waiting = self._signs.due_ms is not None
        if not self._signs.note(self.hot, command, self._stamp()):
            return False
        if not waiting:
            self._wake.set()  # the loop has a new due time
        return True

    def heartbeat(self, tenant_id: UUID, worker_id: UUID) -> None:
        """A worker's sign of life. Raises ``Refused`` NOT_FOUND or FAILED_PRECONDITION (WK-3)."""
        heartbeat(self.hot.workers.get(worker_id), tenant_id, self.clock.now_ms())

    @property
    def ready(self) -> bool:
        return self._connection is not None and not self._stopping

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is due: the loop sleeps (for tests with hand-moved time)."""
        return not (self._inbox or self._again or self._busy or self.due_now())

    def due_now(self) -> bool:
        due = self._next_due_ms()
        return due is not None and due <= self.clock.now_ms()

    def _next_due_ms(self) -> int | None:
        dues = (next_due_ms(self.hot), self._signs.due_ms)
        return min((due for due in dues if due is not None), default=None)

    # ------------------------------------------------------------ loop

    async def take_over(self, connection: asyncpg.Connection) -> None:
        """Become the writer on this connection: read the state, accept commands."""
        previous = self.hot if self.turns else None
        now_ms = self._stamp()
        await self._ensure_partitions(connection, now_ms)
        self.hot = await recover(connection, now_ms, previous)
        if self._doubt is not None:
            await self._settle_doubt(connection, self._doubt)
        self._connection = connection
        self._open = True
        self._again = True
        self._wake.set()

    async def _settle_doubt(self, connection: asyncpg.Connection, doubt: Doubt) -> None:
        """Was the turn stored whose COMMIT got no answer? Never apply twice, never answer "failed"
        for what is stored. Postgres knows its transaction; a turn that was a single statement has
        none that we know, but its ids were made before the write, so the tables tell."""
        if doubt.transaction_id is not None:
            known = await transactions.committed(connection, doubt.transaction_id)
        else:
            known = await stored(connection, doubt.turn.plan)
        if known:
            self._finish(doubt.turn, doubt.answers)
        else:
            self._inbox.extendleft(entry for entry in reversed(doubt.batch) if not entry[1].done())
        self._doubt = None

    async def run(self) -> None:
        """Turn after turn until :meth:`stop`. Raises ``ConnectionLost`` when the database is
        away; commands then wait for the next :meth:`take_over`, or for :meth:`resign`."""
        while not self._stopping or self._inbox:
            if not self._inbox and not self._again:
                await self.clock.wait(self._wake, self._next_due_ms())
            self._wake.clear()
            self._again = False
            self._busy = True
            batch = self._drain()
            try:
                await self._turn_in_halves(batch)
                if self._bulk_alone:
                    await self._turn_in_halves([])
                    self._bulk_alone = False
                if self._firing.parts:
                    await self._fire_apart()
            except BaseException as error:
                # Also when the loop is cancelled in mid-turn: no caller may be forgotten.
                self._connection = None
                self._keep(batch)
                if is_lost(error):
                    raise ConnectionLost(str(error)) from error
                raise
            self._busy = False

    def _keep(self, batch: list[Waiting]) -> None:
        """Unanswered commands wait for the next take-over; those in doubt are settled there."""
        doubtful = set() if self._doubt is None else {future for _, future in self._doubt.batch}
        self._inbox.extendleft(
            entry for entry in reversed(batch) if not entry[1].done() and entry[1] not in doubtful
        )

    def stop(self) -> None:
        """Finish what is in the inbox and return from :meth:`run`."""
        self._stopping = True
        self._wake.set()

    def resign(self) -> None:
        """The database or the lease is gone for longer: refuse everything until the next
        take-over. What is in doubt is answered with the truth then, or here with UNAVAILABLE."""
        self._connection = None
        self._open = False
        self._refuse(list(self._inbox))
        self._inbox.clear()
        if self._doubt is not None:
            self._refuse(self._doubt.batch, DATABASE_AWAY_IN_DOUBT)

    def _drain(self) -> list[Waiting]:
        batch: list[Waiting] = []
        load = 0
        inbox = self._inbox
        while inbox and (load < TURN_WEIGHT_MAX):
            entry = inbox.popleft()
            if not entry[1].cancelled():
                batch.append(entry)
                load += weight(entry[0])
        return batch

    def _refuse(self, entries: list[Waiting], reason: str = DATABASE_AWAY) -> None:
        for _, future in entries:
            if not future.done():
                future.set_exception(Refused(Code.UNAVAILABLE, reason))

    # ------------------------------------------------------------ one turn

    async def _turn_in_halves(self, batch: list[Waiting]) -> None:
        try:
            await self._turn(batch)
        except Exception as error:
            connection = self._still_there(error)
            if self._firing.fired:
                await self._firing.failed(connection, self._stamp(), error)
                await self._recover(connection)
                await self._turn_in_halves(batch)  # without them
                return
            operation = self._stepping(batch)
            if operation is not None and not batch:
                # It fails all by itself, and would for ever.
                log.exception("bulk_operation_given_up", id=str(operation.id))
                await bulk.give_up(connection, operation, from_ms(self._stamp()), error)
                self._bulk_alone = False
            await self._recover(connection)
            if operation is not None:
                self._bulk_alone = bool(batch)  # commands must not suffer for it
                if batch:
                    await self._turn_in_halves(batch)
                return
            if len(batch) > 1:
                middle = len(batch) // 2
                await self._turn_in_halves(batch[:middle])
                await self._turn_in_halves(batch[middle:])
                return
            log.exception("turn_failed", commands=[type(entry[0]).__name__ for entry in batch])
            if not batch:
                raise  # not a caller's fault: timers or placement
            if not batch[0][1].done():
                batch[0][1].set_exception(answer_of(error))

    async def _fire_apart(self) -> None:
        """A turn of nothing but the next part of what is to be fired. Timers have had their turn
        just before, so that one that fails fails there."""
        try:
            await self._turn([], apart=self._firing.parts[-1])
            self._firing.parts.pop()
        except Exception as error:
            connection = self._still_there(error)
            if not self._firing.fired:
                raise
            await self._firing.failed(connection, self._stamp(), error)
            await self._recover(connection)
        self._again = True

    def _still_there(self, error: Exception) -> asyncpg.Connection:
        """The connection after a failed turn. Raises if the connection is what has failed."""
        connection = self._connection
        if is_lost(error):
            raise error
        if self._doubt is not None or connection is None or connection.is_closed():
            raise ConnectionLost(str(error)) from error
        return connection

    async def _recover(self, connection: asyncpg.Connection) -> None:
        self.hot = await recover(connection, self._stamp(), self.hot)
        self._again = True  # the windows are to be read anew

    def _stepping(self, batch: list[Waiting]) -> Operation | None:
        """The operation on many runs that takes a step in the turn of this batch."""
        if not self.hot.bulk or (self._bulk_alone and batch):
            return None
        return self.hot.bulk[0]

    async def _turn(self, batch: list[Waiting], *, apart: frozenset[UUID] | None = None) -> None:
        """``apart``: the schedules to be fired, apart from all else that may be left out."""
        connection = self._connection
        assert connection is not None
        now_ms = self._stamp()
        self._firing.fired = []
        await self._ensure_partitions(connection, now_ms)
        turn = Turn(self.hot, self._ids, self.limits, now_ms)
        turn.apart = apart
        self._firing.fired = turn.fired
        turn.events = [] if self._watchers.active else None
        self._signs.write_due(turn)
        loader = Loader(connection, turn)
        await loader.timers()
        await loader.windows()
        answers: list[tuple[asyncio.Future[Any], Any]] = []
        direct = [entry for entry in batch if type(entry[0]) in DIRECT]
        doubt = Doubt(turn, batch, answers)
        if direct:
            transaction = connection.transaction()
            await transaction.start()
            try:
                await self._decide_direct(connection, turn, direct, answers)
                await self._decide(turn, loader, batch, answers)
                await write(connection, prepare(turn.plan))
                doubt.transaction_id = await transactions.current_id(connection)
            except BaseException:
                if not connection.is_closed():
                    await transaction.rollback()
                raise
            await self._store(doubt, transaction.commit())
        else:
            await self._decide(turn, loader, batch, answers)
            if not turn.plan.empty:
                await self._store(doubt, write(connection, prepare(turn.plan)))
        self._finish(turn, answers)

    async def _store(self, doubt: Doubt, storing: Awaitable[None]) -> None:
        """Do what makes the turn durable; until it has answered, the turn is in doubt."""
        self._doubt = doubt
        try:
            await storing
        except BaseException as error:
            # Refused by Postgres: surely not stored. Anything else leaves it open.
            if isinstance(error, asyncpg.PostgresError) and not is_lost(error):
                self._doubt = None
            raise
        self._doubt = None

    def _finish(self, turn: Turn, answers: list[tuple[asyncio.Future[Any], Any]]) -> None:
        """The turn is stored: tell everybody."""
        self.turns += 1
        self.hot.dags.shrink()
        try:
            announce(turn, self._waiters, self._watchers)
        except Exception:
            # Stored is stored: running the commands again would apply them twice.
            log.exception("announce_failed")
        for future, answer in answers:
            if future.done():
                continue
            if isinstance(answer, Refused):  # of a part of the command; the rest is stored
                future.set_exception(answer)
            else:
                future.set_result(answer)
        hot = self.hot
        self._again = bool(
            hot.bulk
            or hot.pauses.released
            or hot.batches.changed
            or hot.ongoing
            or hot.stranded.due
            or hot.groups.unsure
            or self._firing.parts
        )

    async def _decide_direct(
        self,
        connection: asyncpg.Connection,
        turn: Turn,
        entries: list[Waiting],
        answers: list[tuple[asyncio.Future[Any], Any]],
    ) -> None:
        for command, future in entries:
            try:
                answers.append((future, await DIRECT[type(command)](connection, turn, command)))
            except Refused as refused:
                if not future.done():
                    future.set_exception(refused)

    async def _decide(
        self,
        turn: Turn,
        loader: Loader,
        batch: list[Waiting],
        answers: list[tuple[asyncio.Future[Any], Any]],
    ) -> None:
        triggers = [command for command, _ in batch if isinstance(command, TriggerRuns)]
        await turn.repeats.read(loader.connection, turn.now_ms, triggers)
        await loader.keys(triggers, [one for one, _ in batch if isinstance(one, PushEvents)])
        decide_timers(turn, loader)
        if turn.apart is not None or not self._firing.parts:
            await fire_due(loader, turn, busy=bool(batch))
        for command, future in batch:
            decide = DECIDE.get(type(command))
            if decide is None:
                continue
            try:
                await loader.command(command)
                answers.append((future, decide(turn, command)))
            except Refused as refused:
                if not future.done():
                    future.set_exception(refused)
        if turn.apart is None and self._stepping(batch) is not None:
            await bulk.step(loader.connection, turn)
        await age(loader.connection, turn)
        if self.hot.stranded.due:
            await call_back(loader.connection, turn)
        await self._settle(turn, loader)
        free_keys(turn)
        release_waiting(turn)
        await ripen(loader.connection, turn)
        place(turn)
        tell_waiting(turn)
        plan_ageing(turn)
        forget_large_inputs(turn)
        await loader.payloads(turn.deliveries)
        for dag in turn.touched:
            dag.forget_large()

    async def _settle(self, turn: Turn, loader: Loader) -> None:
        """Follow all that was noted to the end; what must be read on the way is read."""
        while turn.noted:
            if turn.facts:
                settle(turn, await load_noted(loader.connection, turn))
            elif turn.evicted:
                await evict(loader, turn)
            elif turn.joining:
                join(turn)
            else:
                await admit(loader.connection, turn)

    def _stamp(self) -> int:
        """The turn's time: never goes backwards."""
        self._now_ms = max(self._now_ms, self.clock.now_ms())
        return self._now_ms

    async def _ensure_partitions(self, connection: asyncpg.Connection, now_ms: int) -> None:
        margin_ms = partitions.DAY_MS
        if now_ms + margin_ms >= self._partitions_until_ms:
            async with connection.transaction():
                self._partitions_until_ms = await partitions.create_ahead(connection, now_ms)
