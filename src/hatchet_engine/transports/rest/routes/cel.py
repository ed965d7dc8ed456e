"""Expressions: try out the expression of an event filter."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from hatchet_engine.domain.expressions import EvaluationError, ExpressionError, evaluate_filter
from hatchet_engine.transports.rest.responses import answer
from hatchet_engine.transports.rest.schemas.cel import (
    V1CELDebugRequest,
    V1CELDebugResponse,
    V1CELDebugResponseStatus,
)
from hatchet_engine.transports.rest.scope import InTenant

router = APIRouter(tags=["expressions"])


@router.post(
    "/api/v1/stable/tenants/{tenant}/cel/debug",
    operation_id="v1-cel:debug",
    response_model=V1CELDebugResponse,
)
async def cel_debug(scope: InTenant, body: V1CELDebugRequest) -> Response:
    """Evaluate an expression as an event filter does. A bad one is an answer too, not a 400."""
    try:
        output = _evaluated(body)
    except (ExpressionError, EvaluationError) as error:
        return answer(V1CELDebugResponse(status=V1CELDebugResponseStatus.ERROR, error=str(error)))
    return answer(V1CELDebugResponse(status=V1CELDebugResponseStatus.SUCCESS, output=output))


def _evaluated(body: V1CELDebugRequest) -> bool:
    if not body.expression.strip():
        raise ExpressionError(body.expression, "is empty; a filter with it lets no event pass")
    return evaluate_filter(
        body.expression,
        input=body.input,
        additional_metadata=body.additional_metadata,
        payload=body.filter_payload,
        event_id=body.event_id,
        event_key=body.event_key,
    )
