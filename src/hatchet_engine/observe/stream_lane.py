"""The lane of stream chunks: into order, to Postgres in batches, then to those who read live.

Streams stay outside of the turn, like logs, so that a talkative task never slows tasks down: a
bounded queue, one connection of its own, COPY. Unlike logs nothing is dropped: a full queue makes
its callers wait. A chunk's place in the stream of its run is fixed here, once, by its id: whoever
reads, now or later, from the table or live, gets the same chunks in the same order, and may resume
at the count of those it has seen.

Our SDK keeps its chunks until it hears that they are stored, and sends them again after a broken
connection: of chunks that name their attempt and index, the first is taken and others are not.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar
from uuid import UUID

from hatchet_engine.domain.errors import Code, Refused, invalid, not_found
from hatchet_engine.domain.ids import IdSource, time_ms
from hatchet_engine.observe.chunk_order import ChunkOrder
from hatchet_engine.observe.chunk_queue import ChunkQueue
from hatchet_engine.observe.chunk_store import (
    AWAY,
    RETRY_S_MAX,
    RETRY_S_MIN,
    ChunkStore,
    Superseded,
)
from hatchet_engine.observe.task_runs import TaskRuns
from hatchet_engine.store.streams import Chunk, TaskPlace

# A chunk is told as text, and a byte that is no text becomes three: it must fit into 4 MiB still.
CHUNK_BYTES_MAX = 1024 * 1024
ATTEMPTS_KEPT_MAX = 10_000  # attempts whose order is remembered
STOP_TIMEOUT_S = 5.0

Attempt = tuple[UUID, int]  # task id, attempt
T = TypeVar("T")
_log = logging.getLogger(__name__)


class _Stream:
    """What one attempt of a task has streamed."""

    __slots__ = ("attempt", "order", "run_id", "tenant_id")

    def __init__(self, tenant_id: UUID, run_id: UUID, attempt: Attempt, order: ChunkOrder) -> None:
        self.tenant_id = tenant_id
        self.run_id = run_id
        self.attempt = attempt
        self.order = order


class StreamLane:
    """``put`` from the event loop; ``start`` and ``stop`` around it.

    ``owner`` tells whether this node owns the shard: another one may not put chunks into the order.
    ``deliver`` gets chunks after they are stored, in order; it must not raise. ``repeated`` counts
    chunks that had come before.
    """

    def __init__(
        self,
        store: ChunkStore,
        task_runs: TaskRuns,
        deliver: Callable[[Sequence[Chunk]], None],
        now_ms: Callable[[], int],
        *,
        owner: Callable[[], bool] = lambda: True,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.repeated = 0
        self._store = store
        self._task_runs = task_runs
        self._queue = ChunkQueue(store, deliver)
        self._now_ms = now_ms
        self._owner = owner
        self._ids = IdSource(random_bytes)
        self._behind_ms = 0  # ids are not earlier than that
        self._streams: OrderedDict[Attempt, _Stream] = OrderedDict()
        self._holding: dict[Attempt, _Stream] = {}  # those with a gap
        self._behind_gaps: list[tuple[set[Attempt], asyncio.Future[None]]] = []
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Chunks that were taken and are not yet stored."""
        return self._queue.waiting

    @property
    def stored(self) -> int:
        return self._queue.stored

    @property
    def dropped(self) -> int:
        """Chunks that were taken but not stored."""
        return self._queue.dropped

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="stream-lane")

    async def stop(self) -> None:
        """Store what is there, for at most ``STOP_TIMEOUT_S``; then close."""
        self._stopping = True
        self._release_held(lambda stream: True)
        self._wake.set()
        self._queue.close()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=STOP_TIMEOUT_S)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._queue.end()
        await self._store.close()

    # ------------------------------------------------------------ chunks in

    async def put(
        self,
        tenant_id: UUID,
        task_id: UUID,
        data: bytes,
        index: int | None,
        attempt: int | None,
        *,
        again: bool = False,
    ) -> Attempt:
        """Take one chunk of an attempt, which is returned once it is in the queue; waits for room
        before.

        ``attempt`` None: the present one. ``again``: it was sent before, and may be stored. Raises
        ``Refused``: INVALID_ARGUMENT for a chunk that is too large, NOT_FOUND for an unknown task,
        UNAVAILABLE when the lane stops.
        """
        if len(data) > CHUNK_BYTES_MAX:
            raise invalid(
                f"the chunk is {len(data)} bytes long, the limit is {CHUNK_BYTES_MAX}: put it in "
                "pieces",
                field="message",
            )
        if self._queue.is_full:
            await self._queue.room()
        place = None
        known = None if attempt is None else self._streams.get((task_id, attempt))
        if known is None:
            place = await self._place(tenant_id, task_id)
            key = (task_id, place.attempt if attempt is None else attempt)
            known = self._streams.get(key) or await self._meet(
                tenant_id, place.run_id, key, look=again or bool(index)
            )
        if known.tenant_id != tenant_id:
            raise _unknown(task_id)
        if self._stopping:
            raise Refused(Code.UNAVAILABLE, "the server is stopping: try again")
        if attempt is not None and index is not None and known.order.repeats(index):
            self.repeated += 1
            return known.attempt
        self._take(known, Chunk(tenant_id, known.run_id, *known.attempt, index, data))
        return known.attempt

    async def _place(self, tenant_id: UUID, task_id: UUID) -> TaskPlace:
        """The run of a task and its present attempt."""
        place = self._task_runs.running(tenant_id, task_id)
        if place is not None:
            return place
        if not self._owner():
            raise Refused(Code.UNAVAILABLE, "another node has this task's stream: try again")
        place = await self._patiently(lambda: self._task_runs.find(tenant_id, task_id))
        if place is None:
            raise _unknown(task_id)
        return place

    async def _meet(self, tenant_id: UUID, run_id: UUID, attempt: Attempt, look: bool) -> _Stream:
        """The first chunk of an attempt, as far as this lane knows. ``look``: it may not be the
        very first, because it has an index, or was sent before: see what is stored."""
        passed: Sequence[tuple[int, int]] = ()
        if look:
            task_id, number = attempt
            place = TaskPlace(run_id, number)
            await self._queue_stored()  # an attempt that was forgotten may have chunks in there
            await self._patiently(self._claim)
            passed, latest = await self._patiently(
                lambda: self._task_runs.stored(tenant_id, task_id, place)
            )
            if latest is not None:
                # Another clock may have stamped it: what comes now stands behind it all the same.
                self._behind_ms = max(self._behind_ms, time_ms(latest) + 1)
        known = self._streams.get(attempt)  # another chunk may have come meanwhile
        if known is None:
            known = _Stream(tenant_id, run_id, attempt, ChunkOrder(passed))
            self._streams[attempt] = known
            self._end_earlier(attempt)
            self._forget_old()
        return known

    def _end_earlier(self, attempt: Attempt) -> None:
        """A task runs anew: nobody will fill the gaps of its earlier attempts."""
        task_id, number = attempt
        self._release_held(lambda one: one.attempt[0] == task_id and one.attempt[1] < number)

    def _forget_old(self) -> None:
        while len(self._streams) > ATTEMPTS_KEPT_MAX:
            _, stream = self._streams.popitem(last=False)
            self._release(stream, stream.order.flush())

    async def _patiently(self, look: Callable[[], Awaitable[T]]) -> T:
        """Look into the table, however long the database is away: the caller waits meanwhile."""
        wait_s = RETRY_S_MIN
        while True:
            try:
                return await look()
            except AWAY as error:
                if self._stopping:
                    raise
                _log.warning("stream lane: %s", error)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, RETRY_S_MAX)

    async def _claim(self) -> None:
        try:
            await self._store.claim()
        except Superseded:
            self._give_up()
            raise Refused(Code.UNAVAILABLE, "another node has had this stream: try again") from None

    def _take(self, stream: _Stream, chunk: Chunk) -> None:
        self._queue.take(chunk)
        self._release(stream, stream.order.push(chunk, self._now_ms()))
        if stream.attempt in self._streams:
            self._streams.move_to_end(stream.attempt)

    def _release(self, stream: _Stream, chunks: Sequence[Chunk]) -> None:
        """Fix the places of these chunks, the next ones of their run."""
        if chunks:
            now_ms = max(self._now_ms(), self._behind_ms)
            for chunk in chunks:
                chunk.id = self._ids.new(now_ms)
            self._queue.add(chunks)
            self._wake.set()
        if stream.order.due_ms is not None:
            self._holding[stream.attempt] = stream
            self._wake.set()
        elif self._holding.pop(stream.attempt, None) is not None:
            self._gap_has_gone(stream.attempt)

    def _release_held(self, wanted: Callable[[_Stream], bool]) -> None:
        for stream in list(self._holding.values()):
            if wanted(stream):
                self._release(stream, stream.order.flush())

    # ------------------------------------------------------------ for those who wait

    def when_stored(self, attempts: Iterable[Attempt]) -> asyncio.Future[None]:
        """Set when all chunks of these attempts that were taken up to now are stored, or refused
        by Postgres; cancelled when the lane stops before. Gaps are not given up for it."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        held = {attempt for attempt in attempts if attempt in self._holding}
        if held:
            self._behind_gaps.append((held, future))
        else:
            self._queue.reach(future)
        return future

    def _gap_has_gone(self, attempt: Attempt) -> None:
        waiting, self._behind_gaps = self._behind_gaps, []
        for attempts, future in waiting:
            attempts.discard(attempt)
            if attempts:
                self._behind_gaps.append((attempts, future))
            else:
                self._queue.reach(future)

    async def _queue_stored(self) -> None:
        await asyncio.wait({self.when_stored(())})  # ended in any way

    # ------------------------------------------------------------ for readers

    def has_waiting(self, run_id: UUID) -> bool:
        """Whether chunks of the run were taken and are not yet stored."""
        return self._queue.has_run(run_id)

    def has_gap(self, run_id: UUID) -> bool:
        """Whether chunks of the run are held because others are missing."""
        return any(stream.run_id == run_id for stream in self._holding.values())

    async def settle(self, run_id: UUID, task_id: UUID | None = None) -> None:
        """Give up the gaps of a run, or of one task of it, and return when everything of it that
        was taken up to now is stored and delivered."""
        if not self._queue.has_run(run_id):
            return
        self._release_held(
            lambda stream: stream.run_id == run_id and task_id in (None, stream.attempt[0])
        )
        await self._queue_stored()

    # ------------------------------------------------------------ to Postgres and on

    async def _run(self) -> None:
        while True:
            self._release_held(self._is_overdue)
            if self._queue:
                if not await self._queue.store_batch():
                    self._give_up()
            elif self._stopping:
                return
            else:
                await self._sleep()

    def _is_overdue(self, stream: _Stream) -> bool:
        due_ms = stream.order.due_ms
        return due_ms is not None and due_ms <= self._now_ms()

    async def _sleep(self) -> None:
        self._wake.clear()
        due = [stream.order.due_ms for stream in self._holding.values()]
        due_ms = min((one for one in due if one is not None), default=None)
        rest_s = None if due_ms is None else max(due_ms - self._now_ms(), 0) / 1_000
        try:
            async with asyncio.timeout(rest_s):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _give_up(self) -> None:
        """Another node has owned the shard: whoever keeps chunks sends them again, to be compared
        with what is stored now."""
        waiting, self._behind_gaps = self._behind_gaps, []
        for _, future in waiting:
            future.cancel()
        self._release_held(lambda stream: True)
        self._streams.clear()
        self._queue.give_up()


def _unknown(task_id: UUID) -> Refused:
    return not_found(f"task_run_external_id: there is no task {task_id}")
