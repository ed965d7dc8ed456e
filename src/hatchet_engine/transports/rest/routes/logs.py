"""Log lines of one task or of the whole tenant, and their counts over time."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from hatchet_engine.domain.errors import invalid
from hatchet_engine.observe import log_lines, metrics
from hatchet_engine.observe.log_lines import LogQuery
from hatchet_engine.transports.rest.codecs.logs import log_list
from hatchet_engine.transports.rest.parameters import Attempt, Instant, UuidList
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
TaskIds = Annotated[list[UUID] | None, Query(alias="taskExternalIds", max_length=10_000)]


@router.get(
    "/api/v1/stable/tasks/{task}/logs",
    operation_id="v1-log-line:list",
    response_model=V1LogLineList,
)
async def task_log_list(
    scope: Caller,
    task: UUID,
    limit: LogLimit = LIMIT_DEFAULT,
    since: Instant | None = None,
    until: Instant | None = None,
    search: Search = None,
    levels: Levels = None,
    order_by_direction: V1LogLineOrderByDirection = _ASC,
    attempt: Attempt = None,
) -> Response:
    """Lines of one task by time; of all attempts unless one is named."""
    query = LogQuery(
        tenant_id=scope.tenant_id,
        since=since,
        until=until,
        search=search,
        levels=tuple(levels or ()),
        attempt=None if attempt is None else attempt - 1,
        descending=order_by_direction is not _ASC,
    )
    rows = await log_lines.log_list_task(scope.engine.read_pool, query, task, limit)
    return answer(log_list(rows))


@router.get(
    "/api/v1/stable/tenants/{tenant}/logs",
    operation_id="v1-tenant-log-line:list",
    response_model=V1LogLineList,
)
async def tenant_log_list(
    scope: InTenant,
    limit: LogLimit = LIMIT_DEFAULT,
    since: Instant | None = None,
    until: Instant | None = None,
    search: Search = None,
    levels: Levels = None,
    order_by_direction: V1LogLineOrderByDirection = _ASC,
    attempt: Attempt = None,
    task_external_ids: TaskIds = None,
    workflow_ids: UuidList = None,
    step_ids: UuidList = None,
) -> Response:
    """Lines of all tasks by time; page by moving `since` or `until`."""
    query = LogQuery(
        tenant_id=scope.tenant_id,
        since=since,
        until=until,
        search=search,
        levels=tuple(levels or ()),
        attempt=None if attempt is None else attempt - 1,
        task_ids=tuple(task_external_ids or ()),
        workflow_ids=tuple(workflow_ids or ()),
        step_ids=tuple(step_ids or ()),
        descending=order_by_direction is not _ASC,
    )
    rows = await log_lines.log_list_tenant(scope.engine.read_pool, query, limit)
    return answer(log_list(rows))


@router.get(
    "/api/v1/stable/tenants/{tenant}/log-point-metrics",
    operation_id="v1-tenant-log-line:get:point-metrics",
    response_model=V1LogsPointMetrics,
)
async def tenant_log_points(
    scope: InTenant,
    since: Instant | None = None,
    until: Instant | None = None,
    search: Search = None,
    levels: Levels = None,
    task_external_ids: TaskIds = None,
    workflow_ids: UuidList = None,
    step_ids: UuidList = None,
) -> Response:
    """Lines per time step and level, steps without lines included."""
    try:
        axis = metrics.buckets(since, until, scope.engine.clock.now_ms())
    except ValueError as error:
        raise invalid(f"since: {error}", field="since") from None
    query = LogQuery(
        tenant_id=scope.tenant_id,
        since=axis.start,
        until=until,
        search=search,
        levels=tuple(levels or ()),
        task_ids=tuple(task_external_ids or ()),
        workflow_ids=tuple(workflow_ids or ()),
        step_ids=tuple(step_ids or ()),
    )
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
