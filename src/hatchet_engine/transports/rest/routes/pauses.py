"""Pauses: begin one, list them, end one. An addition to the official API, which can only pause
workflows and workers."""

from __future__ import annotations

from typing import Annotated, TypeVar

from fastapi import APIRouter, Query
from starlette.responses import Response

from hatchet_engine.domain.errors import Refused, invalid
from hatchet_engine.observe import concurrency, pauses
from hatchet_engine.observe.times import to_ms
from hatchet_engine.transports.rest.codecs.pauses import KINDS, pauses_shown
from hatchet_engine.transports.rest.errors import not_found
from hatchet_engine.transports.rest.parameters import duration_of
from hatchet_engine.transports.rest.responses import answer
from hatchet_engine.transports.rest.schemas.pauses import (
    CreatePauseRequest,
    PauseKindName,
    PauseList,
)
from hatchet_engine.transports.rest.schemas.pauses import Pause as ShownPause
from hatchet_engine.transports.rest.scope import InTenant, Scope
from hatchet_engine.turn.commands import Pause, PauseKind, Resume
from hatchet_engine.turn.lines import place_line

T = TypeVar("T")

RULES_NAMED_MAX = 5  # in the error that asks which one is meant

router = APIRouter(tags=["pauses"])
_PAUSES = "/api/v1/stable/tenants/{tenant}/pauses"


@router.get(_PAUSES, operation_id="pause:list", response_model=PauseList)
async def pause_list(scope: InTenant) -> Response:
    """Everything that is paused: what, since when and until when, by whom and why."""
    found = await pauses.pause_list(scope.engine.read_pool, scope.tenant_id)
    return answer(PauseList(rows=await pauses_shown(scope.engine.read_pool, found)))


@router.post(_PAUSES, operation_id="pause:create", response_model=ShownPause)
async def pause_create(scope: InTenant, body: CreatePauseRequest) -> Response:
    """Begin a pause, or change the one that is on. What runs goes on; what waits is not given to
    workers until the pause ends."""
    if body.until is not None and to_ms(body.until) <= scope.engine.clock.now_ms():
        raise invalid("until: has passed already", field="until")
    kind = KINDS[body.kind]
    if body.queue_ttl is not None and kind is not PauseKind.WORKFLOW:
        raise invalid("queueTTL: is for pauses of workflows only; leave it out", field="queuettl")
    command = Pause(
        scope.tenant_id,
        kind,
        await _target(scope, body),
        until_ms=None if body.until is None else to_ms(body.until),
        by=body.by,
        reason=body.reason,
        queue_ttl_ms=None if body.queue_ttl is None else duration_of(body.queue_ttl, "queueTTL"),
    )
    paused = await scope.engine.submit(command)
    [shown] = await pauses_shown(scope.engine.read_pool, [paused])
    return answer(shown)


@router.delete(_PAUSES, operation_id="pause:delete", status_code=204)
async def pause_delete(
    scope: InTenant,
    kind: PauseKindName,
    target: Annotated[str, Query(description="As the list shows it.")] = "",
) -> Response:
    """End a pause; what it held goes back to its queue. Nothing happens when there is none."""
    await scope.engine.submit(Resume(scope.tenant_id, KINDS[kind], target))
    return Response(status_code=204)


async def _target(scope: Scope, body: CreatePauseRequest) -> str:
    if body.kind is PauseKindName.TENANT:
        return ""
    if body.kind is PauseKindName.WORKFLOW:
        return str(_given(body.workflow_id, "workflowId", "of the workflow to pause"))
    if body.kind is PauseKindName.WORKER:
        return str(_given(body.worker_id, "workerId", "of the worker to pause"))
    if body.kind is PauseKindName.RATE_LIMIT:
        return _given(body.key, "key", "of the rate limit")
    key = _given(body.key, "key", "of the concurrency rule, as its expression gives it")
    if (body.workflow_id is None) == (body.name is None):
        raise invalid(
            "workflowId: give either the workflow of the concurrency rule, or the name of one "
            "that workflows share",
            field="workflowid",
        )
    return place_line(await _rule(scope, body), key)


async def _rule(scope: Scope, body: CreatePauseRequest) -> int:
    """The id of the one concurrency rule that is meant."""
    rules = await concurrency.limits_find(
        scope.engine.read_pool,
        scope.tenant_id,
        workflow_id=body.workflow_id,
        task=body.task_name,
        expression=body.expression,
        name=body.name,
        most=RULES_NAMED_MAX + 1,
    )
    if not rules:
        raise not_found("concurrency rule")
    if len(rules) > 1:
        raise _several(rules)
    return rules[0].id


def _several(rules: list[concurrency.LimitRow]) -> Refused:
    named = [
        f"{rule.task or 'the whole run'}: {rule.expression}" for rule in rules[:RULES_NAMED_MAX]
    ]
    return invalid(
        "expression: several concurrency rules fit; say which one with taskName and expression: "
        + "; ".join(named),
        field="expression",
    )


def _given(value: T | None, field: str, what: str) -> T:
    if value is None:
        raise invalid(f"{field}: is required, {what}", field=field.lower())
    return value
