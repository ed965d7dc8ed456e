"""Why a run waits, as `hatchet.runs.why` tells it."""

from datetime import datetime

from hatchet.features.models import Model, V1TaskStatus


class WhyTaskOnWorker(Model):
    """A task that holds slots of a worker. `name`: of its definition."""

    task: str
    name: str
    since: datetime


class WhyWorker(Model):
    """A worker that offers the action. `state`: ready, paused, or away (it has no connection).

    `slots` and `free`: by type. `tasks`: the oldest few that hold its slots.
    """

    id: str
    name: str
    state: str
    slots: dict[str, int]
    free: dict[str, int]
    tasks: list[WhyTaskOnWorker]
    tasks_total: int


class WhyLabel(Model):
    """A required label that the nearest worker does not meet; `wanted` such as `>= 80`."""

    key: str
    wanted: str
    offered: str | int | None = None


class WhyHolder(Model):
    """A task or run that holds a place under a concurrency key."""

    id: str
    workflow: str
    since: datetime | None = None


class WhyParent(Model):
    task: str
    name: str
    status: V1TaskStatus


class WhyCondition(Model):
    """A time or an event that a task waits for. Of a `group` one is enough; all groups count."""

    group: str
    due_at: datetime | None = None
    event_key: str | None = None
    scope: str | None = None
    expression: str | None = None
    met: bool


class WhyBlocker(Model):
    """One thing that has to change before a task goes on.

    `kind` is one of NO_WORKER, LABELS, STICKY, SLOTS, WORKERS_FULL, CONCURRENCY, RATE_LIMIT,
    PAUSED, PARENTS, CONDITIONS, BACKOFF, SCHEDULED, BATCH, RUNNING, SOON, STANDBY. `message` and
    `remedy` are for people; fields that say nothing about the kind are None. `until`: when it
    changes by itself.
    """

    kind: str
    message: str
    remedy: str | None = None
    task: str | None = None
    task_name: str | None = None
    action: str | None = None
    workers: list[WhyWorker] | None = None
    workers_total: int | None = None
    labels: list[WhyLabel] | None = None
    slots: dict[str, int] | None = None
    key: str | None = None
    line: str | None = None
    limit: int | None = None
    used: int | None = None
    needed: int | None = None
    holders: list[WhyHolder] | None = None
    since: datetime | None = None
    until: datetime | None = None
    by: str | None = None
    reason: str | None = None
    attempt: int | None = None
    attempts: int | None = None
    parents: list[WhyParent] | None = None
    conditions: list[WhyCondition] | None = None


class WhyPlace(Model):
    """A place in a queue or line: `position` 1 first; with `more` it is further back than that."""

    of: str
    position: int
    more: bool


class Why(Model):
    """What keeps a run or task from going on.

    `blockers`: what it waits for now first; of a run of several tasks, those of each unfinished
    one. `remedy`: the smallest change that would let it go. `partial`: why something is missing
    from the answer, if anything is.
    """

    task: str | None = None
    run: str
    state: V1TaskStatus
    since: datetime | None = None
    message: str
    blockers: list[WhyBlocker]
    place: WhyPlace | None = None
    remedy: str | None = None
    times_out_at: datetime | None = None
    partial: str | None = None
    tasks_left_out: int = 0
