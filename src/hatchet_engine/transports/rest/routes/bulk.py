"""Bulk operations: start, list, get. They are ours; the official API has none."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from hatchet_engine.observe.bulk import bulk_list
from hatchet_engine.observe.runs import COUNT_MAX
from hatchet_engine.transports.rest import bulk, pagination
from hatchet_engine.transports.rest.parameters import Limit, Offset, page_of
from hatchet_engine.transports.rest.responses import answer
from hatchet_engine.transports.rest.schemas.runs import (
    BulkOperation,
    BulkOperationList,
    BulkOperationRequest,
)
from hatchet_engine.transports.rest.scope import InTenant

LIMIT_DEFAULT = 50

router = APIRouter(tags=["bulk operations"])
_BULK = "/api/v1/stable/tenants/{tenant}/bulk-operations"


@router.post(_BULK, operation_id="bulk-operation:create", response_model=BulkOperation)
async def bulk_start(scope: InTenant, body: BulkOperationRequest) -> Response:
    """Cancel or replay all runs that a filter selects, in steps that survive restarts."""
    selection = bulk.filter_of(body.filter)
    return answer(
        await bulk.start(scope, body.kind, selection, body.reason, children=body.include_children)
    )


@router.get(_BULK, operation_id="bulk-operation:list", response_model=BulkOperationList)
async def bulk_operations(
    scope: InTenant, offset: Offset = 0, limit: Limit = LIMIT_DEFAULT
) -> Response:
    """Newest first."""
    offset, limit = page_of(offset, limit, LIMIT_DEFAULT)
    rows, total = await bulk_list(
        scope.engine.read_pool, scope.tenant_id, offset=offset, limit=limit, most=COUNT_MAX
    )
    return answer(
        BulkOperationList(
            pagination=pagination.capped(offset, limit, total),
            rows=[bulk.shown(row) for row in rows],
        )
    )


@router.get(f"{_BULK}/{{id}}", operation_id="bulk-operation:get", response_model=BulkOperation)
async def bulk_operation(scope: InTenant, id: UUID) -> Response:
    """How far an operation has come."""
    return answer(await bulk.get(scope, id))
