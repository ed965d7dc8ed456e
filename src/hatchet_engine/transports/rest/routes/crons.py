"""Crons: create, list, get, enable, delete, trigger, and a preview of their ticks."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from hatchet_engine.domain.calendar import (
    Policies,
    check_zone,
    first_tick,
    following,
    parse,
    ticks_of,
)
from hatchet_engine.domain.errors import invalid
from hatchet_engine.observe import schedules
from hatchet_engine.observe.times import from_ms, to_ms
from hatchet_engine.transports.rest import pagination
from hatchet_engine.transports.rest.codecs import schedules as codec
from hatchet_engine.transports.rest.errors import not_found
from hatchet_engine.transports.rest.parameters import Instant, Limit, Offset, Pairs, page_of
from hatchet_engine.transports.rest.responses import answer, compact
from hatchet_engine.transports.rest.schemas.schedules import (
    CreateCronWorkflowTriggerRequest,
    CronPreview,
    CronWorkflows,
    CronWorkflowsList,
    CronWorkflowsOrderByField,
    OrderByDirection,
    TriggerRunResult,
    UpdateCronWorkflowTriggerRequest,
)
from hatchet_engine.transports.rest.scope import InTenant, Scope
from hatchet_engine.turn.schedule_commands import CreateCron, DeleteCron, EnableCron, TriggerCron

LIMIT_DEFAULT = 50
PREVIEW_MAX = 1_000
NAME_LENGTH_MAX = 1_000

router = APIRouter(tags=["crons"])
_WORKFLOWS = "/api/v1/tenants/{tenant}/workflows"
_CRONS = f"{_WORKFLOWS}/crons"
_CRON = f"{_CRONS}/{{cron}}"
Name = Annotated[str | None, Query(max_length=NAME_LENGTH_MAX)]


@router.get(f"{_CRONS}/preview", operation_id="cron:preview", response_model=CronPreview)
async def cron_preview(
    scope: InTenant,
    expression: Annotated[str, Query(description="As for a cron, with its options.")],
    zone: Annotated[str, Query(description="IANA time zone.")] = "UTC",
    count: Annotated[int, Query(ge=1, le=PREVIEW_MAX)] = 5,
    after: Annotated[Instant | None, Query(description="Default: now.")] = None,
) -> Response:
    """The next ticks of a cron, whether it exists or not."""
    try:
        check_zone(zone)
    except ValueError as error:
        raise invalid(f"zone: {error}", field="zone") from None
    try:
        text = parse(expression, Policies(zone=zone))
    except ValueError as error:
        raise invalid(f"expression: {error}", field="expression") from None
    policies = text.policies
    ticks = ticks_of(text.fields, policies.zone)
    after_ms = scope.engine.clock.now_ms() if after is None else to_ms(after)
    found: list[int] = []
    tick = first_tick(ticks, policies, after_ms)
    while tick is not None and len(found) < count:
        found.append(tick)
        tick = following(ticks, policies, tick)
    return answer(CronPreview(zone=policies.zone, ticks=[from_ms(at_ms) for at_ms in found]))


@router.post(
    f"{_WORKFLOWS}/{{workflow}}/crons",
    operation_id="cron-workflow-trigger:create",
    response_model=CronWorkflows,
)
async def cron_create(
    scope: InTenant, workflow: str, body: CreateCronWorkflowTriggerRequest
) -> Response:
    """A cron of the workflow with this name, beside those that it declares itself."""
    command = CreateCron(
        scope.tenant_id,
        workflow,
        body.cron_name,
        body.cron_expression,
        input=compact(body.input or {}),
        metadata=compact(body.additional_metadata or {}),
        priority=body.priority,
        policies=codec.policies(body),
    )
    return await _shown(scope, await scope.engine.submit(command))


@router.get(_CRONS, operation_id="cron-workflow:list", response_model=CronWorkflowsList)
async def cron_list(
    scope: InTenant,
    offset: Offset = 0,
    limit: Limit = LIMIT_DEFAULT,
    workflow_id: Annotated[UUID | None, Query(alias="workflowId")] = None,
    workflow_name: Annotated[Name, Query(alias="workflowName")] = None,
    cron_name: Annotated[Name, Query(alias="cronName")] = None,
    additional_metadata: Annotated[Pairs, Query(alias="additionalMetadata")] = None,
    order_by_field: Annotated[
        CronWorkflowsOrderByField, Query(alias="orderByField")
    ] = CronWorkflowsOrderByField.CREATED_AT,
    order_by_direction: Annotated[
        OrderByDirection, Query(alias="orderByDirection")
    ] = OrderByDirection.DESC,
) -> Response:
    """Crons that workflows declare and crons made here."""
    offset, limit = page_of(offset, limit, LIMIT_DEFAULT)
    rows, total = await schedules.cron_list(
        scope.engine.read_pool,
        scope.tenant_id,
        workflow_id=workflow_id,
        workflow=workflow_name,
        name=cron_name,
        metadata=codec.contained(additional_metadata),
        order=order_by_field.value,
        ascending=order_by_direction is OrderByDirection.ASC,
        offset=offset,
        limit=limit,
    )
    return answer(
        CronWorkflowsList(
            rows=[codec.cron(row) for row in rows],
            pagination=pagination.capped(offset, limit, total),
        )
    )


@router.get(_CRON, operation_id="workflow-cron:get", response_model=CronWorkflows)
async def cron_get(scope: InTenant, cron: UUID) -> Response:
    return await _shown(scope, cron)


@router.patch(_CRON, operation_id="workflow-cron:update", status_code=204)
async def cron_update(
    scope: InTenant, cron: UUID, body: UpdateCronWorkflowTriggerRequest
) -> Response:
    """Let it fire or not. What it missed while disabled is not made good."""
    if body.enabled is not None:
        await scope.engine.submit(EnableCron(scope.tenant_id, cron, body.enabled))
    elif await schedules.cron_get(scope.engine.read_pool, scope.tenant_id, cron) is None:
        raise not_found(f"cron {cron}")
    return Response(status_code=204)


@router.delete(_CRON, operation_id="workflow-cron:delete", status_code=204)
async def cron_delete(scope: InTenant, cron: UUID) -> Response:
    """Also one that a workflow declares: it comes back with the next changed version."""
    await scope.engine.submit(DeleteCron(scope.tenant_id, cron))
    return Response(status_code=204)


@router.post(_CRON, operation_id="workflow-cron:trigger", response_model=TriggerRunResult)
async def cron_trigger(scope: InTenant, cron: UUID) -> Response:
    """Run it now, even if it is disabled."""
    run_id = await scope.engine.submit(TriggerCron(scope.tenant_id, cron))
    return answer(TriggerRunResult(external_id=str(run_id)))


async def _shown(scope: Scope, cron_id: UUID) -> Response:
    row = await schedules.cron_get(scope.engine.read_pool, scope.tenant_id, cron_id)
    if row is None:
        raise not_found(f"cron {cron_id}")
    return answer(codec.cron(row))
