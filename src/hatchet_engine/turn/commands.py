"""Everything that can be asked of the engine, as plain data.

Transports decode the wire into these, hand them to :meth:`hatchet_engine.turn.engine.Engine.submit`
and encode what comes back. A result is returned only after its turn is committed. Ids are
``uuid.UUID``; JSON is text, byte for byte as the sender wrote it; times are epoch milliseconds.

A command that can't be carried out raises :class:`hatchet_engine.domain.errors.Refused` from
``submit``; nothing of it was written then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar
from uuid import UUID

from hatchet_engine.domain.definition import WorkflowDefinition
from hatchet_engine.domain.labels import DesiredLabel, LabelValue

if TYPE_CHECKING:
    from hatchet_engine.turn.deliveries import Assigned, AssignedBatch, CancelNotice

R_co = TypeVar("R_co", covariant=True)


class Command(Generic[R_co]):
    """Base of all commands; ``R_co`` is what ``submit`` returns for it."""

    __slots__ = ()


# ---------------------------------------------------------------- definitions


@dataclass(slots=True, frozen=True)
class RegisteredWorkflow:
    workflow_id: UUID
    version_id: UUID
    number: int  # version number, 1 first
    created_ms: int
    changed: bool  # False: the definition was the latest version already (REG-2)


@dataclass(slots=True, frozen=True)
class PutWorkflow(Command[RegisteredWorkflow]):
    tenant_id: UUID
    definition: WorkflowDefinition  # validated by domain.definition.check


@dataclass(slots=True, frozen=True)
class DeleteWorkflow(Command[bool]):
    """Soft delete (REG-19). Returns False when there is no such workflow."""

    tenant_id: UUID
    workflow_id: UUID


# ---------------------------------------------------------------- runs


@dataclass(slots=True)
class TriggerItem:
    """One run to create."""

    workflow: str  # name, as registered
    input: str = "{}"  # JSON object text; "" counts as {}
    metadata: str = ""  # JSON object text; "" = none
    priority: int | None = None  # 1..3; None: the workflow's default
    parent_task_id: UUID | None = None
    child_index: int | None = None
    child_key: str | None = None
    desired_worker_id: UUID | None = None
    desired_labels: Mapping[str, DesiredLabel] | None = None


@dataclass(slots=True)
class TriggerRuns(Command[list[UUID]]):
    """Create runs, all or none. Returns the run ids in item order. Raises ``KeyCollision`` when
    idempotency keys of some items are taken; the others are created all the same.

    ``subscriber``: gets the results of these runs, as if it had subscribed right after the commit.
    ``origin``: a number that makes it possible to send this call once more (turn/repeats.py).
    ``resent_ms``: it is sent once more, so long after the first time.
    """

    tenant_id: UUID
    items: Sequence[TriggerItem]
    subscriber: RunSubscriber | None = None
    origin: int | None = None
    resent_ms: int | None = None


@dataclass(slots=True, frozen=True)
class RunFilter:
    """Selects runs by what they are (CX-2). Metadata pairs are ORed; empty sequences select all."""

    since_ms: int
    until_ms: int | None = None
    statuses: Sequence[int] = ()  # domain.states.Status
    workflow_ids: Sequence[UUID] = ()
    metadata: Sequence[tuple[str, str]] = ()


@dataclass(slots=True, frozen=True)
class CancelTasks(Command[list[UUID]]):
    """Cancel by run or task ids, or by filter (exactly one given). A run's id means all its tasks.
    Unknown and finished ones are left alone. Returns the ids that were cancelled now.

    ``children``: take along the runs that the tasks have spawned, and theirs in turn. If more of
    these go on than a command takes it is refused; with ``in_parts`` as many of them as it takes
    are cancelled, and none of those that have spawned them: repeat it.
    """

    tenant_id: UUID
    ids: Sequence[UUID] = ()
    filter: RunFilter | None = None
    reason: str = "Cancelled by user"
    children: bool = False
    in_parts: bool = False


@dataclass(slots=True, frozen=True)
class ReplayTasks(Command[list[UUID]]):
    """Run finished runs or tasks again (RP-*): a run's id means all its tasks, a task's id the task
    and its descendants. Returns the ids of the tasks that run again.

    By ids: refused with NOT_FOUND when one is unknown, and with FAILED_PRECONDITION when one
    belongs to a run that has not ended; nothing is replayed then. By filter: only ended runs are
    selected.
    """

    tenant_id: UUID
    ids: Sequence[UUID] = ()
    filter: RunFilter | None = None
    lenient: bool = False  # pass over what by ids would be refused


@dataclass(slots=True, frozen=True)
class BulkProgress:
    """How far an operation on many runs has come."""

    id: UUID
    total: int  # runs selected when it began
    done: int  # of them looked at
    changed: int  # tasks cancelled or queued again


@dataclass(slots=True, frozen=True)
class StartBulk(Command[BulkProgress]):
    """Cancel or replay all runs that a filter selects, at most ``Limits.bulk_runs_max``, in
    bounded steps over several turns. Durable: it goes on after a restart of the engine. Returns
    once it is stored; its row in ``bulk_operation`` tells the progress.

    ``children``: cancel also the runs that they have spawned, and theirs in turn.
    """

    tenant_id: UUID
    kind: str  # "CANCEL" or "REPLAY"
    filter: RunFilter
    reason: str = "Cancelled by user"
    children: bool = False


# ---------------------------------------------------------------- events


@dataclass(slots=True)
class NewEvent:
    """One event to push (E-1)."""

    key: str  # 1..event_key_length_max characters
    payload: str = "{}"  # JSON object text; "" counts as {}
    metadata: str = ""  # JSON object text; "" = none
    priority: int | None = None  # 1..3, for the runs it triggers
    scope: str | None = None  # "" counts as none
    source: str | None = None  # name of the webhook it came by


@dataclass(slots=True, frozen=True)
class PushedEvent:
    id: UUID
    seen_ms: int
    run_ids: Sequence[UUID]  # runs that it triggered


@dataclass(slots=True)
class PushEvents(Command[list[PushedEvent]]):
    """Store events, trigger the runs that wait for their keys, and wake the tasks that do; all
    events or none. Returns what became of them, in order."""

    tenant_id: UUID
    events: Sequence[NewEvent]


@dataclass(slots=True, frozen=True)
class Filter:
    """A stored event filter (E-17 to E-24)."""

    id: UUID
    tenant_id: UUID
    workflow_id: UUID
    scope: str
    expression: str
    payload: str  # JSON object text
    declarative: bool
    created_ms: int
    updated_ms: int


@dataclass(slots=True, frozen=True)
class CreateFilter(Command[Filter]):
    """NOT_FOUND for an unknown workflow; INVALID_ARGUMENT for an expression that can't be compiled
    or a payload that is no JSON object, naming the field."""

    tenant_id: UUID
    workflow_id: UUID
    scope: str
    expression: str
    payload: str = "{}"


@dataclass(slots=True, frozen=True)
class ChangeFilter(Command[Filter]):
    """Change what is not None. NOT_FOUND for an unknown filter."""

    tenant_id: UUID
    filter_id: UUID
    scope: str | None = None
    expression: str | None = None
    payload: str | None = None


@dataclass(slots=True, frozen=True)
class DeleteFilter(Command[Filter]):
    """Returns what was deleted. NOT_FOUND for an unknown filter."""

    tenant_id: UUID
    filter_id: UUID


@dataclass(slots=True, frozen=True)
class RefreshTimeout(Command[int]):
    """Move the execution deadline of a running task; returns the new one (TO-10)."""

    tenant_id: UUID
    task_id: UUID
    increment_ms: int


@dataclass(slots=True, frozen=True)
class ReleaseSlot(Command[None]):
    """Give the task's slots back while it goes on (SL-9). Repeats are harmless."""

    tenant_id: UUID
    task_id: UUID


# ---------------------------------------------------------------- reports of workers


class ReportKind(IntEnum):
    STARTED = 1
    COMPLETED = 2
    FAILED = 3
    ACKNOWLEDGED = 4
    CANCELLED = 5


@dataclass(slots=True)
class Report:
    task_id: UUID
    attempt: int | None  # None (very old SDKs): the current one
    kind: ReportKind
    payload: str = ""  # COMPLETED: output JSON; FAILED: error text
    should_not_retry: bool = False
    retry_after_ms: int | None = None
    started_ms: int | None = None  # worker clock; None: unknown
    batch_id: UUID | None = None  # tells which attempt is meant, in place of ``attempt``


@dataclass(slots=True)
class ReportTasks(Command[list[bool]]):
    """What a worker says of its tasks; any number at once.

    Returns, per report, whether the task is known at all (official unary callers answer
    INVALID_ARGUMENT for unknown ones). Reports for attempts that are over are accepted and
    ignored (RT-9, RT-10).
    """

    tenant_id: UUID
    reports: Sequence[Report]


# ---------------------------------------------------------------- workers


class WorkerSession(Protocol):
    """The engine's end of one worker stream; transports implement it.

    Both calls come from the engine's event loop after a commit, must not block and must not
    raise; what can't be delivered any more is found out when the stream closes.
    """

    def deliver(
        self, assigned: Sequence[Assigned | AssignedBatch], cancels: Sequence[CancelNotice]
    ) -> None: ...

    def close(self, reason: str) -> None:
        """End the stream with OK, so that the SDK reconnects."""
        ...


class RunSubscriber(Protocol):
    """Somebody waiting for results; called from the engine's event loop, must not block."""

    def deliver_results(self, results: Sequence[Any]) -> None:
        """``results``: :class:`hatchet_engine.turn.deliveries.RunResult` objects."""
        ...


@dataclass(slots=True, frozen=True)
class RegisterWorker(Command[UUID]):
    """A new worker row; it gets work only once a stream is open (WK-1). Returns its id."""

    tenant_id: UUID
    name: str
    actions: Sequence[str]
    slots: Mapping[str, int]  # empty: {"default": 100}
    labels: Mapping[str, LabelValue] = field(default_factory=dict)
    runtime: Mapping[str, Any] = field(default_factory=dict)
    protocol: str = "grpc"


@dataclass(slots=True, frozen=True)
class OpenStream(Command[None]):
    """A worker's stream is there: it may get work from now on (WK-4).

    ``held``: what the worker says it is running, as (task id, attempt); assignments it does not
    name were lost on the way and are delivered again. ``None`` (official SDKs): not known; what
    was never acknowledged goes back to the queue as a new attempt.
    Refused with NOT_FOUND for an unknown worker of this tenant.
    """

    tenant_id: UUID
    worker_id: UUID
    session: WorkerSession
    held: Sequence[tuple[UUID, int]] | None = None


@dataclass(slots=True, frozen=True)
class CloseStream(Command[None]):
    """The stream ended, for whatever reason. Ignored when a newer stream has taken its place."""

    tenant_id: UUID
    worker_id: UUID
    session: WorkerSession


@dataclass(slots=True, frozen=True)
class LeaveWorker(Command[None]):
    """A clean goodbye (Unsubscribe, WK-10)."""

    tenant_id: UUID
    worker_id: UUID


@dataclass(slots=True, frozen=True)
class ChangeWorker(Command[None]):
    """What a worker says of itself: labels to upsert, and whether it takes anything new (WK-6).
    NOT_FOUND for an unknown worker."""

    tenant_id: UUID
    worker_id: UUID
    labels: Mapping[str, LabelValue] = field(default_factory=dict)
    draining: bool | None = None


# ---------------------------------------------------------------- rate limits and pauses


@dataclass(slots=True, frozen=True)
class PutRateLimit(Command[None]):
    """Make or change a limit of the tenant (RL-3). INVALID_ARGUMENT for an empty or too long key,
    a negative limit, an unknown window."""

    tenant_id: UUID
    key: str  # 1..rate_key_bytes_max bytes
    limit: int  # units per window, at least 0
    window: str = "SECOND"  # SECOND, MINUTE, HOUR, DAY, WEEK, MONTH, YEAR


@dataclass(slots=True, frozen=True)
class DeleteRateLimit(Command[bool]):
    """Forget a limit; tasks that ask for it wait until there is one again. Returns whether there
    was one."""

    tenant_id: UUID
    key: str


@dataclass(slots=True, frozen=True)
class PauseRateLimit(Command[int]):
    """No units of a key before a time; a longer pause that is on already stays, and so do its
    author and reason. An unknown key is made, paused and without a limit. Returns when the pause
    ends, epoch ms."""

    tenant_id: UUID
    key: str
    until_ms: int


class PauseKind(IntEnum):
    """What can be paused, and what its target is."""

    TENANT = 1  # ""
    WORKFLOW = 2  # workflow id
    CONCURRENCY_KEY = 3  # name of the line: "c<limit id>:<key>"
    RATE_LIMIT = 4  # key of the limit
    WORKER = 5  # worker id


@dataclass(slots=True, frozen=True)
class PausedThing:
    """A pause that is on."""

    tenant_id: UUID
    kind: PauseKind
    target: str
    since_ms: int
    until_ms: int | None = None  # None: until somebody ends it
    by: str = ""  # who, in words
    reason: str = ""
    queue_ttl_ms: int | None = None  # WORKFLOW: what waits longer than this is cancelled (REG-25)
    drop_crons: bool = False  # WORKFLOW: ticks do not make runs meanwhile (REG-27)
    drop_scheduled: bool = False


@dataclass(slots=True, frozen=True)
class Pause(Command[PausedThing]):
    """Begin a pause, or change the one that is on. What runs goes on; what waits is not given to a
    worker (REG-24). NOT_FOUND for an unknown workflow or worker."""

    tenant_id: UUID
    kind: PauseKind
    target: str = ""
    until_ms: int | None = None
    by: str = ""
    reason: str = ""
    queue_ttl_ms: int | None = None
    drop_crons: bool = False
    drop_scheduled: bool = False


@dataclass(slots=True, frozen=True)
class Resume(Command[bool]):
    """End a pause; what it held goes back to its queue with a fresh schedule timeout (REG-26).
    Returns whether there was one."""

    tenant_id: UUID
    kind: PauseKind
    target: str = ""
