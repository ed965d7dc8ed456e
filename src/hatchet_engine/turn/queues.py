"""Queues in memory: a window on the ``queue_item`` table, never more.

The window of a queue holds exactly the first rows of its table order: everything up to ``edge``.
Rows behind the edge live in the table only, so a backlog of millions costs no memory. While the
window is ``complete`` (the table has nothing behind it) new items join it directly.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from hatchet_engine.turn.definitions import Step
    from hatchet_engine.turn.workers import Worker

WINDOW_READ = 1_000  # rows per read
WINDOW_MAX = 2_000  # items kept; what is above goes back to the table only
STARVED_WINDOW_MAX = 50_000  # how far to look for something placeable behind what is not
KEPT_INPUT_MAX = 4_096  # characters of input kept in memory for a queued task

Key = tuple[int, UUID]  # (rank, task id): the order of the queue


@dataclass(slots=True)
class Payload:
    """What a start message needs besides the definition; kept only for young tasks."""

    run_id: UUID
    input: str
    metadata: str
    priority: int
    created_ms: int
    parent_task_id: UUID | None = None
    child_index: int | None = None
    child_key: str | None = None
    context: str = ""  # JSON object text with parents, triggers, step_run_errors; "" = none


class Queued:
    """A task waiting for a worker."""

    __slots__ = (
        "app_retries",
        "attempt",
        "demand",
        "gone",
        "internal_retries",
        "payload",
        "queued_ms",
        "rank",
        "run_id",
        "schedule_timeout_ms",
        "step",
        "stored",
        "task_id",
        "tenant_id",
    )

    def __init__(
        self,
        task_id: UUID,
        tenant_id: UUID,
        step: Step,
        rank: int,
        attempt: int,
        app_retries: int,
        internal_retries: int,
        queued_ms: int,
        schedule_timeout_ms: int,
        demand: str | None = None,
        payload: Payload | None = None,
        stored: bool = False,
        run_id: UUID | None = None,
    ) -> None:
        self.task_id = task_id
        self.tenant_id = tenant_id
        self.step = step
        self.rank = rank
        self.attempt = attempt
        self.app_retries = app_retries
        self.internal_retries = internal_retries
        self.queued_ms = queued_ms
        self.schedule_timeout_ms = schedule_timeout_ms
        self.demand = demand
        self.payload = payload
        self.run_id = task_id if run_id is None else run_id
        self.stored = stored  # has a row in queue_item
        self.gone = False  # cancelled, placed or timed out: skip it

    def __lt__(self, other: Queued) -> bool:
        # The heap holds (rank, task id, item); ids are unique, so this is never decisive.
        return self.task_id < other.task_id


class Queue:
    """One action of one tenant."""

    __slots__ = (
        "action",
        "complete",
        "depth",
        "edge",
        "heap",
        "id",
        "items",
        "requests",
        "starved",
        "tenant_id",
        "workers",
    )

    def __init__(self, id: int, tenant_id: UUID, action: str, depth: int = 0) -> None:
        self.id = id
        self.tenant_id = tenant_id
        self.action = action
        self.depth = depth  # all queued tasks, in memory or not
        self.heap: list[tuple[int, UUID, Queued]] = []
        self.items: dict[UUID, Queued] = {}  # the window by task id
        self.complete = depth == 0
        self.edge: Key | None = None  # None: nothing read yet
        self.starved = False  # nothing in the window fits anywhere: read on behind it
        # The different slot requests of its steps: what a worker must have room for to be of use.
        self.requests: list[dict[str, int]] = []
        self.workers: list[Worker] = []  # those with this action, a stream and no pause

    @property
    def wants_reading(self) -> bool:
        """Whether the table has items that could be placed and the window has none."""
        if self.complete:
            return False
        return not self.items or (self.starved and len(self.items) < STARVED_WINDOW_MAX)

    def holds(self, key: Key) -> bool:
        """Whether an item with this key belongs into the window."""
        return self.complete or (self.edge is not None and key <= self.edge)

    def add(self, item: Queued) -> None:
        """A new item; it stays in the table only when it lies behind the window's edge."""
        self.depth += 1
        if self.holds((item.rank, item.task_id)):
            self._push(item)
            if len(self.items) > WINDOW_MAX and not self.starved:
                self._shrink()

    def put_back(self, items: list[Queued]) -> None:
        """Return items that were popped but could not be placed."""
        for item in items:
            heapq.heappush(self.heap, (item.rank, item.task_id, item))

    def pop(self) -> Queued | None:
        """The next item of the window; it stays counted until :meth:`remove`."""
        heap = self.heap
        while heap:
            item = heapq.heappop(heap)[2]
            if not item.gone:
                return item
        return None

    def remove(self, item: Queued) -> None:
        """The item was placed, cancelled or timed out; works for items outside the window too."""
        item.gone = True
        self.depth -= 1
        self.items.pop(item.task_id, None)
        if len(self.heap) > 2 * len(self.items) + WINDOW_MAX:
            self.heap = [entry for entry in self.heap if not entry[2].gone]
            heapq.heapify(self.heap)

    def extend(self, items: list[Queued], read_all: bool) -> None:
        """Take in rows just read from behind the edge."""
        for item in items:
            if item.task_id not in self.items:
                self._push(item)
        if items:
            last = items[-1]
            self.edge = (last.rank, last.task_id)
        self.complete = read_all
        self.starved = False

    def _push(self, item: Queued) -> None:
        heapq.heappush(self.heap, (item.rank, item.task_id, item))
        self.items[item.task_id] = item

    def _shrink(self) -> None:
        """Keep the first half; the rest is in the table, or will be with this turn's commit."""
        kept = heapq.nsmallest(WINDOW_MAX // 2, (entry for entry in self.heap if not entry[2].gone))
        self.heap = kept  # sorted, hence a heap
        self.items = {entry[1]: entry[2] for entry in kept}
        self.edge = kept[-1][:2]
        self.complete = False
