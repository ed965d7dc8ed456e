"""What a workflow is: the normalised definition that a version stores.

Transports fill these from their wire messages; :mod:`hatchet_engine.domain.registration` checks and
normalises them (REG-*); the store keeps them as JSON (:func:`to_json`, :func:`from_json`).
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from hatchet_engine.domain.labels import Comparator, DesiredLabel

DEFAULT_EXECUTION_TIMEOUT_MS = 300_000
DEFAULT_SCHEDULE_TIMEOUT_MS = 300_000
DEFAULT_BACKOFF_MAX_S = 86_400


@dataclass(slots=True)
class ConcurrencyRule:
    expression: str
    max_runs: int = 1
    strategy: str = "CANCEL_IN_PROGRESS"
    name: str | None = None
    tenant_scoped: bool = False
    max_runs_expression: str | None = None


@dataclass(slots=True)
class RateLimitUse:
    key: str
    units: int | None = None
    key_expr: str | None = None
    units_expr: str | None = None
    limit_expr: str | None = None
    duration: str | None = None  # SECOND, MINUTE, ... YEAR


@dataclass(slots=True)
class Condition:
    kind: str  # "parent", "sleep", "event"
    action: str  # "QUEUE", "CANCEL", "SKIP"
    data_key: str
    or_group: str
    expression: str = ""
    parent: str | None = None
    sleep: str | None = None  # duration text, as given
    event_key: str | None = None
    event_scope: str | None = None


@dataclass(slots=True)
class BatchConfig:
    max_size: int
    interval_ms: int = 1_000
    group_key: str | None = None
    group_max_runs: int = 100
    broadcast_output: bool = False


@dataclass(slots=True)
class IdempotencyConfig:
    expression: str
    ttl_ms: int
    method: str = "TTL"  # or "STATUS"


@dataclass(slots=True)
class EventFilter:
    expression: str
    scope: str
    payload: str = "{}"


@dataclass(slots=True)
class TaskDefinition:
    name: str  # readable id
    action: str  # "service:verb", lower case
    execution_timeout_ms: int = DEFAULT_EXECUTION_TIMEOUT_MS
    schedule_timeout_ms: int = DEFAULT_SCHEDULE_TIMEOUT_MS
    retries: int = 0
    backoff_factor: float | None = None
    backoff_max_s: int | None = None
    parents: list[str] = field(default_factory=list)
    slots: dict[str, int] = field(default_factory=dict)  # empty: {"default": 1}
    labels: dict[str, DesiredLabel] = field(default_factory=dict)
    concurrency: list[ConcurrencyRule] = field(default_factory=list)
    rate_limits: list[RateLimitUse] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)
    batch: BatchConfig | None = None
    durable: bool = False
    on_failure: bool = False


@dataclass(slots=True)
class WorkflowDefinition:
    name: str
    description: str = ""
    tasks: list[TaskDefinition] = field(default_factory=list)  # an on-failure task stands last
    event_triggers: list[str] = field(default_factory=list)
    cron_triggers: list[str] = field(default_factory=list)
    cron_input: str | None = None
    sticky: str | None = None  # "SOFT", "HARD"
    default_priority: int | None = None
    concurrency: list[ConcurrencyRule] = field(default_factory=list)
    default_filters: list[EventFilter] = field(default_factory=list)
    input_json_schema: str | None = None
    idempotency: IdempotencyConfig | None = None


def to_json(definition: WorkflowDefinition) -> str:
    """The stored form: sorted keys, so equal definitions give equal text."""
    return orjson.dumps(asdict(definition), option=orjson.OPT_SORT_KEYS).decode()


def digest(definition: WorkflowDefinition) -> bytes:
    """Fingerprint of a normalised definition; equal means "no new version" (REG-2, REG-3)."""
    return hashlib.sha256(to_json(definition).encode()).digest()


def from_json(text: str) -> WorkflowDefinition:
    """Read back what :func:`to_json` wrote."""
    data: dict[str, Any] = orjson.loads(text)
    data["tasks"] = [_task(task) for task in data["tasks"]]
    data["concurrency"] = [ConcurrencyRule(**rule) for rule in data["concurrency"]]
    data["default_filters"] = [EventFilter(**entry) for entry in data["default_filters"]]
    if data["idempotency"] is not None:
        data["idempotency"] = IdempotencyConfig(**data["idempotency"])
    return WorkflowDefinition(**data)


def _task(data: dict[str, Any]) -> TaskDefinition:
    data["labels"] = {key: _label(label) for key, label in data["labels"].items()}
    data["concurrency"] = [ConcurrencyRule(**rule) for rule in data["concurrency"]]
    data["rate_limits"] = [RateLimitUse(**use) for use in data["rate_limits"]]
    data["conditions"] = [Condition(**condition) for condition in data["conditions"]]
    if data["batch"] is not None:
        data["batch"] = BatchConfig(**data["batch"])
    return TaskDefinition(**data)


def _label(data: dict[str, Any]) -> DesiredLabel:
    return DesiredLabel(
        value=data["value"],
        required=data["required"],
        comparator=Comparator(data["comparator"]),
        weight=data["weight"],
    )
