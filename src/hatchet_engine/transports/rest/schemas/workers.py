"""Workers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from hatchet_engine.transports.rest.schemas.common import (
    APIResourceMeta,
    PaginationResponse,
    Schema,
    Uuid,
)


class WorkerStatus(StrEnum):
    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    PAUSED = "PAUSED"


class WorkerType(StrEnum):
    SELFHOSTED = "SELFHOSTED"
    MANAGED = "MANAGED"
    WEBHOOK = "WEBHOOK"


class WorkerRuntimeSDKs(StrEnum):
    GOLANG = "GOLANG"
    PYTHON = "PYTHON"
    TYPESCRIPT = "TYPESCRIPT"
    RUBY = "RUBY"


class WorkerSlotConfig(Schema):
    available: int | None = None  # free units now
    limit: int


class WorkerLabel(Schema):
    metadata: APIResourceMeta
    key: str
    value: str | None = None


class WorkerRuntimeInfo(Schema):
    sdk_version: str | None = None
    language: WorkerRuntimeSDKs | None = None
    language_version: str | None = None
    os: str | None = None
    runtime_extra: str | None = None


class RegisteredWorkflow(Schema):
    id: Uuid
    name: str


class RecentStepRuns(Schema):
    """Never filled; clients expect the list."""


class Worker(Schema):
    metadata: APIResourceMeta
    name: str
    type: WorkerType
    last_heartbeat_at: datetime | None = None
    last_listener_established: datetime | None = None
    actions: list[str]
    registered_workflows: list[RegisteredWorkflow] | None = None
    recent_step_runs: list[RecentStepRuns] | None = None
    status: WorkerStatus
    slot_config: dict[str, WorkerSlotConfig] | None = None
    labels: list[WorkerLabel]
    runtime_info: WorkerRuntimeInfo | None = None


class WorkerList(Schema):
    pagination: PaginationResponse
    rows: list[Worker]


class UpdateWorkerRequest(Schema):
    is_paused: bool | None = None
