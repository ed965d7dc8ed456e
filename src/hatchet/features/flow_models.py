"""What the REST API tells about rate limits, pauses and queues."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from hatchet.features.models import Model, PaginationResponse


class RateLimit(Model):
    """A limit and what is left of it now. `paused_until` None: it is not paused, or (`is_paused`)
    until somebody resumes it."""

    key: str
    tenant_id: str
    limit_value: int
    value: int
    window: str
    last_refill: datetime
    is_paused: bool = False
    paused_until: datetime | None = None


class RateLimitList(Model):
    pagination: PaginationResponse | None = None
    rows: list[RateLimit] | None = None


class RateLimitOrderByField(StrEnum):
    KEY = "key"
    VALUE = "value"
    LIMITVALUE = "limitValue"


class RateLimitOrderByDirection(StrEnum):
    ASC = "asc"
    DESC = "desc"


class PauseKind(StrEnum):
    TENANT = "TENANT"
    WORKFLOW = "WORKFLOW"
    CONCURRENCY_KEY = "CONCURRENCY_KEY"
    RATE_LIMIT = "RATE_LIMIT"
    WORKER = "WORKER"


class Pause(Model):
    """A pause that is on. `until` None: until somebody ends it."""

    kind: PauseKind
    target: str
    since: datetime
    until: datetime | None = None
    by: str = ""
    reason: str = ""
    workflow_id: str | None = None
    workflow_name: str | None = None
    task_name: str | None = None
    name: str | None = None
    expression: str | None = None
    key: str | None = None
    worker_id: str | None = None
    worker_name: str | None = None
    queue_ttl: str | None = Field(default=None, alias="queueTTL")


class PauseList(Model):
    rows: list[Pause]


class ConcurrencyKey(Model):
    """A key of a concurrency rule that is in use. `task_name` None: the rule is for whole runs."""

    workflow_id: str | None = None
    workflow_name: str | None = None
    task_name: str | None = None
    name: str | None = None
    expression: str
    key: str
    running: int
    waiting: int
    max_runs: int | None = None
    is_paused: bool = False


class ConcurrencyKeyList(Model):
    rows: list[ConcurrencyKey]


class ConcurrencyStat(Model):
    """Tasks by the keys of one concurrency rule."""

    expression: str | None = None
    type: str | None = None
    keys: dict[str, int] | None = None


class TaskStatusStat(Model):
    """Tasks of one name that wait, or that run."""

    total: int | None = None
    queues: dict[str, int] | None = None
    concurrency: list[ConcurrencyStat] | None = None
    oldest: datetime | None = None
    oldest_excluding_retries: datetime | None = None


class TaskStat(Model):
    queued: TaskStatusStat | None = None
    running: TaskStatusStat | None = None
