"""The lines of tasks for which no connected worker qualifies."""

from __future__ import annotations

from uuid import UUID

from hatchet_engine.turn.lines import Line, read_no_worker_line
from hatchet_engine.turn.shapes import Shape
from hatchet_engine.turn.workers import Worker

Place = tuple[int, UUID | None]  # a queue, and the worker that alone will do


class Stranded:
    """``due``: lines for which a worker has come that may qualify."""

    def __init__(self) -> None:
        self._lines: dict[Place, dict[Line, Shape | None]] = {}
        self.due: dict[Line, None] = {}

    def add(self, line: Line, shape: Shape | None) -> None:
        """``shape``: None when the line was read from its table; its first item tells."""
        place = read_no_worker_line(line.id)
        if place is not None:
            self._lines.setdefault(place, {})[line] = shape

    def shape(self, line: Line) -> Shape | None:
        place = read_no_worker_line(line.id)
        return None if place is None else self._lines[place].get(line)

    def forget(self, line: Line) -> None:
        """Nobody stands in it any more."""
        place = read_no_worker_line(line.id)
        if place is None or place not in self._lines:
            return
        self._lines[place].pop(line, None)
        if not self._lines[place]:
            del self._lines[place]
        self.due.pop(line, None)

    def look_at(self, worker: Worker) -> None:
        """The worker has come, or has got other labels."""
        if not self._lines:
            return
        for queue in worker.queues:
            for place in ((queue.id, None), (queue.id, worker.id)):
                for line, shape in self._lines.get(place, {}).items():
                    if shape is None or shape.suits(worker):
                        self.due[line] = None
