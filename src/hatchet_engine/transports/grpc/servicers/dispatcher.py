"""Service Dispatcher: workers come, get work, report and leave; clients wait for results."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from hatchet_engine.domain.errors import Refused, invalid
from hatchet_engine.transports.grpc.caller import Caller, Stream
from hatchet_engine.transports.grpc.codecs.events import STREAM_AFTER, stream_after
from hatchet_engine.transports.grpc.codecs.ids import parse_id
from hatchet_engine.transports.grpc.codecs.labels import worker_labels
from hatchet_engine.transports.grpc.codecs.registration import duration_ms
from hatchet_engine.transports.grpc.codecs.reports import batch_reports, step_report
from hatchet_engine.transports.grpc.codecs.texts import refuse_nul
from hatchet_engine.transports.grpc.codecs.workers import registered_worker
from hatchet_engine.transports.grpc.event_stream import EventStream
from hatchet_engine.transports.grpc.metadata_stream import MetadataStream
from hatchet_engine.transports.grpc.run_stream import RunStream
from hatchet_engine.transports.grpc.worker_stream import WorkerStream
from hatchet_engine.turn.commands import (
    ChangeWorker,
    LeaveWorker,
    RefreshTimeout,
    ReleaseSlot,
    ReportTasks,
)
from hatchet_protocol.dispatcher import (
    ActionEventResponse,
    BatchActionEvent,
    GetVersionRequest,
    GetVersionResponse,
    HeartbeatRequest,
    HeartbeatResponse,
    OverridesData,
    OverridesDataResponse,
    RefreshTimeoutRequest,
    RefreshTimeoutResponse,
    ReleaseSlotRequest,
    ReleaseSlotResponse,
    StepActionEvent,
    SubscribeToWorkflowEventsRequest,
    UpsertWorkerLabelsRequest,
    UpsertWorkerLabelsResponse,
    WorkerListenRequest,
    WorkerRegisterRequest,
    WorkerRegisterResponse,
    WorkerUnsubscribeRequest,
    WorkerUnsubscribeResponse,
)
from hatchet_protocol.times import set_timestamp

# What SDKs take this engine for; they switch features on by it (B2). Our own version is another.
PROTOCOL_VERSION = "v0.114.2"
LISTEN_HEARTBEAT_S = 4.0

_HEARTBEAT_ANSWER = HeartbeatResponse()


async def get_version(caller: Caller, request: GetVersionRequest) -> GetVersionResponse:
    return GetVersionResponse(version=PROTOCOL_VERSION)


async def register(caller: Caller, request: WorkerRegisterRequest) -> WorkerRegisterResponse:
    worker_id = await caller.engine.submit(registered_worker(caller.tenant_id, request))
    return WorkerRegisterResponse(
        tenant_id=caller.tenant_text, worker_id=str(worker_id), worker_name=request.worker_name
    )


async def listen_v2(caller: Caller, request: WorkerListenRequest, stream: Stream) -> None:
    worker_id = parse_id(request.worker_id, "worker_id")
    await WorkerStream(caller, worker_id, stream).serve()


async def listen(caller: Caller, request: WorkerListenRequest, stream: Stream) -> None:
    """The legacy form: clients of that time sent no heartbeats, so the stream stands for them."""
    worker_id = parse_id(request.worker_id, "worker_id")

    async def beat() -> None:
        while True:
            await asyncio.sleep(LISTEN_HEARTBEAT_S)
            with suppress(Refused):
                caller.engine.heartbeat(caller.tenant_id, worker_id)

    beating = asyncio.create_task(beat())
    try:
        await WorkerStream(caller, worker_id, stream).serve()
    finally:
        beating.cancel()


async def heartbeat(caller: Caller, request: HeartbeatRequest) -> HeartbeatResponse:
    caller.engine.heartbeat(caller.tenant_id, parse_id(request.worker_id, "worker_id"))
    return _HEARTBEAT_ANSWER


async def unsubscribe(
    caller: Caller, request: WorkerUnsubscribeRequest
) -> WorkerUnsubscribeResponse:
    worker_id = parse_id(request.worker_id, "worker_id")
    await caller.engine.submit(LeaveWorker(caller.tenant_id, worker_id))
    return WorkerUnsubscribeResponse(tenant_id=caller.tenant_text, worker_id=request.worker_id)


async def upsert_worker_labels(
    caller: Caller, request: UpsertWorkerLabelsRequest
) -> UpsertWorkerLabelsResponse:
    worker_id = parse_id(request.worker_id, "worker_id")
    labels = worker_labels(request.labels)
    refuse_nul(labels, "labels")
    await caller.engine.submit(ChangeWorker(caller.tenant_id, worker_id, labels))
    return UpsertWorkerLabelsResponse(tenant_id=caller.tenant_text, worker_id=request.worker_id)


async def send_step_action_event(caller: Caller, event: StepActionEvent) -> ActionEventResponse:
    report = step_report(event)
    (known,) = await caller.engine.submit(ReportTasks(caller.tenant_id, (report,)))
    if not known:
        raise invalid(
            f"task_run_external_id: there is no task {event.task_run_external_id}",
            field="task_run_external_id",
        )
    return ActionEventResponse(tenant_id=caller.tenant_text, worker_id=event.worker_id)


async def send_batch_action_event(caller: Caller, event: BatchActionEvent) -> ActionEventResponse:
    """Members that are not known are passed over (B8)."""
    reports = batch_reports(event)
    if reports:
        await caller.engine.submit(ReportTasks(caller.tenant_id, reports))
    return ActionEventResponse(tenant_id=caller.tenant_text, worker_id=event.worker_id)


async def refresh_timeout(caller: Caller, request: RefreshTimeoutRequest) -> RefreshTimeoutResponse:
    task_id = parse_id(request.task_run_external_id, "task_run_external_id")
    increment_ms = duration_ms(request.increment_timeout_by, "increment_timeout_by")
    deadline_ms = await caller.engine.submit(
        RefreshTimeout(caller.tenant_id, task_id, increment_ms)
    )
    answer = RefreshTimeoutResponse()
    set_timestamp(answer.timeout_at, deadline_ms)
    return answer


async def release_slot(caller: Caller, request: ReleaseSlotRequest) -> ReleaseSlotResponse:
    task_id = parse_id(request.task_run_external_id, "task_run_external_id")
    await caller.engine.submit(ReleaseSlot(caller.tenant_id, task_id))
    return ReleaseSlotResponse()


async def put_overrides_data(caller: Caller, request: OverridesData) -> OverridesDataResponse:
    """Accepted and dropped, like in the official engine (B18)."""
    return OverridesDataResponse()


async def subscribe_to_workflow_runs(caller: Caller, stream: Stream) -> None:
    await RunStream(caller, stream).serve()


async def subscribe_to_workflow_events(
    caller: Caller, request: SubscribeToWorkflowEventsRequest, stream: Stream
) -> None:
    key = request.additional_meta_key
    if request.workflow_run_id:
        run_id = parse_id(request.workflow_run_id, "workflow_run_id")
        after = stream_after(stream.metadata.get(STREAM_AFTER))
        await EventStream(caller, stream, run_id, after).serve()
    elif key and request.HasField("additional_meta_value"):
        await MetadataStream(caller, stream, key, request.additional_meta_value).serve()
    else:
        raise invalid(
            "workflow_run_id: is required, or else additional_meta_key with additional_meta_value",
            field="workflow_run_id",
        )
