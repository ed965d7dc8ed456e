"""Why a task or run does not run. Ours: the official API has no such thing."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from hatchet_engine.domain.why import Kind
from hatchet_engine.transports.rest.schemas.common import Schema, Uuid
from hatchet_engine.transports.rest.schemas.runs import V1TaskStatus


class WhyTaskOnWorker(Schema):
    task: Uuid
    name: str = Field(description="Of the task's definition.")
    since: datetime


class WhyWorker(Schema):
    id: Uuid
    name: str
    state: str = Field(
        description="ready, paused, draining (about to stop), or away: it has no connection."
    )
    slots: dict[str, int] = Field(description="All of its slots, by type.")
    free: dict[str, int]
    tasks: list[WhyTaskOnWorker] = Field(description="What holds its slots; the oldest few.")
    tasks_total: int


class WhyLabel(Schema):
    key: str
    wanted: str = Field(description="With its comparator, such as `>= 80`.")
    offered: str | int | None = Field(None, description="By the nearest worker.")


class WhyHolder(Schema):
    id: Uuid = Field(description="Of a task, or of a run when the rule is one of whole runs.")
    workflow: str
    since: datetime | None = None


class WhyParent(Schema):
    task: Uuid
    name: str
    status: V1TaskStatus


class WhyCondition(Schema):
    """Of a group one is enough, and every group is to be met."""

    group: str
    due_at: datetime | None = None
    event_key: str | None = None
    scope: str | None = None
    expression: str | None = None
    met: bool


class WhyBlocker(Schema):
    """One thing that has to change before a task goes on. Fields that say nothing about its kind
    are left out."""

    kind: Kind
    message: str = Field(description="For people; the other fields say the same.")
    remedy: str | None = None
    task: Uuid | None = Field(None, description="Which task of a run of several.")
    task_name: str | None = None
    action: str | None = Field(None, description="What a worker has to offer.")
    workers: list[WhyWorker] | None = Field(
        None, description="Of that action: those that are full, paused or away, or the nearest."
    )
    workers_total: int | None = None
    labels: list[WhyLabel] | None = Field(
        None, description="Required ones that the nearest worker does not meet."
    )
    slots: dict[str, int] | None = Field(None, description="That the task takes, by type.")
    key: str | None = Field(None, description="Of a concurrency rule or a rate limit.")
    line: str | None = Field(None, description="What a pause of the concurrency key names.")
    limit: int | None = Field(None, description="Places of the key, or units per window.")
    used: int | None = Field(None, description="Of the limit.")
    needed: int | None = Field(None, description="Units that the task asks for.")
    holders: list[WhyHolder] | None = Field(None, description="Of places; the oldest few.")
    since: datetime | None = None
    until: datetime | None = Field(None, description="When it changes by itself, if known.")
    by: str | None = Field(None, description="Who paused it.")
    reason: str | None = None
    attempt: int | None = Field(None, description="1 first.")
    attempts: int | None = Field(None, description="Most there will be.")
    parents: list[WhyParent] | None = None
    conditions: list[WhyCondition] | None = None


class WhyPlace(Schema):
    of: str = Field(description="The queue or line, in words.")
    position: int = Field(description="1 first; counted up to 10,000.")
    more: bool = Field(description="It stands further back than that.")


class Why(Schema):
    """Why a task or run does not run, as of now."""

    task: Uuid | None = Field(
        None, description="Left out for a run of several tasks, and for a scheduled run to come."
    )
    run: Uuid = Field(description="Of a scheduled run that has made no run: its own id.")
    state: V1TaskStatus
    since: datetime | None = Field(None, description="Since when it stands where it stands.")
    message: str
    blockers: list[WhyBlocker] = Field(
        description="What has to change, what it waits for now first. Of a run of several tasks: "
        "of each unfinished one, first what runs, then what has least to wait for."
    )
    place: WhyPlace | None = Field(None, description="In a queue or line.")
    remedy: str | None = Field(None, description="The smallest change that would let it go.")
    times_out_at: datetime | None = Field(
        None, description="When it is cancelled if it still stands there."
    )
    partial: str | None = Field(None, description="Why something is missing, if anything is.")
    tasks_left_out: int = Field(description="Unfinished tasks of the run beyond the first 100.")
