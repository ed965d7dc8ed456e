"""Who watches runs live (B10.1, B10.2)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest

from hatchet_engine.sessions import watchers as module
from hatchet_engine.sessions.watchers import RunWatchers
from hatchet_engine.store.streams import Chunk
from hatchet_engine.turn.deliveries import RunEvent

TENANT, OTHER = UUID(int=1), UUID(int=2)
PAIR = ("customer", "42")


def run(number: int) -> UUID:
    return UUID(int=100 + number)


def chunk(number: int, index: int, tenant_id: UUID = TENANT) -> Chunk:
    return Chunk(tenant_id, run(number), run(number), 0, index, b"")


def event(number: int, kind: str = "RUN_COMPLETED") -> RunEvent:
    task_id = None if kind.startswith("RUN_") else run(number)
    return RunEvent(run(number), task_id, kind, "", 0, None, 0)


class Seen:
    def __init__(self) -> None:
        self.events: list[tuple[UUID, str]] = []
        self.chunks: list[list[int | None]] = []

    def deliver_events(self, events: Sequence[RunEvent]) -> None:
        self.events += [(one.run_id, one.kind) for one in events]

    def deliver_chunks(self, chunks: Sequence[Chunk]) -> None:
        self.chunks.append([one.index for one in chunks])


def end(watchers: RunWatchers, *numbers: int) -> None:
    watchers.deliver([event(number) for number in numbers])


def test_chunks_of_a_batch_come_at_once_however_they_are_mixed() -> None:
    watchers, seen = RunWatchers(), Seen()
    watchers.watch_run(TENANT, run(1), seen)
    mixed = [chunk(1, 0), chunk(2, 0), chunk(1, 1), chunk(1, 9, OTHER), chunk(1, 2)]
    watchers.deliver_chunks(mixed)
    assert seen.chunks == [[0, 1, 2]]


def test_watching_twice_delivers_once() -> None:
    watchers, seen = RunWatchers(), Seen()
    watchers.watch_metadata(TENANT, *PAIR, seen)
    watchers.match(TENANT, run(1), '{"customer":"42"}')
    watchers.watch_run(TENANT, run(1), seen)
    watchers.watch_run(TENANT, run(1), seen)
    watchers.match(OTHER, run(2), '{"customer":"42"}')
    end(watchers, 1, 2)
    assert seen.events == [(run(1), "RUN_COMPLETED")]
    watchers.unwatch(seen)
    assert not watchers.active


def test_whoever_asked_for_a_run_hears_of_it_however_many_others_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "ENDED_KEPT_MAX", 2)
    watchers, slow, other = RunWatchers(), Seen(), Seen()
    watchers.watch_run(TENANT, run(1), slow)
    for number in range(2, 6):
        watchers.watch_run(TENANT, run(number), other)
    end(watchers, 1, 2, 3, 4, 5)
    watchers.deliver_chunks([chunk(1, 0)])
    watchers.deliver([event(1, "STARTED")])  # replayed
    end(watchers, 1)
    assert slow.chunks == [[0]]
    assert [kind for _, kind in slow.events] == ["RUN_COMPLETED", "STARTED", "RUN_COMPLETED"]


def test_ended_runs_found_by_metadata_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENDED_KEPT_MAX", 2)
    watchers, seen = RunWatchers(), Seen()
    watchers.watch_metadata(TENANT, *PAIR, seen)
    for number in range(1, 5):
        watchers.match(TENANT, run(number), '{"customer":"42"}')
    end(watchers, 1, 2)
    watchers.deliver([event(1, "STARTED")])  # replayed: it is not over
    end(watchers, 3, 4)
    watchers.deliver_chunks([chunk(number, number) for number in range(1, 5)])
    assert seen.chunks == [[1], [3], [4]]


def test_a_watcher_may_leave_while_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENDED_KEPT_MAX", 0)
    watchers, after = RunWatchers(), Seen()

    class Leaves(Seen):
        def deliver_events(self, events: Sequence[RunEvent]) -> None:
            watchers.unwatch(self)

        def deliver_chunks(self, chunks: Sequence[Chunk]) -> None:
            super().deliver_chunks(chunks)
            watchers.unwatch(self)

    watchers.watch_run(TENANT, run(1), Leaves())
    watchers.watch_run(TENANT, run(1), after)
    end(watchers, 1)
    watchers.unwatch(after)
    end(watchers, 1)
    assert after.events == [(run(1), "RUN_COMPLETED")]
    leaves = Leaves()
    for number in (1, 2):
        watchers.watch_run(TENANT, run(number), leaves)
    watchers.deliver_chunks([chunk(1, 0), chunk(2, 0)])
    assert leaves.chunks == [[0]]
    watchers.watch_run(TENANT, run(1), leaves)
    end(watchers, 1)
    assert not watchers.active
