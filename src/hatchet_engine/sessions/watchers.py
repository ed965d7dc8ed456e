"""Who watches runs live (B10): best effort, nothing is replayed for latecomers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from hatchet_engine.turn.deliveries import RunEvent


class Watcher(Protocol):
    def deliver_events(self, events: Sequence[RunEvent]) -> None:
        """Called from the engine's event loop; must not block."""
        ...


class RunWatchers:
    """Watchers by run, and by a pair of metadata."""

    def __init__(self) -> None:
        self._by_run: dict[UUID, list[Watcher]] = {}

    @property
    def active(self) -> bool:
        return bool(self._by_run)

    def watch_run(self, tenant_id: UUID, run_id: UUID, watcher: Watcher) -> None:
        """``run_id`` must have been checked to belong to the tenant."""
        self._by_run.setdefault(run_id, []).append(watcher)

    def unwatch(self, watcher: Watcher) -> None:
        for run_id, watchers in list(self._by_run.items()):
            if watcher in watchers:
                watchers.remove(watcher)
                if not watchers:
                    del self._by_run[run_id]

    def deliver(self, events: Sequence[RunEvent]) -> None:
        for event in events:
            for watcher in self._by_run.get(event.run_id, ()):
                watcher.deliver_events([event])

    def put_stream(
        self, tenant_id: UUID, task_id: UUID, chunk: str, index: int | None, at_ms: int
    ) -> None:
        """A chunk of a task's stream. A standalone task is its own run."""
        if task_id in self._by_run:
            event = RunEvent(task_id, task_id, "STREAM", chunk, 0, index, at_ms)
            self.deliver([event])
