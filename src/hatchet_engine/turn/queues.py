"""Queues in memory: a window on the ``queue_item`` table, never more.

The window of a queue holds exactly the first rows of its table order: everything up to ``edge``.
Rows behind the edge live in the table only, so a backlog of millions costs no memory. While the
window is ``complete`` (the table has nothing behind it) new items join it directly.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from hatchet_engine.domain.demand import Demand
from hatchet_engine.turn.rankings import Rankings
from hatchet_engine.turn.shapes import Entry, Shapes, plain_ranked

if TYPE_CHECKING:
    from hatchet_engine.turn.asks import Rule
    from hatchet_engine.turn.batches import BatchGroup
    from hatchet_engine.turn.definitions import Step
    from hatchet_engine.turn.lines import Line
    from hatchet_engine.turn.shapes import Shape
    from hatchet_engine.turn.workers import Worker

WINDOW_READ = 1_000  # rows per read
WINDOW_MAX = 2_000  # items kept; what is above goes back to the table only
STARVED_WINDOW_MAX = 50_000  # how far to look for something placeable behind what is not
KEPT_INPUT_MAX = 4_096  # characters of input kept in memory for a queued task

Key = tuple[int, int, UUID]  # (rank, round, task id): the order of a queue


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
    """A task waiting for a worker, or in a line for something else."""

    __slots__ = (
        "app_retries",
        "attempt",
        "demand",
        "gone",
        "internal_retries",
        "line",
        "payload",
        "queued_ms",
        "rank",
        "round",
        "run_id",
        "schedule_timeout_ms",
        "shape",
        "shelved",
        "stage",
        "step",
        "stored",
        "task_id",
        "tenant_id",
        "told",
        "whole",
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
        demand: Demand | None = None,
        payload: Payload | None = None,
        stored: bool = False,
        run_id: UUID | None = None,
    ) -> None:
        self.task_id = task_id
        self.tenant_id = tenant_id
        self.step = step
        self.rank = rank
        self.round = 0  # its key's turn among the keys of the queue; 0 without a key
        self.attempt = attempt
        self.app_retries = app_retries
        self.internal_retries = internal_retries
        self.queued_ms = queued_ms
        self.schedule_timeout_ms = schedule_timeout_ms
        self.demand = demand
        self.payload = payload
        self.run_id = task_id if run_id is None else run_id
        self.stored = stored  # has a row in queue_item
        self.shelved = False  # has a row in parked_item
        self.line: Line | None = None  # where it is parked
        self.shape: Shape | None = None  # in the window of its queue: who would take it
        self.told = False  # its activity says that no worker qualifies
        self.stage = 0  # how many of its concurrency rules it has passed
        self.whole = False  # stands for a whole run of several tasks
        self.gone = False  # cancelled, placed or timed out: skip it

    @property
    def size(self) -> int:
        """Bytes of its start payload; known of tasks of batches only."""
        return 0 if self.demand is None else self.demand.size

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The concurrency rules it has to pass."""
        return self.step.version.rules if self.whole else self.step.rules

    def __lt__(self, other: Queued) -> bool:
        # Heaps hold (rank, round, task id, item); ids are unique, so this is never decisive.
        return self.task_id < other.task_id


class Window(ABC):
    """The first waiting items, in order; what is behind ``edge`` is in the table only."""

    __slots__ = ("complete", "depth", "edge", "items")

    def __init__(self, depth: int) -> None:
        self.depth = depth  # all that wait, in memory or not
        self.items: dict[UUID, Queued] = {}  # by task id
        self.complete = depth == 0
        self.edge: Key | None = None  # None: nothing read yet

    @property
    def most(self) -> int:
        """How many items are kept."""
        return WINDOW_MAX

    def holds(self, key: Key) -> bool:
        """Whether an item with this key belongs into the window."""
        return self.complete or (self.edge is not None and key <= self.edge)

    def add(self, item: Queued) -> None:
        """A new item; it stays in the table only when it lies behind the window's edge."""
        self.depth += 1
        if self.holds((item.rank, item.round, item.task_id)):
            self._push(item)
            if len(self.items) > self.most:
                self._shrink()

    def extend(self, items: list[Queued], read_all: bool) -> None:
        """Take in rows just read from behind the edge."""
        for item in items:
            if item.task_id not in self.items:
                self._push(item)
        if items:
            last = items[-1]
            self.edge = (last.rank, last.round, last.task_id)
        self.complete = read_all

    @abstractmethod
    def _push(self, item: Queued) -> None:
        """Take it into the window."""

    def _entries(self) -> Iterator[Entry]:
        """All items of the window with their keys, in any order."""
        return ((one.rank, one.round, one.task_id, one) for one in self.items.values())

    @abstractmethod
    def _keep(self, entries: list[Entry]) -> None:
        """Let go of all others; ``entries`` are in order."""

    def _shrink(self) -> None:
        """Keep the first half; the rest is in the table, or will be with this turn's commit."""
        kept = heapq.nsmallest(self.most // 2, self._entries())
        self._keep(kept)
        self.edge = kept[-1][:3]
        self.complete = False


class Queue(Window):
    """One action of one tenant."""

    __slots__ = (
        "action",
        "fair_depth",
        "id",
        "rankings",
        "requests",
        "ripe",
        "round",
        "shapes",
        "starved",
        "tenant_id",
        "workers",
    )

    def __init__(
        self, id: int, tenant_id: UUID, action: str, depth: int = 0, fair_depth: int = 0
    ) -> None:
        super().__init__(depth)
        self.id = id
        self.tenant_id = tenant_id
        self.action = action
        self.fair_depth = fair_depth  # of them, those that have a round
        self.starved = False  # nothing in the window fits anywhere: read on behind it
        self.round = 0  # the latest round that a task was placed from
        # The different slot requests of its steps: what a worker must have room for to be of use.
        self.requests: dict[tuple[str, str], Mapping[str, int]] = {}
        # Groups of batches that want a worker, in the order in which they get one.
        self.ripe: dict[BatchGroup, None] = {}
        self.workers: list[Worker] = []  # those with this action, a stream and no pause
        self.shapes = Shapes()  # the items of the window, by what they ask for
        self.rankings = Rankings(self.workers, start=id)

    @property
    def most(self) -> int:
        return STARVED_WINDOW_MAX if self.starved else WINDOW_MAX

    @property
    def waits(self) -> bool:
        """Whether something may want a worker."""
        return self.depth > 0 or bool(self.ripe)

    @property
    def wants_reading(self) -> bool:
        """Whether the table has items that could be placed and the window has none."""
        if self.complete:
            return False
        return not self.items or (self.starved and len(self.items) < STARVED_WINDOW_MAX)

    def expect(self, units: Mapping[str, int]) -> None:
        """A step of this action asks for so many slots."""
        self.requests.setdefault(plain_ranked(units), units)

    def add(self, item: Queued) -> None:
        if item.round:
            self.fair_depth += 1
        super().add(item)

    def remove(self, item: Queued) -> None:
        """The item has left; works for items outside the window too."""
        if item.round:
            self.fair_depth -= 1
        self.depth -= 1
        found = self.items.pop(item.task_id, None)
        if found is not None:
            self.shapes.remove(found)

    def extend(self, items: list[Queued], read_all: bool) -> None:
        super().extend(items, read_all)
        self.starved = False

    def _push(self, item: Queued) -> None:
        self.items[item.task_id] = item
        self.shapes.add(item)

    def _keep(self, entries: list[Entry]) -> None:
        self.items = {}
        self.shapes.clear()
        for entry in entries:
            self._push(entry[3])
