"""Workflows: list, get, versions, delete."""

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
from hatchet_engine.transports.rest.parameters import Limit, Offset, page_of
from hatchet_engine.transports.rest.responses import answer
from hatchet_engine.transports.rest.schemas.workflows import (
    Workflow,
    WorkflowList,
    WorkflowVersion,
)
from hatchet_engine.transports.rest.scope import Caller, InTenant
from hatchet_engine.turn.commands import DeleteWorkflow

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


@router.patch(_WORKFLOW, include_in_schema=False)
async def workflow_update(scope: Caller, workflow: UUID) -> Response:
    raise Refused(Code.UNIMPLEMENTED, "pausing workflows is not offered by this engine yet")


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
