"""What the choice of a worker costs: 500 workers with labels, ten comparators per task.

The engine's placement alone, in this process, without wire and database. Two ways of working: most
workers have room and one task comes at a time, so each placement ranks all of them; and all workers
are full while tasks wait, so that each task that ends lets exactly one begin. Both for tasks with
labels and for tasks without.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from uuid import UUID

from asyncpg.pgproto.pgproto import UUID as FastUUID

from benchmarks.support.rows import Outcome, Row, at_most
from benchmarks.support.scale import Scale
from hatchet_engine.domain.definition import TaskDefinition, WorkflowDefinition
from hatchet_engine.domain.ids import IdSource
from hatchet_engine.domain.labels import Comparator, DesiredLabel
from hatchet_engine.turn.definitions import Step, Version
from hatchet_engine.turn.entering import enter_queue
from hatchet_engine.turn.lifecycle import leave_worker
from hatchet_engine.turn.place import place
from hatchet_engine.turn.queues import Queue, Queued
from hatchet_engine.turn.state import Hot, Limits, Turn
from hatchet_engine.turn.workers import Worker

WORKERS, SLOTS, LABELS = 500, 10, 10
STEP = 500  # tasks that are added at a time
BAR_US = at_most(100)
TENANT = UUID(int=1)
NOW_MS = 1_767_225_600_000
ACTION = "bench:routed"


class _Stream:
    def deliver(self, assigned: object, cancels: object) -> None: ...
    def close(self, reason: str) -> None: ...


def run(scale: Scale) -> Outcome:
    tasks = scale.pick(10_000, 1_000)
    outcome = Outcome()
    for name, labels in (("10 labels", _labels()), ("no labels", {})):
        bar = BAR_US if labels else None
        roomy, full = _one_at_a_time(labels, tasks), _saturated(labels, tasks)
        title = f"{WORKERS} workers, {name}"
        outcome.rows.append(Row(f"{title}: one task at a time", roomy, "µs", bar))
        outcome.rows.append(Row(f"{title}: all full, one ends", full, "µs", bar))
    return outcome


def _labels() -> dict[str, DesiredLabel]:
    """A third must be met, by all workers; the others rank them."""
    return {
        f"label{at}": DesiredLabel(at, at % 3 == 0, Comparator.GREATER_THAN_OR_EQUAL, weight=at)
        for at in range(LABELS)
    }


class _Engine:
    """Turns that only place."""

    def __init__(self, labels: Mapping[str, DesiredLabel]) -> None:
        self.hot = Hot()
        self._ids = IdSource(os.urandom, FastUUID)
        queue = Queue(1, TENANT, ACTION)
        self.hot.add_queue(queue)
        task = TaskDefinition(name="routed", action=ACTION, labels=dict(labels))
        version = Version(
            id=UUID(int=2),
            tenant_id=TENANT,
            workflow_id=UUID(int=3),
            name="routed",
            number=1,
            digest=b"",
            definition=WorkflowDefinition(name="routed", tasks=[task]),
            created_ms=NOW_MS,
        )
        self._step = Step(version, 0, task, queue)
        queue.expect(self._step.units)
        for number in range(WORKERS):
            self._join(number)

    def _join(self, number: int) -> None:
        offered = {
            f"label{at}": at - (at % 3 != 0 and number % (at + 2) == 0) for at in range(LABELS)
        }
        worker = Worker(
            id=self._ids.new(NOW_MS),
            tenant_id=TENANT,
            name="w",
            actions=[ACTION],
            slots={"default": SLOTS},
            labels=offered,
            protocol="session",
            heartbeat_ms=NOW_MS,
        )
        worker.session = _Stream()
        self.hot.add_worker(worker)
        self.hot.refresh_assignable(worker)

    def turn(self) -> Turn:
        return Turn(self.hot, self._ids, Limits(), NOW_MS)

    def add(self, turn: Turn) -> None:
        id_ = self._ids.new(NOW_MS)
        enter_queue(turn, Queued(id_, TENANT, self._step, -1, 0, 0, 0, NOW_MS, NOW_MS + 1_000))

    def fill(self, tasks: int) -> None:
        """So many more tasks: what the window can hold at a time."""
        for _ in range(0, tasks, STEP):
            turn = self.turn()
            for _ in range(STEP):
                self.add(turn)
            place(turn)

    def end_one(self, turn: Turn) -> None:
        leave_worker(turn, next(iter(self.hot.running.values())))


def _one_at_a_time(labels: Mapping[str, DesiredLabel], tasks: int) -> float:
    """µs per placement while half of the slots are taken."""
    engine = _Engine(labels)
    engine.fill(WORKERS * SLOTS // 2)
    spent_ns = 0
    for _ in range(tasks):
        turn = engine.turn()
        engine.end_one(turn)
        engine.add(turn)
        spent_ns += _timed(turn)
    assert len(engine.hot.running) == WORKERS * SLOTS // 2
    return spent_ns / tasks / 1_000


def _saturated(labels: Mapping[str, DesiredLabel], tasks: int) -> float:
    """µs per placement while tasks wait for slots."""
    engine = _Engine(labels)
    engine.fill(WORKERS * SLOTS)
    spent_ns = 0
    for number in range(tasks):
        if number % STEP == 0:
            engine.fill(STEP)
        turn = engine.turn()
        engine.end_one(turn)
        spent_ns += _timed(turn)
    assert len(engine.hot.running) == WORKERS * SLOTS
    return spent_ns / tasks / 1_000


def _timed(turn: Turn) -> int:
    began_ns = time.perf_counter_ns()
    place(turn)
    return time.perf_counter_ns() - began_ns
