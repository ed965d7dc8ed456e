"""Lines: where tasks stand that wait for something other than a worker.

The name of a line says what it waits for: a place under a concurrency key, units of a rate limit,
the end of a pause. Nobody looks at a line before that comes. Like queues, lines in memory are
windows on a table (``parked_item``); since there may be very many lines, all of them together keep
a bounded number of items.
"""

from __future__ import annotations

from uuid import UUID

from hatchet_engine.turn.queues import Key, Queued, Window

LINE_WINDOW_MAX = 200  # items kept of one line
LINE_ITEMS_MAX = 100_000  # items kept of all lines


class Shelf:
    """How many items all lines together keep in memory."""

    __slots__ = ("kept",)

    def __init__(self) -> None:
        self.kept = 0


class Line(Window):
    """Those who wait for one thing, in the order in which they will get it."""

    __slots__ = ("_shelf", "id", "size", "wanted")

    def __init__(self, id: str, shelf: Shelf, depth: int = 0, size: int = 0) -> None:
        super().__init__(depth)
        self.id = id
        self.size = size  # bytes of all who stand in it, for batches
        self.wanted = 1  # how many are to be in memory at least
        self._shelf = shelf

    @property
    def most(self) -> int:
        return max(LINE_WINDOW_MAX, 2 * self.wanted)

    @property
    def wants_reading(self) -> bool:
        return not self.complete and len(self.items) < self.wanted

    def add(self, item: Queued) -> None:
        self.size += item.size
        if self.complete and self._shelf.kept >= LINE_ITEMS_MAX:
            self.complete = False
            self.edge = max((entry[:3] for entry in self._entries()), default=None)
        super().add(item)

    def remove(self, item: Queued) -> None:
        self.size -= item.size
        before = len(self.items)
        super().remove(item)
        self._shelf.kept -= before - len(self.items)

    def take_in(self, items: list[Queued]) -> None:
        """Items of this very turn that the window should hold since more of it was read."""
        for item in items:
            key: Key = (item.rank, item.round, item.task_id)
            if item.task_id not in self.items and self.holds(key):
                self._push(item)

    def _push(self, item: Queued) -> None:
        super()._push(item)
        self._shelf.kept += 1

    def _shrink(self) -> None:
        before = len(self.items)
        super()._shrink()
        self._shelf.kept -= before - len(self.items)


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

    def restore(self, id: str, depth: int, size: int) -> None:
        """A line as the table has it, nothing of it read yet."""
        self.by_id[id] = Line(id, self._shelf, depth, size)

    def forget(self, line: Line) -> None:
        """An empty line costs nothing."""
        if line.depth == 0:
            self.by_id.pop(line.id, None)


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


def over_line(tenant_id: UUID, key: str) -> str:
    """Of those who ask for more units than the limit allows at all."""
    return f"o{tenant_id.hex}:{key}"


def workflow_pause_line(workflow_id: UUID) -> str:
    return f"p{workflow_id.hex}"


def tenant_pause_line(tenant_id: UUID) -> str:
    return f"t{tenant_id.hex}"
