"""Who watches runs live (B10): best effort, nothing is replayed for latecomers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import orjson

from hatchet_engine.turn.deliveries import RunEvent


class Watcher(Protocol):
    def deliver_events(self, events: Sequence[RunEvent]) -> None:
        """Called from the engine's event loop; must not block."""
        ...


@dataclass(slots=True, eq=False)
class MetadataWatch:
    """Runs whose metadata has ``key`` with the text ``value``."""

    tenant_id: UUID
    key: str
    value: str
    watcher: Watcher


class RunWatchers:
    """Watchers by run, and by a pair of metadata."""

    def __init__(self) -> None:
        self._by_run: dict[UUID, list[Watcher]] = {}
        self._by_metadata: list[MetadataWatch] = []

    @property
    def active(self) -> bool:
        return bool(self._by_run or self._by_metadata)

    @property
    def want_metadata(self) -> bool:
        """Whether new runs have to be shown to :meth:`match`."""
        return bool(self._by_metadata)

    def watch_run(self, tenant_id: UUID, run_id: UUID, watcher: Watcher) -> None:
        """``run_id`` must have been checked to belong to the tenant."""
        self._by_run.setdefault(run_id, []).append(watcher)

    def watch_metadata(self, tenant_id: UUID, key: str, value: str, watcher: Watcher) -> None:
        """All runs triggered or started from now on whose metadata has this key with this text."""
        self._by_metadata.append(MetadataWatch(tenant_id, key, value, watcher))

    def match(self, tenant_id: UUID, run_id: UUID, metadata: str) -> None:
        """A run has shown up: those who watch its metadata watch it from now on."""
        values: dict[str, Any] = orjson.loads(metadata or "{}")
        for watch in self._by_metadata:
            if watch.tenant_id == tenant_id and values.get(watch.key) == watch.value:
                watching = self._by_run.setdefault(run_id, [])
                if watch.watcher not in watching:
                    watching.append(watch.watcher)

    def unwatch(self, watcher: Watcher) -> None:
        self._by_metadata = [one for one in self._by_metadata if one.watcher is not watcher]
        for run_id, watchers in list(self._by_run.items()):
            if watcher in watchers:
                watchers.remove(watcher)
                if not watchers:
                    del self._by_run[run_id]

    def deliver(self, events: Sequence[RunEvent]) -> None:
        for event in events:
            for watcher in self._by_run.get(event.run_id, ()):
                watcher.deliver_events([event])
            if event.task_id is None:  # the run has ended
                self._by_run.pop(event.run_id, None)

    def put_stream(
        self, tenant_id: UUID, task_id: UUID, chunk: str, index: int | None, at_ms: int
    ) -> None:
        """A chunk of a task's stream. A standalone task is its own run."""
        if task_id in self._by_run:
            event = RunEvent(task_id, task_id, "STREAM", chunk, 0, index, at_ms)
            self.deliver([event])
