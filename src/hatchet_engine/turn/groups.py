"""Concurrency keys in memory: who holds their places.

A group is one key under one limit. All holders are known; those who wait stand in the group's line.
A group exists while somebody holds a place or waits for one.
"""

from __future__ import annotations

from uuid import UUID

from hatchet_engine.domain.concurrency import Claim, Strategy
from hatchet_engine.turn.lines import Line, Lines
from hatchet_engine.turn.queues import Queue


class Group:
    __slots__ = (
        "_rounds",
        "holders",
        "id",
        "limit",
        "line",
        "paused",
        "recovered",
        "strategy",
    )

    def __init__(self, line: Line, strategy: Strategy, limit: int) -> None:
        self.id = line.id
        self.line = line
        self.strategy = strategy
        self.limit = limit
        self.holders: dict[UUID, int] = {}  # task or run id -> rank
        self.paused = False  # nobody gets a place
        self.recovered = 0  # holders that were there when the hot state was read
        self._rounds: dict[int, int] = {}  # by queue: the round that its next task comes after

    @property
    def free(self) -> int:
        """How many may get a place; negative if a limit was lowered."""
        return 0 if self.paused else self.limit - len(self.holders)

    @property
    def cancels(self) -> bool:
        """Whether it may be the end of somebody that another one wants a place."""
        return self.strategy is not Strategy.GROUP_ROUND_ROBIN and not self.paused

    def claims(self) -> list[Claim]:
        return [Claim(rank, id_) for id_, rank in self.holders.items()]

    def next_round(self, queue: Queue) -> int:
        """The turn of its next task: one in each round, so that a key with many tasks takes turns
        with the others, and never behind those that the queue has already served."""
        last = self._rounds.get(queue.id, self.recovered and queue.round + self.recovered)
        self._rounds[queue.id] = found = max(queue.round, last) + 1
        return found


class Groups:
    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._by_id: dict[str, Group] = {}
        self.held: dict[UUID, list[Group]] = {}  # by holder
        self.paused: set[str] = set()  # ids of groups that are paused
        # With somebody in line, to be looked at in the next turn.
        self.unsure: dict[Group, None] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def find(self, id: str) -> Group | None:
        return self._by_id.get(id)

    def get(self, id: str, strategy: Strategy, limit: int) -> Group:
        """The group of a key, as the latest one who wants a place describes it."""
        group = self._by_id.get(id)
        if group is None:
            group = self._by_id[id] = Group(self._lines.get(id), strategy, limit)
            group.paused = id in self.paused
        else:
            group.strategy, group.limit = strategy, limit
        return group

    def restore(self, holder_id: UUID, id: str, rank: int, limit: int) -> None:
        """A place as the table has it."""
        group = self.get(id, Strategy.GROUP_ROUND_ROBIN, limit)
        group.holders[holder_id] = rank
        group.recovered += 1
        self.held.setdefault(holder_id, []).append(group)

    def restore_waiting(self, id: str, newest: UUID, strategy: Strategy, limit: int) -> None:
        """The newest one who waits for a key describes it, unless a holder is newer yet; it may
        let somebody in."""
        group = self._by_id.get(id)
        if group is not None and max(group.holders) > newest:
            limit = group.limit
        self.unsure[self.get(id, strategy, limit)] = None

    def take_unsure(self) -> dict[Group, None]:
        """Those that the turn before, or the start, has left to be looked at."""
        found, self.unsure = self.unsure, {}
        return found

    def pause(self, id: str) -> None:
        """Nobody gets a place under this key."""
        self.paused.add(id)
        group = self._by_id.get(id)
        if group is not None:
            group.paused = True

    def resume(self, id: str) -> Group | None:
        """Places are given out again; returns the group if somebody is in it."""
        self.paused.discard(id)
        group = self._by_id.get(id)
        if group is not None:
            group.paused = False
        return group

    def take(self, group: Group, holder_id: UUID, rank: int) -> None:
        group.holders[holder_id] = rank
        self.held.setdefault(holder_id, []).append(group)

    def leave(self, holder_id: UUID) -> list[Group]:
        """Give back all places of a holder; returns their groups."""
        groups = self.held.pop(holder_id, [])
        for group in groups:
            del group.holders[holder_id]
        return groups

    def forget(self, group: Group) -> None:
        """A group that nobody is in is none."""
        known = self._by_id.get(group.id) is group  # else it was forgotten, and came anew
        if known and not group.holders and group.line.depth == 0:
            del self._by_id[group.id]
            self._lines.forget(group.line)
