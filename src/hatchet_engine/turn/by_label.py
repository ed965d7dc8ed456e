"""The workers of a queue by their labels: who requires one that few have is compared with those few
only. So runs that each want another host cost no look at all hosts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from hatchet_engine.domain.labels import Comparator, DesiredLabel, LabelValue
from hatchet_engine.turn.workers import Worker


class ByLabel:
    """The workers of a queue by each of their labels."""

    __slots__ = ("_groups", "_labels")

    def __init__(self, workers: Iterable[Worker]) -> None:
        self._groups: dict[tuple[str, LabelValue], dict[Worker, None]] = {}
        self._labels: dict[Worker, tuple[tuple[str, LabelValue], ...]] = {}
        for worker in workers:
            self.put(worker)

    def put(self, worker: Worker) -> None:
        """A worker has come or got other labels."""
        self.drop(worker)
        labels = self._labels[worker] = tuple(worker.labels.items())
        for label in labels:
            self._groups.setdefault(label, {})[worker] = None

    def drop(self, worker: Worker) -> None:
        for label in self._labels.pop(worker, ()):
            group = self._groups[label]
            del group[worker]
            if not group:
                del self._groups[label]

    def candidates(self, desired: Mapping[str, DesiredLabel]) -> Collection[Worker]:
        """Workers among whom are all that meet what is required."""
        found: Collection[Worker] = self._labels
        for key, label in desired.items():
            if label.required and label.comparator is Comparator.EQUAL:
                group = self._groups.get((key, label.value), {})
                if len(group) < len(found):
                    found = group
        return found
