"""What the engine hands out after a commit: assignments, cancellations and results."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from hatchet_engine.domain.states import Status


@dataclass(slots=True)
class Assigned:
    """One task for one worker; everything a transport needs to build its start message."""

    tenant_id: UUID
    task_id: UUID
    run_id: UUID
    attempt: int
    action: str  # in the spelling this worker registered
    task_name: str
    step_id: UUID
    input: str
    metadata: str  # JSON object text, "" = none
    priority: int
    workflow_id: UUID
    version_id: UUID
    created_ms: int
    assigned_ms: int
    deadline_ms: int
    parent_task_id: UUID | None = None
    child_index: int | None = None
    child_key: str | None = None
    context: str = ""  # JSON object text with parents, triggers, step_run_errors; "" = none


@dataclass(slots=True)
class AssignedBatch:
    """Tasks for one worker that it runs in one call (BA-1)."""

    id: UUID
    tenant_id: UUID
    action: str  # in the spelling this worker registered
    key: str  # of the group, "" = none
    reason: str  # why it was made now, in words; "" = it is delivered once more
    flushed_ms: int
    members: list[Assigned] = field(default_factory=list)


@dataclass(slots=True)
class CancelNotice:
    """Stop this attempt. Names as on :class:`Assigned` (the wire repeats them all)."""

    tenant_id: UUID
    task_id: UUID
    run_id: UUID
    attempt: int
    action: str
    task_name: str
    step_id: UUID
    workflow_id: UUID
    version_id: UUID
    reason: str


@dataclass(slots=True)
class TaskResult:
    task_id: UUID
    task_name: str
    status: Status
    output: str | None  # JSON text; None: nothing returned
    error: str | None


@dataclass(slots=True)
class RunResult:
    run_id: UUID
    status: Status
    finished_ms: int
    tasks: list[TaskResult]


@dataclass(slots=True)
class RunEvent:
    """Something that happened to a run, for those who watch it live (B10)."""

    run_id: UUID
    task_id: UUID | None  # None: about the run itself
    kind: str  # STARTED COMPLETED FAILED CANCELLED STREAM RUN_COMPLETED RUN_FAILED RUN_CANCELLED
    payload: str
    retry_count: int
    index: int | None  # STREAM: position of the chunk, when the producer gave one
    at_ms: int
