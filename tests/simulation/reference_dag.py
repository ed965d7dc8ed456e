"""A second, naive statement of the rules for runs of several tasks, to hold the engine against.

It works on whole states instead of counters and queues, knows nothing of turns or tables, and
shares only the definitions with the engine. One worker with endless slots is assumed, which is
there or paused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from hatchet_engine.domain.definition import Condition, TaskDefinition


class Place(Enum):
    PENDING = "pending"
    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


FINAL = {Place.COMPLETED, Place.FAILED, Place.CANCELLED, Place.SKIPPED}
BAD = {Place.FAILED, Place.CANCELLED}

# What the expressions of the generator say about ``n``; None: the output has no ``n``, or the
# expression fails.
EXPRESSIONS: dict[str, Callable[[int | None], bool | None]] = {
    "": lambda n: True,
    "true": lambda n: True,
    "output.n > 1": lambda n: None if n is None else n > 1,
    "output.n <= 1": lambda n: None if n is None else n <= 1,
    "output.missing == 1": lambda n: None,
    "input.n > 1": lambda n: None if n is None else n > 1,
}
SLEEPS_MS = {f"{seconds}s": seconds * 1_000 for seconds in (1, 2, 3, 5, 8)}


@dataclass
class Task:
    definition: TaskDefinition
    place: Place = Place.PENDING
    attempt: int = 0
    failures: int = 0  # since it began
    n: int | None = None
    met: list[bool | None] = field(default_factory=list)  # None: may still come
    due_ms: list[int | None] = field(default_factory=list)

    @property
    def final(self) -> bool:
        return self.place in FINAL

    def action(self, name: str) -> bool | None:
        """Whether all or-groups of an action are met; None: not yet. No groups: not met."""
        groups: dict[object, list[bool | None]] = {}
        for at, condition in enumerate(self.definition.conditions):
            if condition.action == name:
                groups.setdefault(condition.or_group or at, []).append(self.met[at])
        values = [
            True if True in group else None if None in group else False for group in groups.values()
        ]
        if not values or False in values:
            return False
        return None if None in values else True

    def has(self, action: str, kind: str | None = None) -> bool:
        return any(
            condition.action == action and kind in (None, condition.kind)
            for condition in self.definition.conditions
        )


class ReferenceRun:
    """One run; every method is one thing that happens, followed to its end."""

    def __init__(self, tasks: list[TaskDefinition], now_ms: int, *, paused: bool) -> None:
        self.tasks = {task.name: Task(task) for task in tasks}
        self.now_ms = now_ms
        self.paused = paused
        self.starts: list[tuple[str, int]] = []  # (task, attempt) given out and not looked at yet
        self._follow()

    @property
    def over(self) -> bool:
        return all(task.final for task in self.tasks.values())

    @property
    def status(self) -> Place:
        places = [task.place for task in self.tasks.values()]
        return next(
            (bad for bad in (Place.FAILED, Place.CANCELLED) if bad in places), Place.COMPLETED
        )

    # ------------------------------------------------------------ what happens

    def complete(self, name: str, n: int) -> None:
        task = self.tasks[name]
        task.place, task.n = Place.COMPLETED, n
        self._follow()

    def fail(self, name: str) -> None:
        task = self.tasks[name]
        task.failures += 1
        if task.failures <= task.definition.retries:
            task.attempt += 1
            self._queue(task)
        else:
            task.place = Place.FAILED
            self._follow()

    def event(self, key: str, n: int | None) -> None:
        for task in self.tasks.values():
            hits = [
                at
                for at, condition in self._open(task)
                if condition.event_key == key and EXPRESSIONS[condition.expression](n)
            ]
            self._meet(task, hits)
        self._follow()

    def time(self, now_ms: int) -> None:
        """Time jumps: what was due on the way happens in the order of its times; what begins or
        starts after that does so now."""
        self.now_ms = now_ms
        paused, self.paused = self.paused, True
        for task in self.tasks.values():
            while dues := sorted({due for at, _ in self._open(task) if (due := task.due_ms[at])}):
                if dues[0] > now_ms:
                    break
                self._meet(task, [at for at, _ in self._open(task) if task.due_ms[at] == dues[0]])
        self.pause(paused)
        self._follow()

    def pause(self, paused: bool) -> None:
        self.paused = paused
        if not paused:
            for task in self.tasks.values():
                if task.place is Place.QUEUED:
                    self._queue(task)

    def cancel(self, name: str | None = None) -> None:
        """One task, or the whole run but for an on-failure task that has not begun."""
        for task in self.tasks.values():
            armed = task.definition.on_failure and task.place is Place.PENDING
            chosen = task.definition.name == name or (name is None and not armed)
            if chosen and not task.final:
                task.place = Place.CANCELLED
        self._follow()

    def replay(self, name: str | None = None) -> None:
        """An ended run, or one of its tasks with all that follow from it."""
        chosen = set(self.tasks) if name is None else self._descendants(name)
        first = []
        for task in self.tasks.values():
            parents = set(task.definition.parents)
            if task.definition.name in chosen and not task.definition.on_failure:
                if not parents & chosen:
                    first.append(task)
            elif not task.definition.on_failure:
                continue
            task.place, task.n, task.failures = Place.PENDING, None, 0
            task.attempt += 1
        for task in first:
            self._begin(task)
        self._follow()

    # ------------------------------------------------------------ what follows

    def _follow(self) -> None:
        while any(self._follow_one(task) for task in self.tasks.values()):
            pass

    def _follow_one(self, task: Task) -> bool:
        """Move a pending task on if its time has come; whether it moved."""
        if task.place is not Place.PENDING:
            return False
        if task.definition.on_failure:
            others = [other.place for other in self.tasks.values() if other is not task]
            if Place.FAILED in others:
                self._begin(task)
            elif all(place in FINAL for place in others):
                task.place = Place.SKIPPED
            return task.place is not Place.PENDING
        parents = [self.tasks[name].place for name in task.definition.parents]
        if any(place in BAD for place in parents):
            task.place = Place.CANCELLED
        elif all(place in FINAL for place in parents):
            skipped = bool(parents) and all(place is Place.SKIPPED for place in parents)
            if skipped and not task.has("SKIP", "parent"):
                task.place = Place.SKIPPED
            else:
                self._begin(task)
        return task.place is not Place.PENDING

    def _begin(self, task: Task) -> None:
        conditions = task.definition.conditions
        task.met = [None] * len(conditions)
        task.due_ms = [
            self.now_ms + SLEEPS_MS[condition.sleep] if condition.sleep else None
            for condition in conditions
        ]
        broken = False
        for at, condition in enumerate(conditions):
            if condition.parent is not None:
                value = EXPRESSIONS[condition.expression](self.tasks[condition.parent].n)
                broken |= value is None and condition.action == "QUEUE"
                task.met[at] = bool(value)
        task.place = Place.WAITING
        self._decide(task)
        if task.place is Place.WAITING and task.has("QUEUE") and task.action("QUEUE") is False:
            task.place = Place.FAILED if broken else Place.CANCELLED

    def _decide(self, task: Task) -> None:
        """CANCEL goes before SKIP, SKIP before QUEUE; only CANCEL reaches a queued task."""
        if task.action("CANCEL"):
            task.place = Place.CANCELLED
        elif task.place is Place.QUEUED:
            return
        elif task.action("SKIP"):
            task.place = Place.SKIPPED
        elif task.action("QUEUE") or not task.has("QUEUE"):
            self._queue(task)

    def _queue(self, task: Task) -> None:
        task.place = Place.QUEUED if self.paused else Place.RUNNING
        if not self.paused:
            self.starts.append((task.definition.name, task.attempt))

    def _open(self, task: Task) -> list[tuple[int, Condition]]:
        """The conditions that are still watched, by position. A retry watches none."""
        if task.place not in (Place.WAITING, Place.QUEUED) or task.failures:
            return []
        return [
            (at, condition)
            for at, condition in enumerate(task.definition.conditions)
            if task.met[at] is None
            and (task.place is Place.WAITING or condition.action == "CANCEL")
        ]

    def _meet(self, task: Task, hits: list[int]) -> None:
        for at in hits:
            task.met[at] = True
        if hits:
            self._decide(task)

    def _descendants(self, name: str) -> set[str]:
        found = {name}
        for task in self.tasks.values():  # parents stand before their children
            if found & set(task.definition.parents):
                found.add(task.definition.name)
        return found
