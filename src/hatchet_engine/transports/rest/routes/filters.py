"""Event filters: list, create, get, change, delete."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from hatchet_engine.observe import filters
from hatchet_engine.transports.rest import pagination
from hatchet_engine.transports.rest.codecs.events import filter_shown
from hatchet_engine.transports.rest.errors import not_found
from hatchet_engine.transports.rest.parameters import IDS_MAX, OFFSET_MAX, ROWS_MAX
from hatchet_engine.transports.rest.responses import answer, compact
from hatchet_engine.transports.rest.schemas.events import (
    V1CreateFilterRequest,
    V1Filter,
    V1FilterList,
    V1UpdateFilterRequest,
)
from hatchet_engine.transports.rest.scope import InTenant
from hatchet_engine.turn.commands import ChangeFilter, CreateFilter, DeleteFilter

LIMIT_DEFAULT = 20_000

router = APIRouter(tags=["filters"])
_FILTERS = "/api/v1/stable/tenants/{tenant}/filters"
_FILTER = f"{_FILTERS}/{{filter}}"


@router.get(_FILTERS, operation_id="v1-filter:list", response_model=V1FilterList)
async def filter_list(
    scope: InTenant,
    offset: Annotated[int, Query(ge=0, le=OFFSET_MAX)] = 0,
    limit: Annotated[int, Query(ge=1, le=ROWS_MAX)] = LIMIT_DEFAULT,
    workflow_ids: Annotated[
        list[UUID] | None, Query(alias="workflowIds", max_length=IDS_MAX)
    ] = None,
    scopes: Annotated[list[str] | None, Query(max_length=IDS_MAX)] = None,
) -> Response:
    """Newest first. Page numbers begin at 0 here."""
    rows, total = await filters.filter_list(
        scope.engine.read_pool,
        scope.tenant_id,
        workflow_ids=workflow_ids or (),
        scopes=scopes or (),
        offset=offset,
        limit=limit,
    )
    return answer(
        V1FilterList(
            pagination=pagination.from_zero(offset, limit, total),
            rows=[filter_shown(row) for row in rows],
        )
    )


@router.post(_FILTERS, operation_id="v1-filter:create", response_model=V1Filter)
async def filter_create(scope: InTenant, body: V1CreateFilterRequest) -> Response:
    """The expression is compiled at once, so mistakes show here and not at the first event."""
    command = CreateFilter(
        scope.tenant_id,
        body.workflow_id,
        scope=body.scope,
        expression=body.expression,
        payload=compact(body.payload or {}),
    )
    return answer(filter_shown(await scope.engine.submit(command)))


@router.get(_FILTER, operation_id="v1-filter:get", response_model=V1Filter)
async def filter_get(scope: InTenant, filter: UUID) -> Response:
    found = await filters.filter_get(scope.engine.read_pool, scope.tenant_id, filter)
    if found is None:
        raise not_found(f"filter {filter}")
    return answer(filter_shown(found))


@router.patch(_FILTER, operation_id="v1-filter:update", response_model=V1Filter)
async def filter_change(scope: InTenant, filter: UUID, body: V1UpdateFilterRequest) -> Response:
    """Change what is given; answers the filter as it is now."""
    command = ChangeFilter(
        scope.tenant_id,
        filter,
        scope=body.scope,
        expression=body.expression,
        payload=None if body.payload is None else compact(body.payload),
    )
    return answer(filter_shown(await scope.engine.submit(command)))


@router.delete(_FILTER, operation_id="v1-filter:delete", response_model=V1Filter)
async def filter_delete(scope: InTenant, filter: UUID) -> Response:
    """Answers what was deleted."""
    deleted = await scope.engine.submit(DeleteFilter(scope.tenant_id, filter))
    return answer(filter_shown(deleted))
