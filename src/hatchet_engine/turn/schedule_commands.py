"""Commands about crons and scheduled runs; see :mod:`hatchet_engine.turn.commands`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from hatchet_engine.domain.calendar import Policies
from hatchet_engine.turn.commands import Command

BEFORE_ALL = UUID(int=0)


@dataclass(slots=True, frozen=True)
class CreateCron(Command[UUID]):
    """A cron beside those that a workflow declares (CR-2). Returns its id.

    Options that stand in the expression win over ``policies``. INVALID_ARGUMENT for an unknown
    workflow, an empty or taken name, and whatever can't be read, naming the field.
    """

    tenant_id: UUID
    workflow: str  # name, as registered
    name: str
    expression: str
    input: str = "{}"  # JSON object text
    metadata: str = ""  # JSON object text; "" = none
    priority: int | None = None  # 1..3; None: the workflow's default
    policies: Policies = field(default_factory=Policies)


@dataclass(slots=True, frozen=True)
class EnableCron(Command[None]):
    """Let a cron fire, or not. What it missed meanwhile is not made good (CR-4). NOT_FOUND for an
    unknown one."""

    tenant_id: UUID
    cron_id: UUID
    enabled: bool


@dataclass(slots=True, frozen=True)
class DeleteCron(Command[None]):
    """NOT_FOUND for an unknown one."""

    tenant_id: UUID
    cron_id: UUID


@dataclass(slots=True, frozen=True)
class TriggerCron(Command[UUID]):
    """Run it now, also a disabled one (CR-5). Returns the run's id; NOT_FOUND for an unknown
    cron."""

    tenant_id: UUID
    cron_id: UUID


@dataclass(slots=True, frozen=True)
class Scheduled:
    """What became of :class:`ScheduleRuns`: the workflow's version of now, and a row per time."""

    workflow_id: UUID
    version_id: UUID
    version_number: int
    version_created_ms: int
    ids: Sequence[UUID]


@dataclass(slots=True, frozen=True)
class ScheduleRuns(Command[Scheduled]):
    """A run at each of these times; times of the past are due at once (SC-1, SC-2).

    NOT_FOUND for an unknown workflow; INVALID_ARGUMENT for what can't be stored, naming the field.
    """

    tenant_id: UUID
    workflow: str  # name, as registered
    due_ms: Sequence[int]
    input: str = "{}"  # JSON object text
    metadata: str = ""  # JSON object text; "" = none
    priority: int | None = None  # 1..3; None: the workflow's default
    declarative: bool = False  # asked for over gRPC: can't be changed over REST
    parent_run_id: UUID | None = None
    parent_task_id: UUID | None = None
    child_index: int | None = None
    child_key: str | None = None


@dataclass(slots=True, frozen=True)
class Changed:
    """What became of several scheduled runs: those changed, and why others were not."""

    ids: Sequence[UUID]
    errors: Sequence[tuple[UUID, str]]


@dataclass(slots=True, frozen=True)
class RescheduleRuns(Command[Changed]):
    """Move scheduled runs to other times (SC-7), given as (id, time)."""

    tenant_id: UUID
    moves: Sequence[tuple[UUID, int]]


@dataclass(slots=True, frozen=True)
class ScheduledFilter:
    """Selects scheduled runs that are still to come; all that is given must fit."""

    workflow_id: UUID | None = None
    parent_run_id: UUID | None = None
    parent_task_id: UUID | None = None
    metadata: str | None = None  # JSON object text that theirs must contain


@dataclass(slots=True, frozen=True)
class DeleteScheduled(Command[Changed]):
    """Delete scheduled runs by ids, or some of those behind an id that a filter selects (SC-8).
    Repeat with the highest id of the answer until it is empty."""

    tenant_id: UUID
    ids: Sequence[UUID] = ()
    filter: ScheduledFilter | None = None
    after: UUID = BEFORE_ALL


@dataclass(slots=True, frozen=True)
class TriggerScheduled(Command[UUID]):
    """Run it now instead of at its time (SC-9). Returns the run's id; NOT_FOUND for an unknown one,
    FAILED_PRECONDITION for one that has fired."""

    tenant_id: UUID
    scheduled_id: UUID
