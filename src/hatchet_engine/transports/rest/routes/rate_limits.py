"""Rate limits: list, put, delete. Pauses of them are with the other pauses."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from hatchet_engine.observe import rate_limits
from hatchet_engine.transports.rest import pagination
from hatchet_engine.transports.rest.parameters import Limit, Offset, page_of
from hatchet_engine.transports.rest.responses import answer
from hatchet_engine.transports.rest.schemas.rate_limits import (
    PutRateLimitRequest,
    RateLimit,
    RateLimitList,
    RateLimitOrderByDirection,
    RateLimitOrderByField,
)
from hatchet_engine.transports.rest.scope import InTenant
from hatchet_engine.turn.commands import DeleteRateLimit, PutRateLimit

LIMIT_DEFAULT = 50
KEY_LENGTH_MAX = 1_000  # of what is searched for

_ORDERS = {
    RateLimitOrderByField.KEY: rate_limits.Order.KEY,
    RateLimitOrderByField.VALUE: rate_limits.Order.VALUE,
    RateLimitOrderByField.LIMIT_VALUE: rate_limits.Order.LIMIT,
}

router = APIRouter(tags=["rate limits"])
_RATE_LIMITS = "/api/v1/tenants/{tenant}/rate-limits"
_STABLE = "/api/v1/stable/tenants/{tenant}/rate-limits"


@router.get(_RATE_LIMITS, operation_id="rate-limit:list", response_model=RateLimitList)
async def rate_limit_list(
    scope: InTenant,
    offset: Offset = 0,
    limit: Limit = LIMIT_DEFAULT,
    search: Annotated[
        str | None, Query(max_length=KEY_LENGTH_MAX, description="Part of the key; case counts.")
    ] = None,
    order_by: Annotated[
        RateLimitOrderByField, Query(alias="orderByField")
    ] = RateLimitOrderByField.KEY,
    direction: Annotated[
        RateLimitOrderByDirection, Query(alias="orderByDirection")
    ] = RateLimitOrderByDirection.ASC,
) -> Response:
    """Rate limits with the units that are left now."""
    offset, limit = page_of(offset, limit, LIMIT_DEFAULT)
    rows, total = await rate_limits.rate_limit_list(
        scope.engine.read_pool,
        scope.tenant_id,
        scope.engine.clock.now_ms(),
        search=search or None,
        order=_ORDERS[order_by],
        descending=direction is RateLimitOrderByDirection.DESC,
        offset=offset,
        limit=limit,
    )
    tenant_id = str(scope.tenant_id)
    shown = [
        RateLimit(
            key=row.key,
            tenant_id=tenant_id,
            limit_value=row.limit,
            value=row.value,
            window=f"1 {row.window}",
            last_refill=row.began_at,
            is_paused=row.paused,
            paused_until=row.paused_until,
        )
        for row in rows
    ]
    return answer(RateLimitList(rows=shown, pagination=pagination.capped(offset, limit, total)))


@router.delete(_RATE_LIMITS, operation_id="rate-limit:delete", status_code=204)
async def rate_limit_delete(scope: InTenant, key: Annotated[str, Query(min_length=1)]) -> Response:
    """Forget a limit; tasks that ask for it wait until it is put again."""
    await scope.engine.submit(DeleteRateLimit(scope.tenant_id, key))
    return Response(status_code=204)


@router.put(_STABLE, operation_id="rate-limit:put", status_code=204)
async def rate_limit_put(scope: InTenant, body: PutRateLimitRequest) -> Response:
    """Make or change a limit. Units that are left never become more by that."""
    await scope.engine.submit(
        PutRateLimit(scope.tenant_id, body.key, body.limit, body.window.value)
    )
    return Response(status_code=204)
