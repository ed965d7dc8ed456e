"""Who watches runs live (B10): events of runs and their tasks, and chunks of their streams.

Events are best effort, nothing is replayed for latecomers; chunks are kept, and a reader finds in
the table what it has missed (observe/stream_reader.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol
from uuid import UUID

import orjson

from hatchet_engine.store.streams import Chunk
from hatchet_engine.turn.deliveries import RunEvent

ENDED_KEPT_MAX = 1_000  # ended runs that may still get chunks


class Watcher(Protocol):
    """Both are called from the engine's event loop and must not block."""

    def deliver_events(self, events: Sequence[RunEvent]) -> None: ...

    def deliver_chunks(self, chunks: Sequence[Chunk]) -> None:
        """Chunks of one run, in order; they are stored."""
        ...


@dataclass(slots=True, eq=False)
class MetadataWatch:
    """Runs whose metadata has ``key`` with the text ``value``."""

    tenant_id: UUID
    key: str
    value: str
    watcher: Watcher


@dataclass(slots=True)
class WatchedRun:
    tenant_id: UUID
    watchers: list[Watcher]


class RunWatchers:
    """Watchers by run, and by a pair of metadata."""

    def __init__(self) -> None:
        self._runs: dict[UUID, WatchedRun] = {}
        self._by_metadata: list[MetadataWatch] = []
        self._ended: deque[UUID] = deque()

    @property
    def active(self) -> bool:
        return bool(self._runs or self._by_metadata)

    @property
    def want_metadata(self) -> bool:
        """Whether new runs have to be shown to :meth:`match`."""
        return bool(self._by_metadata)

    def watch_run(self, tenant_id: UUID, run_id: UUID, watcher: Watcher) -> None:
        """``run_id`` must have been checked to belong to the tenant."""
        watched = self._runs.setdefault(run_id, WatchedRun(tenant_id, []))
        if watcher not in watched.watchers:
            watched.watchers.append(watcher)

    def watch_metadata(self, tenant_id: UUID, key: str, value: str, watcher: Watcher) -> None:
        """All runs triggered or started from now on whose metadata has this key with this text."""
        self._by_metadata.append(MetadataWatch(tenant_id, key, value, watcher))

    def match(self, tenant_id: UUID, run_id: UUID, metadata: str) -> None:
        """A run has shown up: those who watch its metadata watch it from now on."""
        values: dict[str, Any] = orjson.loads(metadata or "{}")
        for watch in self._by_metadata:
            if watch.tenant_id == tenant_id and values.get(watch.key) == watch.value:
                self.watch_run(tenant_id, run_id, watch.watcher)

    def unwatch(self, watcher: Watcher) -> None:
        self._by_metadata = [one for one in self._by_metadata if one.watcher is not watcher]
        for run_id, watched in list(self._runs.items()):
            if watcher in watched.watchers:
                watched.watchers.remove(watcher)
                if not watched.watchers:
                    del self._runs[run_id]

    def deliver(self, events: Sequence[RunEvent]) -> None:
        for event in events:
            watched = self._runs.get(event.run_id)
            if watched is not None:
                for watcher in list(watched.watchers):
                    watcher.deliver_events([event])
                if event.task_id is None and event.kind.startswith("RUN_"):
                    self._note_end(event.run_id)

    def deliver_chunks(self, chunks: Sequence[Chunk]) -> None:
        """Chunks that were just stored, in order, of any runs."""
        if not self._runs:
            return
        for run_id, of_run in groupby(chunks, key=lambda chunk: chunk.run_id):
            watched = self._runs.get(run_id)
            if watched is not None:
                found = [chunk for chunk in of_run if chunk.tenant_id == watched.tenant_id]
                for watcher in list(watched.watchers):
                    watcher.deliver_chunks(found)

    def _note_end(self, run_id: UUID) -> None:
        """Chunks may still be on their way, so an ended run is watched a little longer."""
        self._ended.append(run_id)
        if len(self._ended) > ENDED_KEPT_MAX:
            self._runs.pop(self._ended.popleft(), None)
