"""The lane of stream chunks: into order, to Postgres in batches, then to those who read live.

Streams stay outside of the turn, like logs, so that a talkative task never slows tasks down: a
bounded queue, one connection of its own, COPY. Unlike logs nothing is dropped: a full queue makes
its callers wait. A chunk's place in the stream of its run is fixed here, once, by its id: whoever
reads, now or later, from the table or live, gets the same chunks in the same order, and may resume
at the count of those it has seen.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from uuid import UUID

from hatchet_engine.domain.errors import Code, Refused, invalid, not_found
from hatchet_engine.domain.ids import IdSource
from hatchet_engine.observe.chunk_order import ChunkOrder
from hatchet_engine.observe.chunk_store import AWAY, RETRY_S_MAX, RETRY_S_MIN, ChunkStore
from hatchet_engine.observe.task_runs import TaskRuns
from hatchet_engine.store.streams import Chunk, TaskPlace

QUEUE_CHUNKS_MAX = 20_000
QUEUE_BYTES_MAX = 64 * 1024 * 1024
# A chunk is told as text, and a byte that is no text becomes three: it must fit into 4 MiB still.
CHUNK_BYTES_MAX = 1024 * 1024
BATCH_CHUNKS_MAX = 5_000
BATCH_BYTES_MAX = 8 * 1024 * 1024
TASKS_KEPT_MAX = 10_000  # streams whose order is remembered
STOP_TIMEOUT_S = 5.0

T = TypeVar("T")
_log = logging.getLogger(__name__)


class _TaskStream:
    """What is known of one task's stream: its run, its latest attempt and where that stands."""

    __slots__ = ("attempt", "order", "run_id", "task_id", "tenant_id")

    def __init__(self, tenant_id: UUID, task_id: UUID, place: TaskPlace, expected: int) -> None:
        self.tenant_id = tenant_id
        self.task_id = task_id
        self.run_id, self.attempt = place
        self.order = ChunkOrder(expected)


class StreamLane:
    """``put`` from the event loop; ``start`` and ``stop`` around it.

    ``owner`` tells whether this node owns the shard: another one may not put chunks into the order.
    ``deliver`` gets chunks after they are stored, in order; it must not raise. ``dropped`` counts
    chunks that were taken but not stored: Postgres refused them, or the stop ran out of time.
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
        self.dropped = 0
        self.stored = 0
        self._store = store
        self._task_runs = task_runs
        self._deliver = deliver
        self._now_ms = now_ms
        self._owner = owner
        self._ids = IdSource(random_bytes)
        self._tasks: OrderedDict[UUID, _TaskStream] = OrderedDict()
        self._holding: dict[UUID, _TaskStream] = {}  # streams with a gap, by task
        self._queue: deque[Chunk] = deque()  # in the order of their ids
        self._chunks = self._bytes = 0  # taken and not yet stored
        self._by_run: dict[UUID, int] = {}  # of them
        self._queued = self._done = 0  # chunks that ever were in the queue, and left it
        self._settling: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Chunks not yet stored."""
        return self._chunks

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="stream-lane")

    async def stop(self) -> None:
        """Store what is there, for at most ``STOP_TIMEOUT_S``; then close."""
        self._stopping = True
        self._release_held(lambda stream: True)
        self._wake.set()
        self._room.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=STOP_TIMEOUT_S)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self.dropped += self._chunks
        await self._store.close()
        for _, future in self._settling:
            future.cancel()

    # ------------------------------------------------------------ chunks in

    async def put(
        self, tenant_id: UUID, task_id: UUID, data: bytes, index: int | None, attempt: int | None
    ) -> None:
        """Take one chunk; returns when it is in the queue, and waits for room before.

        ``attempt`` None: the present one. Raises ``Refused``: INVALID_ARGUMENT for a chunk that
        is too large, NOT_FOUND for an unknown task, UNAVAILABLE when the lane stops.
        """
        if len(data) > CHUNK_BYTES_MAX:
            raise invalid(
                f"the chunk is {len(data)} bytes long, the limit is {CHUNK_BYTES_MAX}: put it in "
                "pieces",
                field="message",
            )
        stream = self._tasks.get(task_id) or await self._meet(tenant_id, task_id, index, attempt)
        if stream.tenant_id != tenant_id:
            raise _unknown(task_id)
        while self._is_full and not self._stopping:
            self._room.clear()
            await self._room.wait()
        if self._stopping:
            raise Refused(Code.UNAVAILABLE, "the server is stopping: try again")
        if attempt is None:
            place = self._task_runs.running(tenant_id, task_id)
            attempt = stream.attempt if place is None else place.attempt
        self._take(stream, Chunk(tenant_id, stream.run_id, task_id, attempt, index, data))

    @property
    def _is_full(self) -> bool:
        return self._chunks >= QUEUE_CHUNKS_MAX or self._bytes >= QUEUE_BYTES_MAX

    async def _meet(
        self, tenant_id: UUID, task_id: UUID, index: int | None, attempt: int | None
    ) -> _TaskStream:
        """The first chunk of a task, as far as this lane knows."""
        task_runs = self._task_runs
        place = task_runs.running(tenant_id, task_id)
        if place is None:
            if not self._owner():
                raise Refused(Code.UNAVAILABLE, "another node has this task's stream: try again")
            place = await self._patiently(lambda: task_runs.find(tenant_id, task_id))
        if place is None:
            raise _unknown(task_id)
        if attempt is not None:
            place = TaskPlace(place.run_id, attempt)
        expected = 0
        if index:
            # In the middle: of an earlier life of this server the beginning may be stored.
            last = await self._patiently(lambda: task_runs.last_index(tenant_id, task_id, place))
            expected = 0 if last is None else last + 1
        known = self._tasks.get(task_id)  # another chunk may have come meanwhile
        if known is None:
            known = self._tasks[task_id] = _TaskStream(tenant_id, task_id, place, expected)
            self._forget_old()
        return known

    def _forget_old(self) -> None:
        while len(self._tasks) > TASKS_KEPT_MAX:
            _, stream = self._tasks.popitem(last=False)
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

    def _take(self, stream: _TaskStream, chunk: Chunk) -> None:
        self._chunks += 1
        self._bytes += len(chunk.data)
        self._by_run[chunk.run_id] = self._by_run.get(chunk.run_id, 0) + 1
        if chunk.attempt > stream.attempt:
            self._release(stream, stream.order.flush())
            stream.attempt = chunk.attempt
            stream.order = ChunkOrder()
        if chunk.attempt == stream.attempt:
            self._release(stream, stream.order.push(chunk, self._now_ms()))
        else:
            self._release(stream, [chunk])  # of an attempt that is over: better late than never
        if chunk.task_id in self._tasks:
            self._tasks.move_to_end(chunk.task_id)

    def _release(self, stream: _TaskStream, chunks: Sequence[Chunk]) -> None:
        """Fix the places of these chunks, the next ones of their run."""
        if stream.order.due_ms is None:
            self._holding.pop(stream.task_id, None)
        else:
            self._holding[stream.task_id] = stream
            self._wake.set()
        if chunks:
            now_ms = self._now_ms()
            for chunk in chunks:
                chunk.id = self._ids.new(now_ms)
            self._queue.extend(chunks)
            self._queued += len(chunks)
            self._wake.set()

    def _release_held(self, wanted: Callable[[_TaskStream], bool]) -> None:
        for stream in list(self._holding.values()):
            if wanted(stream):
                self._release(stream, stream.order.flush())

    # ------------------------------------------------------------ for readers

    def has_waiting(self, run_id: UUID) -> bool:
        """Whether chunks of the run were taken and are not yet stored."""
        return run_id in self._by_run

    def has_gap(self, run_id: UUID) -> bool:
        """Whether chunks of the run are held because others are missing."""
        return any(stream.run_id == run_id for stream in self._holding.values())

    async def settle(self, run_id: UUID, task_id: UUID | None = None) -> None:
        """Give up the gaps of a run, or of one task of it, and return when everything of it that
        was taken up to now is stored and delivered."""
        if run_id not in self._by_run:
            return
        self._release_held(
            lambda stream: stream.run_id == run_id and task_id in (None, stream.task_id)
        )
        if self._done >= self._queued:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._settling.append((self._queued, future))
        await future

    # ------------------------------------------------------------ to Postgres and on

    async def _run(self) -> None:
        while True:
            self._release_held(self._is_overdue)
            if self._queue:
                await self._flush(self._batch())
            elif self._stopping:
                return
            else:
                await self._sleep()

    def _is_overdue(self, stream: _TaskStream) -> bool:
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

    def _batch(self) -> list[Chunk]:
        queue = self._queue
        batch: list[Chunk] = []
        size = 0
        while queue and len(batch) < BATCH_CHUNKS_MAX and size < BATCH_BYTES_MAX:
            chunk = queue.popleft()
            size += len(chunk.data)
            batch.append(chunk)
        return batch

    async def _flush(self, batch: list[Chunk]) -> None:
        stored = await self._store.store(batch)
        self.stored += len(stored)
        self.dropped += len(batch) - len(stored)
        for chunk in batch:
            self._bytes -= len(chunk.data)
            left = self._by_run[chunk.run_id] - 1
            if left:
                self._by_run[chunk.run_id] = left
            else:
                del self._by_run[chunk.run_id]
        self._chunks -= len(batch)
        self._done += len(batch)
        try:
            self._deliver(stored)
        except Exception:
            _log.exception("stream lane: chunks were not delivered; readers find them in the table")
        self._room.set()
        while self._settling and self._settling[0][0] <= self._done:
            _, future = self._settling.popleft()
            if not future.done():
                future.set_result(None)


def _unknown(task_id: UUID) -> Refused:
    return not_found(f"task_run_external_id: there is no task {task_id}")
