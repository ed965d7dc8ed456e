"""Log lines of tasks."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from hatchet_engine.transports.rest.responses import JsonObject
from hatchet_engine.transports.rest.schemas.common import PaginationResponse, Schema, Uuid


class V1LogLineLevel(StrEnum):
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


class V1LogLineOrderByDirection(StrEnum):
    ASC = "ASC"
    DESC = "DESC"


class V1LogLine(Schema):
    created_at: datetime
    message: str
    metadata: JsonObject
    task_external_id: Uuid | None = None
    task_display_name: str | None = None
    retry_count: int | None = None
    attempt: int | None = None
    level: V1LogLineLevel | None = None


class V1LogLineList(Schema):
    pagination: PaginationResponse
    rows: list[V1LogLine]


class V1LogsPointMetric(Schema):
    time: datetime
    debug: int = Field(alias="DEBUG")
    info: int = Field(alias="INFO")
    warn: int = Field(alias="WARN")
    error: int = Field(alias="ERROR")


class V1LogsPointMetrics(Schema):
    results: list[V1LogsPointMetric]
