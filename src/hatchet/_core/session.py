"""The records that travel between the session and the rest of the SDK."""

from dataclasses import dataclass, field
from typing import NamedTuple

QUEUED, RUNNING, COMPLETED, FAILED, CANCELLED = range(5)
RUN_STATUS_NAMES = ("QUEUED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED")

LabelValue = str | int


class DesiredLabelData(NamedTuple):
    value: LabelValue
    required: bool
    comparator: int
    weight: int | None


class TriggerItemData(NamedTuple):
    """One run to create. Texts are JSON; "" and b"" mean absent."""

    workflow: str
    input: str = ""
    metadata: str = ""
    priority: int = 0
    parent_task_id: bytes = b""
    child_index: int | None = None
    child_key: str = ""
    desired_worker_id: bytes = b""
    desired_labels: dict[str, DesiredLabelData] | None = None

    @property
    def size(self) -> int:
        """Bytes on the wire, roughly, never too small for ASCII texts."""
        return len(self.input) + len(self.metadata) + len(self.workflow) + 96


class TaskOutcome(NamedTuple):
    task_id: bytes
    task_name: str
    status: int
    output: str
    error: str


class RunOutcome(NamedTuple):
    """How a run ended: `tasks` holds every task that has ended."""

    status: int
    tasks: tuple[TaskOutcome, ...]
    more: bool = False  # a piece: further tasks follow


# In place of the result of a run that was not created, because another run has its key.
NOT_CREATED = RunOutcome(-1, ())


class Assigned:
    """One attempt of one task, given to this worker."""

    __slots__ = (
        "action",
        "attempt",
        "child_index",
        "child_key",
        "context",
        "created_at_ms",
        "deadline_ms",
        "input",
        "metadata",
        "parent_task_id",
        "priority",
        "run_id",
        "task_id",
        "task_name",
        "workflow_id",
        "workflow_version_id",
    )

    def __init__(
        self,
        task_id: bytes,
        run_id: bytes,
        attempt: int,
        action: str,
        task_name: str,
        input: str = "",
        metadata: str = "",
        priority: int = 0,
        workflow_id: bytes = b"",
        workflow_version_id: bytes = b"",
        parent_task_id: bytes = b"",
        child_index: int | None = None,
        child_key: str = "",
        context: str = "",
        deadline_ms: int = 0,
        created_at_ms: int = 0,
    ) -> None:
        self.task_id = task_id
        self.run_id = run_id
        self.attempt = attempt
        self.action = action
        self.task_name = task_name
        self.input = input
        self.metadata = metadata
        self.priority = priority
        self.workflow_id = workflow_id
        self.workflow_version_id = workflow_version_id
        self.parent_task_id = parent_task_id
        self.child_index = child_index
        self.child_key = child_key
        self.context = context
        self.deadline_ms = deadline_ms
        self.created_at_ms = created_at_ms


class AssignedBatch(NamedTuple):
    """Attempts that this worker is to run in one call."""

    id: bytes
    action: str
    key: str
    reason: str
    flushed_at_ms: int
    members: list[Assigned]


class Cancelled(NamedTuple):
    task_id: bytes
    attempt: int
    reason: str


class RunEvent(NamedTuple):
    """One event of a run. Numbers are those of the protocol."""

    resource_type: int
    event_type: int
    payload: str
    run_id: str
    resource_id: str
    hangup: bool


class CallError(NamedTuple):
    code: int
    message: str
    item_index: int


class TriggerAnswer(NamedTuple):
    request_id: int
    run_ids: list[bytes]
    error: CallError | None
    holders: dict[int, bytes]  # items that were not created -> the run that has their key


class TaskAnswer(NamedTuple):
    request_id: int
    timeout_at_ms: int
    error: CallError | None


class Welcomed(NamedTuple):
    tenant_id: bytes
    engine_version: str
    heartbeat_interval_ms: int
    max_frame_bytes: int
    max_payload_bytes: int


class Registered(NamedTuple):
    worker_id: bytes
    resumed: bool
    error: CallError | None


@dataclass(slots=True)
class Received:
    """One frame from the engine, decoded."""

    welcome: Welcomed | None = None
    registered: Registered | None = None
    trigger_answers: list[TriggerAnswer] = field(default_factory=list)
    assignments: list[Assigned] = field(default_factory=list)
    batches: list[AssignedBatch] = field(default_factory=list)
    cancellations: list[Cancelled] = field(default_factory=list)
    results: list[tuple[bytes, RunOutcome]] = field(default_factory=list)
    acked_seq: int = 0
    task_answers: list[TaskAnswer] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class WorkerData:
    """What a worker says about itself when it joins."""

    name: str
    actions: tuple[str, ...]
    slots: dict[str, int]
    labels: dict[str, LabelValue]
