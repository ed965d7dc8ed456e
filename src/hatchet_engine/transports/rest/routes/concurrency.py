"""Concurrency keys that are in use. An addition to the official API."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from hatchet_engine.observe import concurrency, pauses
from hatchet_engine.transports.rest.codecs.common import optional
from hatchet_engine.transports.rest.responses import answer
from hatchet_engine.transports.rest.schemas.pauses import ConcurrencyKey, ConcurrencyKeyList
from hatchet_engine.transports.rest.scope import InTenant
from hatchet_engine.turn.commands import PauseKind

LIMIT_DEFAULT = 100
RULES_MAX = 10_000  # of one workflow

router = APIRouter(tags=["concurrency"])


@router.get(
    "/api/v1/stable/tenants/{tenant}/concurrency-keys",
    operation_id="concurrency-key:list",
    response_model=ConcurrencyKeyList,
)
async def concurrency_key_list(
    scope: InTenant,
    workflow_id: Annotated[UUID | None, Query(description="Only keys of its rules.")] = None,
    limit: Annotated[int, Query(ge=1, le=concurrency.KEYS_MAX)] = LIMIT_DEFAULT,
) -> Response:
    """Keys under which somebody holds a place or waits for one, those with most waiters first."""
    pool = scope.engine.read_pool
    rule_ids = None
    if workflow_id is not None:
        rules = await concurrency.limits_find(
            pool, scope.tenant_id, workflow_id=workflow_id, most=RULES_MAX
        )
        rule_ids = [rule.id for rule in rules]
    rows = await concurrency.key_list(pool, scope.tenant_id, limit_ids=rule_ids, limit=limit)
    limits = await concurrency.limits_get(pool, scope.tenant_id, (row.limit_id for row in rows))
    paused = {
        pause.target
        for pause in await pauses.pause_list(pool, scope.tenant_id)
        if pause.kind is PauseKind.CONCURRENCY_KEY
    }
    shown = []
    for row in rows:
        rule = limits[row.limit_id]
        shown.append(
            ConcurrencyKey(
                workflow_id=optional(rule.workflow_id),
                workflow_name=rule.workflow,
                task_name=rule.task,
                name=rule.name,
                expression=rule.expression,
                key=row.key,
                running=row.holders,
                waiting=row.waiting,
                max_runs=row.max_runs,
                is_paused=row.line in paused,
            )
        )
    return answer(ConcurrencyKeyList(rows=shown))
