"""Workflows: list, get, versions, pause, delete."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.observe import workflows
from hatchet_engine.transports.rest import pagination
from hatchet_engine.transports.rest.codecs import workflows as codec
from hatchet_engine.transports.rest.errors import not_found
from hatchet_engine.transports.rest.parameters import Limit, Offset, duration_of, page_of
from hatchet_engine.transports.rest.responses import answer
from hatchet_engine.transports.rest.schemas.workflows import (
    PauseWorkflowRequestPause,
    WhilePaused,
    Workflow,
    WorkflowList,
    WorkflowUpdateRequest,
    WorkflowVersion,
)
from hatchet_engine.transports.rest.scope import Caller, InTenant
from hatchet_engine.turn.commands import DeleteWorkflow, Pause, PauseKind, Resume

LIMIT_DEFAULT = 50
NAME_LENGTH_MAX = 1_000

router = APIRouter(tags=["workflows"])
_WORKFLOW = "/api/v1/workflows/{workflow}"


@router.get(
    "/api/v1/tenants/{tenant}/workflows",
    operation_id="workflow:list",
    response_model=WorkflowList,
)
async def workflow_list(
    scope: InTenant,
    offset: Offset = 0,
    limit: Limit = LIMIT_DEFAULT,
    name: Annotated[
        str | None, Query(max_length=NAME_LENGTH_MAX, description="Part of the name.")
    ] = None,
) -> Response:
    """Workflows, newest first; a workflow of exactly this name comes before all others."""
    offset, limit = page_of(offset, limit, LIMIT_DEFAULT)
    rows, total = await workflows.workflow_list(
        scope.engine.read_pool, scope.tenant_id, name, offset=offset, limit=limit
    )
    return answer(
        WorkflowList(
            rows=[codec.workflow(row) for row in rows],
            pagination=pagination.capped(offset, limit, total),
        )
    )


@router.get(_WORKFLOW, operation_id="workflow:get", response_model=Workflow)
async def workflow_get(scope: Caller, workflow: UUID) -> Response:
    """A workflow with its newest version."""
    pool = scope.engine.read_pool
    row = await workflows.workflow_get(pool, scope.tenant_id, workflow)
    version = await workflows.version_get(pool, scope.tenant_id, workflow) if row else None
    if row is None or version is None:
        raise not_found(f"workflow {workflow}")
    return answer(codec.workflow(row, version))


@router.get(
    f"{_WORKFLOW}/versions", operation_id="workflow-version:get", response_model=WorkflowVersion
)
async def workflow_version_get(
    scope: Caller,
    workflow: UUID,
    version: Annotated[
        UUID | None, Query(description="Id of a version; by default the newest.")
    ] = None,
) -> Response:
    """One version of a workflow with its definition."""
    pool = scope.engine.read_pool
    row = await workflows.workflow_get(pool, scope.tenant_id, workflow)
    found = await workflows.version_get(pool, scope.tenant_id, workflow, version) if row else None
    if row is None or found is None:
        of = "" if version is None else f", version {version}"
        raise not_found(f"workflow {workflow}{of}")
    return answer(codec.workflow_version(row, found))


@router.patch(_WORKFLOW, operation_id="workflow:update", response_model=Workflow)
async def workflow_update(scope: Caller, workflow: UUID, body: WorkflowUpdateRequest) -> Response:
    """Pause a workflow, or end its pause. What runs goes on; what waits is not given to workers,
    and is cancelled when it has waited longer than the queue TTL."""
    order = body.pause
    if isinstance(order, PauseWorkflowRequestPause):
        command = Pause(
            scope.tenant_id,
            PauseKind.WORKFLOW,
            str(workflow),
            queue_ttl_ms=duration_of(
                order.paused_workflow_queue_ttl, "pause.pausedWorkflowQueueTTL"
            ),
            drop_crons=order.paused_workflow_cron_run_queue_behavior is WhilePaused.DROP,
            drop_scheduled=order.paused_workflow_scheduled_run_queue_behavior is WhilePaused.DROP,
        )
        await scope.engine.submit(command)
    else:
        await scope.engine.submit(Resume(scope.tenant_id, PauseKind.WORKFLOW, str(workflow)))
    return await workflow_get(scope, workflow)


@router.delete(_WORKFLOW, operation_id="workflow:delete", status_code=204)
async def workflow_delete(scope: Caller, workflow: UUID) -> Response:
    """Delete a workflow. Its runs stay readable, and its name is free again."""
    if not await scope.engine.submit(DeleteWorkflow(scope.tenant_id, workflow)):
        raise not_found(f"workflow {workflow}")
    return Response(status_code=204)


@router.get(f"{_WORKFLOW}/metrics", include_in_schema=False)
async def workflow_metrics(scope: Caller, workflow: UUID) -> Response:
    raise Refused(
        Code.INVALID_ARGUMENT,
        "this endpoint is deprecated: use /api/v1/stable/tenants/{tenant}/task-metrics",
    )
