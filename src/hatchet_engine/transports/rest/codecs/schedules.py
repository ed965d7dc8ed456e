"""Crons and scheduled runs as the API shows them, and options as it takes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from hatchet_engine.domain import ids
from hatchet_engine.domain.calendar import Policies
from hatchet_engine.domain.errors import invalid
from hatchet_engine.observe.times import from_ms, to_ms
from hatchet_engine.transports.rest.codecs.common import meta, optional
from hatchet_engine.transports.rest.parameters import strict_pairs_of
from hatchet_engine.transports.rest.responses import compact, json_object
from hatchet_engine.transports.rest.schemas.schedules import (
    CreateCronWorkflowTriggerRequest,
    CronWorkflows,
    Method,
    ScheduledRunStatus,
    ScheduledWorkflows,
    ScheduledWorkflowsBulkError,
)


def cron(row: Any) -> CronWorkflows:
    return CronWorkflows(
        metadata=meta(row["id"], row["created_at"], row["updated_at"]),
        tenant_id=str(row["tenant_id"]),
        workflow_version_id=str(row["version_id"]),
        workflow_id=str(row["workflow_id"]),
        workflow_name=row["workflow"],
        cron=row["expression"],
        name=row["name"],
        input=json_object(row["input"]),
        additional_metadata=json_object(row["metadata"]),
        enabled=row["enabled"],
        method=_method(row),
        priority=row["priority"],
        zone=row["zone"],
        catch_up=row["catch_up"],
        catch_up_max=row["catch_up_max"],
        overlap=row["overlap"],
        jitter_ms=row["jitter_ms"],
        start_at=_time(row["start_ms"]),
        end_at=_time(row["end_ms"]),
        next_run_at=_time(row["next_fire_ms"]),
        waiting=row["waiting"],
        last_tick_at=_time(row["last_tick_ms"]),
        last_run_id=optional(row["last_run_id"]),
        error=row["error"],
    )


def scheduled(row: Any) -> ScheduledWorkflows:
    status = ScheduledRunStatus(row["status"])
    run_id = row["run_id"]
    return ScheduledWorkflows(
        metadata=meta(row["id"], row["created_at"], row["updated_at"]),
        tenant_id=str(row["tenant_id"]),
        workflow_version_id=str(row["version_id"]),
        workflow_id=str(row["workflow_id"]),
        workflow_name=row["workflow"],
        trigger_at=from_ms(row["due_ms"]),
        input=json_object(row["input"]),
        additional_metadata=json_object(row["metadata"]),
        workflow_run_created_at=None if run_id is None else from_ms(ids.time_ms(run_id)),
        workflow_run_status=None if status is ScheduledRunStatus.SCHEDULED else status,
        workflow_run_id=optional(run_id),
        method=_method(row),
        priority=row["priority"],
        error=row["error"],
    )


def policies(body: CreateCronWorkflowTriggerRequest) -> Policies:
    """The options of a new cron; what is not given is the default."""
    given: dict[str, Any] = {
        "zone": body.zone,
        "catch_up": body.catch_up,
        "catch_up_max": body.catch_up_max,
        "overlap": body.overlap,
        "jitter_ms": body.jitter_ms,
        "start_ms": None if body.start_at is None else to_ms(body.start_at),
        "end_ms": None if body.end_at is None else to_ms(body.end_at),
    }
    return Policies(**{name: value for name, value in given.items() if value is not None})


def contained(texts: Sequence[str] | None) -> str | None:
    """``key:value`` texts as JSON that metadata must contain. Raises ``Refused`` for an entry with
    other than one colon."""
    if not texts:
        return None
    field = "additionalMetadata"
    for text in texts:
        if text.count(":") != 1:
            raise invalid(f"{field}: {text!r} must look like key:value", field=field.lower())
    return compact(dict(strict_pairs_of(texts, field)))


def errors(found: Sequence[tuple[UUID, str]]) -> list[ScheduledWorkflowsBulkError]:
    return [ScheduledWorkflowsBulkError(id=str(id), error=text) for id, text in found]


def _method(row: Any) -> Method:
    return Method.DEFAULT if row["declarative"] else Method.API


def _time(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else from_ms(at_ms)
