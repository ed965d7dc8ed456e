"""The hot state of the shard and of one turn.

Hot state is a cache of what Postgres holds: it can be dropped and read again at any time
(:mod:`hatchet_engine.turn.recover`), which is also the way out of any failure inside a turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from hatchet_engine.domain.ids import IdSource
from hatchet_engine.domain.rates import KEY_BYTES_MAX
from hatchet_engine.domain.states import Status
from hatchet_engine.store.schedules import BEFORE_ALL_DUE
from hatchet_engine.turn.batches import Batches
from hatchet_engine.turn.buckets import Bucket, Buckets
from hatchet_engine.turn.commands import Filter, PauseKind, RunSubscriber, WorkerSession
from hatchet_engine.turn.dags import Dag, Dags
from hatchet_engine.turn.definitions import Definitions, Step, Version
from hatchet_engine.turn.deliveries import CancelNotice, RunEvent, TaskResult
from hatchet_engine.turn.due import Due
from hatchet_engine.turn.groups import Group, Groups
from hatchet_engine.turn.idempotency import Keys
from hatchet_engine.turn.lines import Lines
from hatchet_engine.turn.operations import Operation
from hatchet_engine.turn.pause_list import Pauses
from hatchet_engine.turn.plan import Plan
from hatchet_engine.turn.queues import Payload, Queue, Queued
from hatchet_engine.turn.rankings import Gains
from hatchet_engine.turn.repeats import Repeats
from hatchet_engine.turn.stranded_list import Stranded
from hatchet_engine.turn.workers import Running, Worker


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the engine; each is checked at its edge."""

    payload_bytes_max: int = 4 * 1024 * 1024 - 64 * 1024  # one input or output
    metadata_bytes_max: int = 64 * 1024
    trigger_items_max: int = 10_000  # runs in one call
    cancel_ids_max: int = 20_000
    replay_ids_max: int = 1_000
    bulk_runs_max: int = 100_000  # runs in one operation by filter
    bulk_step_runs: int = 200  # of them in one turn
    events_max: int = 1_000  # events in one call
    event_key_length_max: int = 1_024
    event_scope_length_max: int = 1_024
    heartbeat_timeout_ms: int = 30_000  # silent longer: the worker is dead (WK-9)
    unacknowledged_ms: int = 3_000  # grace for a start message nobody confirmed
    worker_slots_max: int = 100_000
    child_key_length_max: int = 255
    priority_ageing_ms: int | None = None  # waiting so long is worth one priority; None: never
    rate_key_bytes_max: int = KEY_BYTES_MAX
    rate_limit_max: int = (1 << 31) - 1  # units per window


class Hot:
    """Everything the turn knows without asking Postgres."""

    def __init__(self) -> None:
        self.definitions = Definitions()
        self.queues: dict[int, Queue] = {}
        self.queues_by_action: dict[tuple[UUID, str], Queue] = {}
        self.workers: dict[UUID, Worker] = {}
        self.running: dict[UUID, Running] = {}
        self.dags = Dags()
        self.lines = Lines()
        self.groups = Groups(self.lines)
        self.buckets = Buckets(self.lines)
        self.batches = Batches(self.lines)
        self.pauses = Pauses()
        self.stranded = Stranded()
        self.gains = Gains()
        self.ongoing: dict[int, Queue] = {}  # queues to go on with in the next turn
        self.bulk: list[Operation] = []  # those that are not done, oldest first
        self.filters: dict[UUID, dict[UUID, Filter]] = {}  # by workflow
        self.next_deadline_ms: int | None = None  # at or before the earliest execution timeout
        self.next_delayed_ms: int | None = None  # at or before the earliest end of a backoff
        self.next_schedule_timeout_ms: int | None = None
        self.next_wait_ms: int | None = None  # at or before the earliest end of a sleep
        self.next_ageing_ms: int | None = None
        self.next_schedule_ms: int | None = None  # at or before the next cron or scheduled run
        # What is due up to here has fired or is held by a pause.
        self.scheduled_seen = BEFORE_ALL_DUE
        self.cron_waits: dict[UUID, UUID] = {}  # run -> the cron whose tick waits for its end
        self.next_worker_check_ms: int | None = None
        self.rotation = 0  # where the next placement starts, so that no queue is always last

    def add_queue(self, queue: Queue) -> None:
        self.queues[queue.id] = queue
        queue.rankings.gains = self.gains
        self.queues_by_action[queue.tenant_id, queue.action] = queue
        for worker in self.workers.values():
            if worker.tenant_id == queue.tenant_id and queue.action in worker.actions:
                worker.queues.append(queue)
                if worker.assignable:
                    queue.workers.append(worker)

    def add_filter(self, filter_: Filter) -> None:
        self.filters.setdefault(filter_.workflow_id, {})[filter_.id] = filter_

    def add_worker(self, worker: Worker) -> None:
        self.workers[worker.id] = worker
        pause = self.pauses.find(worker.tenant_id, PauseKind.WORKER, str(worker.id))
        worker.paused = pause is not None
        for action in worker.actions:
            queue = self.queues_by_action.get((worker.tenant_id, action))
            if queue is not None:
                worker.queues.append(queue)

    def refresh_assignable(self, worker: Worker) -> None:
        """Put the worker on, or take it off, the lists of its queues."""
        for queue in worker.queues:
            present = worker in queue.workers
            if worker.assignable and not present:
                queue.workers.append(worker)
                queue.rankings.change(worker)
            elif not worker.assignable and present:
                queue.workers.remove(worker)
                queue.rankings.change(worker, gone=True)

    def relabel(self, worker: Worker) -> None:
        """The worker has got other labels."""
        if worker.assignable:
            for queue in worker.queues:
                queue.rankings.change(worker)

    def remove_worker(self, worker: Worker) -> None:
        worker.session = None
        self.refresh_assignable(worker)
        self.workers.pop(worker.id, None)


@dataclass(slots=True)
class Finished:
    """A run that ended in this turn; its waiters hear of it after the commit."""

    run_id: UUID
    task_id: UUID
    step: Step
    status: Status
    output: str | None
    error: str | None


@dataclass(slots=True)
class FinishedRun:
    """A run of several tasks that ended in this turn."""

    run_id: UUID
    tenant_id: UUID
    status: Status
    tasks: list[TaskResult] | None  # None: an output is not in memory, waiters look it up
    version: Version


@dataclass(slots=True)
class MemberEnd:
    """A task of a run ended with an attempt, or while it waited for a worker."""

    run_id: UUID
    tenant_id: UUID
    step: Step
    status: Status
    output: str | None
    error: str | None
    attempt: int
    begun_ms: int | None  # when the attempt was given out
    worker_id: UUID | None = None  # that had the last attempt


@dataclass(slots=True)
class MemberCancel:
    """A task of a run is to end that holds no worker and stands in no queue."""

    run_id: UUID
    tenant_id: UUID
    position: int
    reason: str


@dataclass(slots=True)
class Hit:
    """A condition of a waiting task was met."""

    task_id: UUID
    run_id: UUID
    tenant_id: UUID
    position: int
    data: str  # JSON object text
    moment: UUID | int  # the event, or when the sleep was due; hits of one moment count together


class Turn:
    """One turn while it decides: the hot state it may change, and what it gathers."""

    def __init__(self, hot: Hot, ids: IdSource, limits: Limits, now_ms: int) -> None:
        self.hot = hot
        self.ids = ids
        self.limits = limits
        self.now_ms = now_ms
        self.plan = Plan(ids, now_ms)
        self.dirty: dict[int, Queue] = {}  # queues that may have something to place
        self.roomy: dict[Worker, None] = {}  # workers that have got room
        self.stranded = 0  # tasks for which nobody was found to qualify
        self.deliveries: list[tuple[Running, Payload | None]] = []
        self.cancels: dict[Worker, list[CancelNotice]] = {}
        self.finished: list[Finished] = []
        self.touched: set[Dag] = set()  # runs that may hold large texts
        self.finished_runs: list[FinishedRun] = []
        self.ended_runs: set[UUID] = set()  # ids of runs of several tasks
        # What has happened to runs of several tasks; settled at the end of the turn.
        self.ends: list[MemberEnd] = []
        self.member_cancels: list[MemberCancel] = []
        self.hits: list[Hit] = []
        self.postponed: list[tuple[Dag, list[int]]] = []  # an output must be read first
        # Runs whose tasks at these positions begin; they were ``chosen`` for a replay.
        self.starts: list[tuple[Dag, list[int], bool]] = []
        self.admitted_runs: list[tuple[UUID, UUID]] = []  # (tenant, run) that may begin now
        self.joining: dict[UUID, Queued] = {}  # tasks that come to their batches
        self.arrivals: list[Queued] = []  # tasks and runs that want a place of their next rule
        self.brought: dict[Bucket, tuple[int, str]] = {}  # limits that tasks have brought along
        # Groups with a free place, or to be read on.
        self.freed: dict[Group, None] = hot.groups.take_unsure()
        self.evicted: list[tuple[UUID, UUID]] = []  # (tenant, task or run) a strategy cancels
        self.task_results: list[tuple[UUID, TaskResult]] = []  # (tenant, result) of members
        self.fired: list[Due] = []  # the schedules that it is to fire
        self.apart: frozenset[UUID] | None = None  # None: all that are due
        self.keys = Keys()
        self.repeats = Repeats()
        self.children: dict[tuple[UUID, str], UUID] = {}  # (parent, key) -> run made in this turn
        self.events: list[RunEvent] | None = None  # None: nobody watches
        self.subscriptions: list[tuple[UUID, RunSubscriber, list[UUID]]] = []
        self.look_ups: list[tuple[UUID, UUID]] = []  # (tenant, run) awaited that may have ended
        self.left: set[UUID] = set()  # tasks of which an attempt ended in this turn
        self.moved: set[UUID] = set()  # tasks whose loaded rows were used up in this turn
        self.sessions_to_close: list[tuple[WorkerSession, str]] = []
        self.loaded: dict[Any, Any] = {}  # what the load phase found for commands, by command id

    @property
    def noted(self) -> bool:
        """Whether something happened that is not followed up yet."""
        return bool(self.facts or self.arrivals or self.freed or self.evicted or self.joining)

    @property
    def facts(self) -> bool:
        """Whether something has happened to tasks of runs of several."""
        return bool(
            self.ends
            or self.member_cancels
            or self.hits
            or self.starts
            or self.postponed
            or self.admitted_runs
        )

    def gain(self, worker: Worker) -> None:
        """The worker has got room."""
        self.hot.gains.note(worker)
        self.roomy[worker] = None

    def wake_queues(self, worker: Worker) -> None:
        """The worker can take more, or something else than before: look at all its queues."""
        for queue in worker.queues:
            if queue.waits:
                self.dirty[queue.id] = queue

    def offer(self, worker: Worker) -> None:
        """Another worker is there, or offers something else: look at all that it could take."""
        if worker.assignable:
            self.hot.stranded.look_at(worker)
        self.wake_queues(worker)

    def schedule_worker_check(self) -> None:
        """Have the loop look again when the next worker could be overdue."""
        workers = self.hot.workers.values()
        dues = [worker.heartbeat_ms + self.limits.heartbeat_timeout_ms for worker in workers]
        dues += [one.lost_check_ms for one in workers if one.lost_check_ms is not None]
        self.hot.next_worker_check_ms = min(dues, default=None)

    def wake(self, queue: Queue) -> None:
        self.dirty[queue.id] = queue
