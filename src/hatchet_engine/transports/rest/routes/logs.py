"""Log lines of one task or of the whole tenant, and their counts over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, TypedDict
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from hatchet_engine.domain.errors import invalid
from hatchet_engine.observe import log_lines, metrics
from hatchet_engine.observe.log_lines import LogQuery
from hatchet_engine.transports.rest.codecs.logs import log_list
from hatchet_engine.transports.rest.parameters import IDS_MAX, Attempt, Instant, UuidList
from hatchet_engine.transports.rest.responses import answer
from hatchet_engine.transports.rest.schemas.logs import (
    V1LogLineLevel,
    V1LogLineList,
    V1LogLineOrderByDirection,
    V1LogsPointMetric,
    V1LogsPointMetrics,
)
from hatchet_engine.transports.rest.scope import Caller, InTenant

LIMIT_DEFAULT = 50
LIMIT_MAX = 10_000
SEARCH_LENGTH_MAX = 1_000

router = APIRouter(tags=["logs"])
_ASC = V1LogLineOrderByDirection.ASC
LogLimit = Annotated[int, Query(ge=1, le=LIMIT_MAX)]
Search = Annotated[str | None, Query(max_length=SEARCH_LENGTH_MAX)]
Levels = Annotated[list[V1LogLineLevel] | None, Query(max_length=100)]
TaskIds = Annotated[list[UUID] | None, Query(alias="taskExternalIds", max_length=IDS_MAX)]


class WhichLines(TypedDict):
    since: datetime | None
    until: datetime | None
    search: str | None
    levels: Sequence[str]


class OfTasks(TypedDict):
    task_ids: Sequence[UUID]
    workflow_ids: Sequence[UUID]
    step_ids: Sequence[UUID]


class InOrder(TypedDict):
    descending: bool
    attempt: int | None


def _lines(
    since: Instant | None = None,
    until: Instant | None = None,
    search: Search = None,
    levels: Levels = None,
) -> WhichLines:
    return {"since": since, "until": until, "search": search, "levels": tuple(levels or ())}


def _tasks(
    task_external_ids: TaskIds = None, workflow_ids: UuidList = None, step_ids: UuidList = None
) -> OfTasks:
    return {
        "task_ids": tuple(task_external_ids or ()),
        "workflow_ids": tuple(workflow_ids or ()),
        "step_ids": tuple(step_ids or ()),
    }


def _order(
    order_by_direction: V1LogLineOrderByDirection = _ASC, attempt: Attempt = None
) -> InOrder:
    return {
        "descending": order_by_direction is not _ASC,
        "attempt": None if attempt is None else attempt - 1,
    }


Lines = Annotated[WhichLines, Depends(_lines)]
Tasks = Annotated[OfTasks, Depends(_tasks)]
Order = Annotated[InOrder, Depends(_order)]


@router.get(
    "/api/v1/stable/tasks/{task}/logs",
    operation_id="v1-log-line:list",
    response_model=V1LogLineList,
)
async def task_log_list(
    scope: Caller, task: UUID, lines: Lines, order: Order, limit: LogLimit = LIMIT_DEFAULT
) -> Response:
    """Lines of one task by time; of all attempts unless one is named."""
    query = LogQuery(tenant_id=scope.tenant_id, **lines, **order)
    rows = await log_lines.log_list_task(scope.engine.read_pool, query, task, limit)
    return answer(log_list(rows))


@router.get(
    "/api/v1/stable/tenants/{tenant}/logs",
    operation_id="v1-tenant-log-line:list",
    response_model=V1LogLineList,
)
async def tenant_log_list(
    scope: InTenant, lines: Lines, order: Order, of: Tasks, limit: LogLimit = LIMIT_DEFAULT
) -> Response:
    """Lines of all tasks by time; page by moving `since` or `until`."""
    query = LogQuery(tenant_id=scope.tenant_id, **lines, **order, **of)
    rows = await log_lines.log_list_tenant(scope.engine.read_pool, query, limit)
    return answer(log_list(rows))


@router.get(
    "/api/v1/stable/tenants/{tenant}/log-point-metrics",
    operation_id="v1-tenant-log-line:get:point-metrics",
    response_model=V1LogsPointMetrics,
)
async def tenant_log_points(scope: InTenant, lines: Lines, of: Tasks) -> Response:
    """Lines per time step and level, steps without lines included."""
    try:
        axis = metrics.buckets(lines["since"], lines["until"], scope.engine.clock.now_ms())
    except ValueError as error:
        raise invalid(f"since: {error}", field="since") from None
    query = replace(LogQuery(tenant_id=scope.tenant_id, **lines, **of), since=axis.start)
    found = await log_lines.log_points(scope.engine.read_pool, query, axis.start, axis.width_s)
    points = []
    for number, time in enumerate(axis.times()):
        counts = found.get(number, {})
        points.append(
            V1LogsPointMetric(
                time=time,
                debug=counts.get("DEBUG", 0),
                info=counts.get("INFO", 0),
                warn=counts.get("WARN", 0),
                error=counts.get("ERROR", 0),
            )
        )
    return answer(V1LogsPointMetrics(results=points))
