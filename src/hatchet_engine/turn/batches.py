"""Batches in memory: tasks that are handed to a worker together (BA-*).

A group is one group key of one batch task. Those of it who wait stand in its line; when the group
is ripe, the first of them become a batch. A group exists while somebody waits in it or a batch of
it runs.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING
from uuid import UUID

from hatchet_engine.domain.definition import BatchConfig
from hatchet_engine.domain.durations import format_ms
from hatchet_engine.turn.lines import Line, Lines, batch_line

if TYPE_CHECKING:
    from hatchet_engine.turn.definitions import Step
    from hatchet_engine.turn.workers import Running, Worker

BATCH_BYTES_MAX = 4_000_000  # of all start payloads of a batch; one larger task goes alone (BA-3)
MEMBER_BYTES = 256  # what a member costs in a start message besides its own texts
MEMBERS_MAX = BATCH_BYTES_MAX // MEMBER_BYTES


class Batch:
    """Tasks on one worker that share one slot. It ends with the last of them."""

    __slots__ = ("flushed_ms", "group", "id", "members", "reason", "worker")

    def __init__(
        self, id: UUID, group: BatchGroup, worker: Worker, flushed_ms: int, reason: str
    ) -> None:
        self.id = id
        self.group = group
        self.worker = worker
        self.flushed_ms = flushed_ms
        self.reason = reason  # why then, in words
        self.members: dict[UUID, Running] = {}  # those that still run


class BatchGroup:
    """``due_ms``: when those who wait are flushed however few they are."""

    __slots__ = ("config", "due_ms", "key", "line", "running", "step")

    def __init__(self, step: Step, key: str, line: Line) -> None:
        assert step.batch is not None
        self.step = step
        self.key = key
        self.config: BatchConfig = step.batch
        self.line = line
        self.due_ms = 0
        self.running: set[Batch] = set()
        line.wanted = min(self.config.max_size, MEMBERS_MAX)

    @property
    def full(self) -> bool:
        """Whether as many batches of it run as may (BA-4)."""
        return len(self.running) >= self.config.group_max_runs

    def ripe(self, now_ms: int) -> str | None:
        """Why a batch is to be made of those who wait, in words; None: not yet (BA-3)."""
        line, config = self.line, self.config
        if line.depth == 0:
            return None
        if line.depth >= config.max_size:
            return f"the batch has reached its size of {config.max_size}"
        if line.size > BATCH_BYTES_MAX:
            return f"the batch holds more than {BATCH_BYTES_MAX} bytes"
        if now_ms >= self.due_ms:
            return f"the interval of {format_ms(config.interval_ms)} has passed"
        return None


class Batches:
    """All groups of all batch tasks."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._by_line: dict[str, BatchGroup] = {}
        self._dues: list[tuple[int, int, BatchGroup]] = []
        self._count = 0
        self.made = 0  # batches so far; workers take turns by it
        self.changed: dict[BatchGroup, None] = {}  # to be looked at before the next placement

    def __len__(self) -> int:
        return len(self._by_line)

    def get(self, step: Step, key: str) -> BatchGroup:
        id = batch_line(step.version.id, step.index, key)
        group = self._by_line.get(id)
        if group is None:
            group = self._by_line[id] = BatchGroup(step, key, self._lines.get(id))
        return group

    def find(self, line_id: str) -> BatchGroup | None:
        """The group whose line it is, if anybody is in it."""
        return self._by_line.get(line_id)

    def groups(self) -> list[BatchGroup]:
        return list(self._by_line.values())

    def look_again(self, tenant_id: UUID) -> None:
        """Something has changed that concerns all groups of a tenant."""
        for group in self._by_line.values():
            if group.step.version.tenant_id == tenant_id:
                self.changed[group] = None

    def joined(self, group: BatchGroup, now_ms: int) -> None:
        """Somebody has come into its line; the interval begins with the first."""
        if group.line.depth == 1:
            self.begin_interval(group, now_ms)
        self.changed[group] = None

    def begin_interval(self, group: BatchGroup, now_ms: int) -> None:
        """Those who wait are flushed when it has passed."""
        group.due_ms = now_ms + group.config.interval_ms
        self._count += 1
        heapq.heappush(self._dues, (group.due_ms, self._count, group))

    def emptied(self, line: Line) -> None:
        """Nobody waits in it any more; its group may be no more either, if it is one."""
        group = self._by_line.get(line.id)
        if group is not None:
            self.changed[group] = None

    def ended(self, batch: Batch) -> None:
        """The last member has ended: another batch of the group may run."""
        batch.group.running.discard(batch)
        self.changed[batch.group] = None

    @property
    def next_ms(self) -> int | None:
        """When the interval of the first group has passed."""
        dues = self._dues
        while dues and dues[0][2].due_ms != dues[0][0]:
            heapq.heappop(dues)
        return dues[0][0] if dues else None

    def take_changed(self, now_ms: int) -> list[BatchGroup]:
        """Those in which something has happened, or whose time has come."""
        while (due_ms := self.next_ms) is not None and due_ms <= now_ms:
            self.changed[heapq.heappop(self._dues)[2]] = None
        found, self.changed = list(self.changed), {}
        return found

    def forget(self, group: BatchGroup) -> None:
        """A group that nobody is in is none."""
        known = self._by_line.get(group.line.id) is group
        if known and not group.running and group.line.depth == 0:
            del self._by_line[group.line.id]
            self._lines.forget(group.line)
