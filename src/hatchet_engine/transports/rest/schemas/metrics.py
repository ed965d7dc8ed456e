"""Counts and charts."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from hatchet_engine.transports.rest.schemas.common import Schema
from hatchet_engine.transports.rest.schemas.runs import V1TaskStatus


class V1RunningDetailCount(Schema):
    evicted: int
    on_worker: int


class V1TaskRunMetric(Schema):
    status: V1TaskStatus
    count: int
    running_detail_count: V1RunningDetailCount | None = None


class V1TaskPointMetric(Schema):
    time: datetime
    succeeded: int = Field(alias="SUCCEEDED")
    failed: int = Field(alias="FAILED")


class V1TaskPointMetrics(Schema):
    results: list[V1TaskPointMetric]


class TenantStepRunQueueMetrics(Schema):
    queues: dict[str, int | dict[str, int]]


class ConcurrencyStat(Schema):
    expression: str | None = None
    type: str | None = None
    keys: dict[str, int] | None = None


class TaskStatusStat(Schema):
    total: int
    queues: dict[str, int] | None = None
    concurrency: list[ConcurrencyStat] | None = None
    oldest: datetime | None = None
    oldest_excluding_retries: datetime | None = None


class TaskStat(Schema):
    queued: TaskStatusStat
    running: TaskStatusStat
