"""Service v1.AdminService: registration, cancel, replay, details of a run."""

from __future__ import annotations

from hatchet_engine.domain.errors import KeyCollision, not_found
from hatchet_engine.observe import runs
from hatchet_engine.transports.grpc.caller import Caller
from hatchet_engine.transports.grpc.codecs.collisions import collision
from hatchet_engine.transports.grpc.codecs.details import run_details, selection
from hatchet_engine.transports.grpc.codecs.ids import parse_id
from hatchet_engine.transports.grpc.codecs.registration import workflow_definition
from hatchet_engine.transports.grpc.codecs.trigger import trigger_run_item
from hatchet_engine.turn.commands import CancelTasks, PutWorkflow, ReplayTasks, TriggerRuns
from hatchet_protocol.v1_workflows import (
    CancelTasksRequest,
    CancelTasksResponse,
    CreateWorkflowVersionRequest,
    CreateWorkflowVersionResponse,
    GetRunDetailsRequest,
    GetRunDetailsResponse,
    ReplayTasksRequest,
    ReplayTasksResponse,
    TriggerWorkflowRunRequest,
    TriggerWorkflowRunResponse,
)

CANCEL_IDS_MAX = 20_000
REPLAY_IDS_MAX = 1_000


async def put_workflow(
    caller: Caller, request: CreateWorkflowVersionRequest
) -> CreateWorkflowVersionResponse:
    definition = workflow_definition(request)
    made = await caller.engine.submit(PutWorkflow(caller.tenant_id, definition))
    return CreateWorkflowVersionResponse(id=str(made.version_id), workflow_id=str(made.workflow_id))


async def cancel_tasks(caller: Caller, request: CancelTasksRequest) -> CancelTasksResponse:
    chosen = selection(request, CANCEL_IDS_MAX)
    ids = await caller.engine.submit(CancelTasks(caller.tenant_id, chosen.ids, chosen.filter))
    return CancelTasksResponse(cancelled_tasks=map(str, ids))


async def replay_tasks(caller: Caller, request: ReplayTasksRequest) -> ReplayTasksResponse:
    chosen = selection(request, REPLAY_IDS_MAX)
    ids = await caller.engine.submit(ReplayTasks(caller.tenant_id, chosen.ids, chosen.filter))
    return ReplayTasksResponse(replayed_tasks=map(str, ids))


async def trigger_workflow_run(
    caller: Caller, request: TriggerWorkflowRunRequest
) -> TriggerWorkflowRunResponse:
    command = TriggerRuns(caller.tenant_id, (trigger_run_item(request),))
    try:
        (run_id,) = await caller.engine.submit(command)
    except KeyCollision as taken:
        raise collision(taken) from None
    return TriggerWorkflowRunResponse(external_id=str(run_id))


async def get_run_details(caller: Caller, request: GetRunDetailsRequest) -> GetRunDetailsResponse:
    id = parse_id(request.external_id, "external_id")
    details = await runs.run_details(caller.engine.read_pool, caller.tenant_id, id)
    if details is None:
        raise not_found(f"external_id: there is no run {request.external_id}")
    return run_details(details)
