"""Service WorkflowService: triggers, schedules, and the registration of old SDKs."""

from __future__ import annotations

from hatchet_engine.domain.errors import KeyCollision, Refused
from hatchet_engine.transports.grpc.caller import Caller
from hatchet_engine.transports.grpc.codecs.collisions import bulk_collision, collision
from hatchet_engine.transports.grpc.codecs.legacy import legacy_definition, legacy_version
from hatchet_engine.transports.grpc.codecs.schedules import schedule_runs, scheduled_version
from hatchet_engine.transports.grpc.codecs.trigger import of_item, trigger_item
from hatchet_engine.turn.commands import PutWorkflow, TriggerItem, TriggerRuns
from hatchet_protocol.v1_trigger import TriggerWorkflowRequest
from hatchet_protocol.workflows import (
    BulkTriggerWorkflowRequest,
    BulkTriggerWorkflowResponse,
    PutWorkflowRequest,
    ScheduleWorkflowRequest,
    TriggerWorkflowResponse,
    WorkflowVersion,
)


async def put_workflow(caller: Caller, request: PutWorkflowRequest) -> WorkflowVersion:
    definition = legacy_definition(request.opts)
    made = await caller.engine.submit(PutWorkflow(caller.tenant_id, definition))
    return legacy_version(request.opts, made)


async def schedule_workflow(caller: Caller, request: ScheduleWorkflowRequest) -> WorkflowVersion:
    """One run for each time. They are no children of the parent that is named (SC-10)."""
    made = await caller.engine.submit(schedule_runs(caller, request))
    return scheduled_version(request, made)


async def trigger_workflow(
    caller: Caller, request: TriggerWorkflowRequest
) -> TriggerWorkflowResponse:
    command = TriggerRuns(caller.tenant_id, (trigger_item(request),))
    try:
        (run_id,) = await caller.engine.submit(command)
    except KeyCollision as taken:
        raise collision(taken) from None
    return TriggerWorkflowResponse(workflow_run_id=str(run_id))


async def bulk_trigger_workflow(
    caller: Caller, request: BulkTriggerWorkflowRequest
) -> BulkTriggerWorkflowResponse:
    """All or none: one bad item refuses the whole call (B13.4). Taken idempotency keys do not: the
    other items are created, and the error names them (B13.3)."""
    items: list[TriggerItem] = []
    if not request.workflows:
        return BulkTriggerWorkflowResponse()
    for index, one in enumerate(request.workflows):
        try:
            items.append(trigger_item(one))
        except Refused as refused:
            raise of_item(refused, index) from None
    try:
        run_ids = await caller.engine.submit(TriggerRuns(caller.tenant_id, items))
    except KeyCollision as taken:
        raise bulk_collision(taken) from None
    except Refused as refused:
        if refused.index:
            raise of_item(refused, refused.index) from None
        raise
    return BulkTriggerWorkflowResponse(workflow_run_ids=map(str, run_ids))
