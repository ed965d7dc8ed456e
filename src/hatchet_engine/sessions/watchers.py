"""Who watches runs live (B10): events of runs and their tasks, and chunks of their streams.

Events are best effort, nothing is replayed for latecomers; chunks are kept, and a reader finds in
the table what it has missed (observe/stream_reader.py).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
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


class WatchedRun:
    """Those who watch one run, in the order in which they came."""

    __slots__ = ("by_metadata", "tenant_id", "watchers")

    def __init__(self, tenant_id: UUID) -> None:
        self.tenant_id = tenant_id
        self.watchers: dict[Watcher, None] = {}
        self.by_metadata: set[Watcher] = set()  # those of them that did not ask for this run


class RunWatchers:
    """Watchers by run, and by a pair of metadata."""

    def __init__(self) -> None:
        self._runs: dict[UUID, WatchedRun] = {}
        self._runs_of: dict[Watcher, set[UUID]] = {}
        self._by_metadata: list[MetadataWatch] = []
        self._ended: OrderedDict[UUID, None] = OrderedDict()  # watched runs, the oldest end first

    @property
    def active(self) -> bool:
        return bool(self._runs or self._by_metadata)

    @property
    def want_metadata(self) -> bool:
        """Whether new runs have to be shown to :meth:`match`."""
        return bool(self._by_metadata)

    def watch_run(self, tenant_id: UUID, run_id: UUID, watcher: Watcher) -> None:
        """``run_id`` must have been checked to belong to the tenant."""
        self._watch(tenant_id, run_id, watcher).by_metadata.discard(watcher)

    def watch_metadata(self, tenant_id: UUID, key: str, value: str, watcher: Watcher) -> None:
        """All runs triggered or started from now on whose metadata has this key with this text."""
        self._by_metadata.append(MetadataWatch(tenant_id, key, value, watcher))

    def match(self, tenant_id: UUID, run_id: UUID, metadata: str) -> None:
        """A run has shown up: those who watch its metadata watch it from now on."""
        values: dict[str, Any] = orjson.loads(metadata or "{}")
        for watch in self._by_metadata:
            if watch.tenant_id == tenant_id and values.get(watch.key) == watch.value:
                watched = self._watch(tenant_id, run_id, watch.watcher)
                watched.by_metadata.add(watch.watcher)

    def unwatch(self, watcher: Watcher) -> None:
        self._by_metadata = [one for one in self._by_metadata if one.watcher is not watcher]
        for run_id in self._runs_of.pop(watcher, ()):
            self._leave(run_id, watcher)

    def deliver(self, events: Sequence[RunEvent]) -> None:
        for event in events:
            watched = self._runs.get(event.run_id)
            if watched is None:
                continue
            for watcher in list(watched.watchers):
                watcher.deliver_events([event])
            if event.task_id is None and event.kind.startswith("RUN_"):
                self._note_end(event.run_id)
            else:
                self._ended.pop(event.run_id, None)  # it goes on: it was replayed

    def deliver_chunks(self, chunks: Sequence[Chunk]) -> None:
        """Chunks that were just stored, in order, of any runs."""
        if not self._runs:
            return
        by_run: dict[UUID, list[Chunk]] = {}
        for chunk in chunks:
            watched = self._runs.get(chunk.run_id)
            if watched is not None and watched.tenant_id == chunk.tenant_id:
                by_run.setdefault(chunk.run_id, []).append(chunk)
        for run_id, found in by_run.items():
            watched = self._runs.get(run_id)  # somebody may have left just now
            for watcher in list(watched.watchers) if watched is not None else ():
                watcher.deliver_chunks(found)

    def _watch(self, tenant_id: UUID, run_id: UUID, watcher: Watcher) -> WatchedRun:
        watched = self._runs.get(run_id)
        if watched is None:
            watched = self._runs[run_id] = WatchedRun(tenant_id)
        watched.watchers[watcher] = None
        self._runs_of.setdefault(watcher, set()).add(run_id)
        return watched

    def _leave(self, run_id: UUID, watcher: Watcher) -> None:
        watched = self._runs.get(run_id)
        if watched is None:
            return
        watched.watchers.pop(watcher, None)
        watched.by_metadata.discard(watcher)
        if not watched.watchers:
            del self._runs[run_id]
            self._ended.pop(run_id, None)

    def _note_end(self, run_id: UUID) -> None:
        """Chunks may still be on their way, so those who watch metadata watch an ended run a
        little longer. Whoever asked for the run leaves it when it likes."""
        if run_id not in self._runs:
            return  # the last one has left when it heard of the end
        self._ended[run_id] = None
        self._ended.move_to_end(run_id)
        while len(self._ended) > ENDED_KEPT_MAX:
            oldest, _ = self._ended.popitem(last=False)
            for watcher in list(self._runs[oldest].by_metadata):
                self._runs_of[watcher].discard(oldest)
                self._leave(oldest, watcher)
