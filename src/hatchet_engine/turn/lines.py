"""Lines: where tasks stand that wait for something other than a worker.

The name of a line says what it waits for: a place under a concurrency key, units of a rate limit,
the end of a pause. Nobody looks at a line before that comes. Like queues, lines in memory are
windows on a table (``parked_item``); since there may be very many lines, all of them together keep
a bounded number of items.
"""

from __future__ import annotations

import heapq
from uuid import UUID

from hatchet_engine.turn.queues import Key, Queued, Window
from hatchet_engine.turn.shapes import Entry

LINE_WINDOW_MAX = 200  # items kept of one line
LINE_ITEMS_MAX = 100_000  # items kept of all lines


class Shelf:
    """How many items all lines together keep in memory."""

    __slots__ = ("kept",)

    def __init__(self) -> None:
        self.kept = 0


class Line(Window):
    """Those who wait for one thing, in the order in which they will get it."""

    __slots__ = ("_batched", "_shelf", "heap", "id", "size", "wanted")

    def __init__(self, id: str, shelf: Shelf, depth: int = 0, size: int = 0) -> None:
        super().__init__(depth)
        self.id = id
        self.heap: list[Entry] = []
        self.size = size  # bytes of all who stand in it; counted for batches only
        self._batched = is_batch_line(id)
        self.wanted = 1  # how many are to be in memory at least
        self._shelf = shelf

    @property
    def most(self) -> int:
        return max(LINE_WINDOW_MAX, 2 * self.wanted)

    @property
    def wants_reading(self) -> bool:
        return not self.complete and len(self.items) < self.wanted

    def add(self, item: Queued) -> None:
        if self._batched:
            self.size += item.size
        if self.complete and self._shelf.kept >= LINE_ITEMS_MAX:
            self.complete = False
            self.edge = max((entry[:3] for entry in self._entries()), default=None)
        super().add(item)

    def first(self) -> Queued | None:
        """The next item of the window."""
        heap = self.heap
        while heap:
            item = heap[0][3]
            if self.items.get(item.task_id) is item:
                return item
            heapq.heappop(heap)
        return None

    def pop(self) -> Queued | None:
        """The next item of the window; it stays counted until :meth:`remove`."""
        item = self.first()
        if item is not None:
            heapq.heappop(self.heap)
        return item

    def put_back(self, item: Queued) -> None:
        """Return an item that was popped but can't be let go."""
        heapq.heappush(self.heap, (item.rank, item.round, item.task_id, item))

    def remove(self, item: Queued) -> None:
        """The item has left; works for items outside the window too."""
        self.depth -= 1
        if self._batched:
            self.size -= item.size
        if self.items.pop(item.task_id, None) is not None:
            self._shelf.kept -= 1
        if len(self.heap) > 2 * len(self.items) + self.most:
            self.heap = list(self._entries())
            heapq.heapify(self.heap)

    def stands_before(self, item: Queued) -> bool:
        """Whether somebody comes before this one; if that is in the table only, perhaps."""
        if self.depth == 0:
            return False
        key: Key = (item.rank, 0, item.task_id)  # in a line nobody has a round
        first = self.first()
        if first is not None and (first.rank, 0, first.task_id) < key:
            return True
        return not self.holds(key)

    def take_in(self, items: list[Queued]) -> None:
        """Items of this very turn that the window should hold since more of it was read."""
        for item in items:
            key: Key = (item.rank, item.round, item.task_id)
            if item.task_id not in self.items and self.holds(key):
                self._push(item)

    def _push(self, item: Queued) -> None:
        heapq.heappush(self.heap, (item.rank, item.round, item.task_id, item))
        self.items[item.task_id] = item
        self._shelf.kept += 1

    def _keep(self, entries: list[Entry]) -> None:
        self._shelf.kept -= len(self.items) - len(entries)
        self.heap = entries  # sorted, hence a heap
        self.items = {entry[2]: entry[3] for entry in entries}


class Lines:
    """All lines in which somebody stands."""

    def __init__(self) -> None:
        self.by_id: dict[str, Line] = {}
        self._shelf = Shelf()

    def get(self, id: str) -> Line:
        """The line of this name, which may be empty."""
        line = self.by_id.get(id)
        if line is None:
            line = self.by_id[id] = Line(id, self._shelf)
        return line

    def restore(self, id: str, depth: int, size: int) -> Line:
        """A line as the table has it, nothing of it read yet."""
        line = self.by_id[id] = Line(id, self._shelf, depth, size)
        return line

    def forget(self, line: Line) -> None:
        """An empty line costs nothing."""
        if line.depth == 0 and self.by_id.get(line.id) is line:
            del self.by_id[line.id]


def place_line(limit_id: int, key: str) -> str:
    return f"c{limit_id}:{key}"


def is_place_line(id: str) -> bool:
    return id.startswith("c")


def is_pause_line(id: str) -> bool:
    return id.startswith(("p", "t"))


def batch_line(version_id: UUID, step: int, group: str) -> str:
    """Of those who go to a worker together."""
    return f"b{version_id.hex}.{step}:{group}"


def is_batch_line(id: str) -> bool:
    return id.startswith("b")


def batch_of_line(id: str) -> tuple[UUID, int, str]:
    """Version, step and group of a batch line."""
    place, _, group = id.partition(":")
    version, _, step = place[1:].partition(".")
    return UUID(version), int(step), group


def units_line(tenant_id: UUID, key: str) -> str:
    return f"r{tenant_id.hex}:{key}"


def over_line(tenant_id: UUID, key: str, units: int) -> str:
    """Of those who ask for so many units, which is more than the limit allows at all."""
    return f"o{tenant_id.hex}:{units}:{key}"


def read_over_line(id: str) -> tuple[UUID, str, int] | None:
    """Tenant, key and units in the name; None: it is another kind of line."""
    if not id.startswith("o"):
        return None
    tenant, units, key = id[1:].split(":", 2)
    return UUID(tenant), key, int(units)


def workflow_pause_line(workflow_id: UUID) -> str:
    return f"p{workflow_id.hex}"


def tenant_pause_line(tenant_id: UUID) -> str:
    return f"t{tenant_id.hex}"


def is_units_line(id: str) -> bool:
    return id.startswith(("r", "o"))


def no_worker_line(queue_id: int, worker_id: UUID | None, digest: str) -> str:
    """Of those for whom no worker of the queue qualifies. ``worker_id``: no other will do."""
    return f"w{queue_id}:{worker_id.hex if worker_id else ''}:{digest}"


def read_no_worker_line(id: str) -> tuple[int, UUID | None] | None:
    """The queue and the worker in the name; None: it is another kind of line."""
    if not id.startswith("w"):
        return None
    queue_id, worker_id, _ = id[1:].split(":")
    return int(queue_id), UUID(worker_id) if worker_id else None
