"""Scheduled runs: create, list, get, move, delete, trigger; many at once."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from hatchet_engine.domain.errors import Code, Refused, invalid
from hatchet_engine.observe import schedules
from hatchet_engine.observe.times import to_ms
from hatchet_engine.transports.rest import pagination
from hatchet_engine.transports.rest.codecs import schedules as codec
from hatchet_engine.transports.rest.errors import refusal
from hatchet_engine.transports.rest.parameters import Limit, Offset, Pairs, page_of
from hatchet_engine.transports.rest.responses import answer, compact
from hatchet_engine.transports.rest.schemas.common import APIError
from hatchet_engine.transports.rest.schemas.schedules import (
    OrderByDirection,
    ScheduledRunStatus,
    ScheduledWorkflows,
    ScheduledWorkflowsBulkDeleteFilter,
    ScheduledWorkflowsBulkDeleteRequest,
    ScheduledWorkflowsBulkDeleteResponse,
    ScheduledWorkflowsBulkUpdateRequest,
    ScheduledWorkflowsBulkUpdateResponse,
    ScheduledWorkflowsList,
    ScheduledWorkflowsOrderByField,
    ScheduleWorkflowRunRequest,
    TriggerRunResult,
    UpdateScheduledWorkflowRunRequest,
)
from hatchet_engine.transports.rest.scope import InTenant, Scope
from hatchet_engine.turn.schedule_commands import (
    BEFORE_ALL,
    Changed,
    DeleteScheduled,
    RescheduleRuns,
    ScheduledFilter,
    ScheduleRuns,
    TriggerScheduled,
)
from hatchet_engine.turn.scheduled import BY_CODE, TRIGGERED

LIMIT_DEFAULT = 50

router = APIRouter(tags=["scheduled runs"])
_WORKFLOWS = "/api/v1/tenants/{tenant}/workflows"
_ALL = f"{_WORKFLOWS}/scheduled"
_ONE = f"{_ALL}/{{scheduled}}"


@router.post(
    f"{_WORKFLOWS}/{{workflow}}/scheduled",
    operation_id="scheduled-workflow-run:create",
    response_model=ScheduledWorkflows,
)
async def scheduled_create(
    scope: InTenant, workflow: str, body: ScheduleWorkflowRunRequest
) -> Response:
    """Run the workflow with this name at a time; a time of the past is due at once."""
    command = ScheduleRuns(
        scope.tenant_id,
        workflow,
        (to_ms(body.trigger_at),),
        input=compact(body.input or {}),
        metadata=compact(body.additional_metadata or {}),
        priority=body.priority,
    )
    try:
        made = await scope.engine.submit(command)
    except Refused as refused:
        if refused.code is Code.NOT_FOUND:
            raise invalid(refused.message, field="workflow") from None
        raise
    return await _shown(scope, made.ids[0])


@router.get(_ALL, operation_id="workflow-scheduled:list", response_model=ScheduledWorkflowsList)
async def scheduled_list(
    scope: InTenant,
    offset: Offset = 0,
    limit: Limit = LIMIT_DEFAULT,
    workflow_id: Annotated[UUID | None, Query(alias="workflowId")] = None,
    parent_run_id: Annotated[UUID | None, Query(alias="parentWorkflowRunId")] = None,
    parent_task_id: Annotated[UUID | None, Query(alias="parentStepRunId")] = None,
    additional_metadata: Annotated[Pairs, Query(alias="additionalMetadata")] = None,
    statuses: Annotated[list[ScheduledRunStatus] | None, Query()] = None,
    order_by_field: Annotated[
        ScheduledWorkflowsOrderByField, Query(alias="orderByField")
    ] = ScheduledWorkflowsOrderByField.TRIGGER_AT,
    order_by_direction: Annotated[
        OrderByDirection, Query(alias="orderByDirection")
    ] = OrderByDirection.DESC,
) -> Response:
    """Those to come, and those that have fired with their runs, until the retention is over."""
    offset, limit = page_of(offset, limit, LIMIT_DEFAULT)
    rows, total = await schedules.scheduled_list(
        scope.engine.read_pool,
        scope.tenant_id,
        workflow_id=workflow_id,
        parent_run_id=parent_run_id,
        parent_task_id=parent_task_id,
        metadata=codec.contained(additional_metadata),
        statuses=[status.value for status in statuses or ()],
        order=order_by_field.value,
        ascending=order_by_direction is OrderByDirection.ASC,
        offset=offset,
        limit=limit,
    )
    return answer(
        ScheduledWorkflowsList(
            rows=[codec.scheduled(row) for row in rows],
            pagination=pagination.capped(offset, limit, total),
        )
    )


@router.post(
    f"{_ALL}/bulk-delete",
    operation_id="workflow-scheduled:bulk-delete",
    response_model=ScheduledWorkflowsBulkDeleteResponse,
)
async def scheduled_bulk_delete(
    scope: InTenant, body: ScheduledWorkflowsBulkDeleteRequest
) -> Response:
    """Those that can't be deleted are named in ``errors``."""
    ids, chosen = body.scheduled_workflow_run_ids, body.filter
    if (ids is None) == (chosen is None):
        raise invalid("give either scheduledWorkflowRunIds or filter")
    if chosen is None:
        changed = await scope.engine.submit(DeleteScheduled(scope.tenant_id, ids or ()))
    else:
        changed = await _delete_selected(scope, chosen)
    return answer(
        ScheduledWorkflowsBulkDeleteResponse(
            deleted_ids=[str(id) for id in changed.ids], errors=codec.errors(changed.errors)
        )
    )


@router.post(
    f"{_ALL}/bulk-update",
    operation_id="workflow-scheduled:bulk-update",
    response_model=ScheduledWorkflowsBulkUpdateResponse,
)
async def scheduled_bulk_update(
    scope: InTenant, body: ScheduledWorkflowsBulkUpdateRequest
) -> Response:
    """Move each to its time. Those that can't be moved are named in ``errors``."""
    moves = [(item.id, to_ms(item.trigger_at)) for item in body.updates]
    changed = await scope.engine.submit(RescheduleRuns(scope.tenant_id, moves))
    return answer(
        ScheduledWorkflowsBulkUpdateResponse(
            updated_ids=[str(id) for id in changed.ids], errors=codec.errors(changed.errors)
        )
    )


@router.get(_ONE, operation_id="workflow-scheduled:get", response_model=ScheduledWorkflows)
async def scheduled_get(scope: InTenant, scheduled: UUID) -> Response:
    return await _shown(scope, scheduled)


@router.patch(_ONE, operation_id="workflow-scheduled:update", response_model=ScheduledWorkflows)
async def scheduled_update(
    scope: InTenant, scheduled: UUID, body: UpdateScheduledWorkflowRunRequest
) -> Response:
    """Move it to another time. Not one that code has made, nor one that has fired."""
    moves = [(scheduled, to_ms(body.trigger_at))]
    changed = await scope.engine.submit(RescheduleRuns(scope.tenant_id, moves))
    for _, reason in changed.errors:
        if reason == BY_CODE:
            return refusal(reason, 403)
        if reason == TRIGGERED:
            raise invalid(reason)
        raise _absent()
    return await _shown(scope, scheduled)


@router.delete(_ONE, operation_id="workflow-scheduled:delete", status_code=204)
async def scheduled_delete(scope: InTenant, scheduled: UUID) -> Response:
    """Not one that code has made."""
    changed = await scope.engine.submit(DeleteScheduled(scope.tenant_id, (scheduled,)))
    for _, reason in changed.errors:
        if reason == BY_CODE:
            return answer(APIError(description=reason), 403)
        raise _absent()
    return Response(status_code=204)


@router.post(_ONE, operation_id="workflow-scheduled:trigger", response_model=TriggerRunResult)
async def scheduled_trigger(scope: InTenant, scheduled: UUID) -> Response:
    """Run it now instead of at its time."""
    run_id = await scope.engine.submit(TriggerScheduled(scope.tenant_id, scheduled))
    return answer(TriggerRunResult(external_id=str(run_id)))


async def _delete_selected(scope: Scope, given: ScheduledWorkflowsBulkDeleteFilter) -> Changed:
    chosen = ScheduledFilter(
        given.workflow_id,
        given.parent_workflow_run_id,
        given.parent_step_run_id,
        codec.contained(given.additional_metadata),
    )
    if chosen == ScheduledFilter():
        raise invalid("filter: is empty; give at least one of its fields", field="filter")
    deleted: list[UUID] = []
    errors: list[tuple[UUID, str]] = []
    after = BEFORE_ALL
    while True:
        command = DeleteScheduled(scope.tenant_id, filter=chosen, after=after)
        changed = await scope.engine.submit(command)
        seen = [*changed.ids, *(id for id, _ in changed.errors)]
        if not seen:
            return Changed(deleted, errors)
        deleted += changed.ids
        errors += changed.errors
        after = max(seen)


async def _shown(scope: Scope, scheduled_id: UUID) -> Response:
    row = await schedules.scheduled_get(scope.engine.read_pool, scope.tenant_id, scheduled_id)
    if row is None:
        raise _absent()
    return answer(codec.scheduled(row))


def _absent() -> Refused:
    return Refused(Code.NOT_FOUND, "scheduled workflow run not found")
