"""Which function serves which method. All other methods of the protocol answer UNIMPLEMENTED."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from google.protobuf.message import Message

from hatchet_engine.transports.grpc.caller import Caller, Stream
from hatchet_engine.transports.grpc.servicers import (
    admin,
    dispatcher,
    events,
    rate_limits,
    session,
    workflows,
)

UnaryHandler = Callable[[Caller, Any], Awaitable[Message]]
ServerStreamHandler = Callable[[Caller, Any, Stream], Awaitable[None]]
BidiHandler = Callable[[Caller, Stream], Awaitable[None]]

UNARY: Mapping[str, UnaryHandler] = {
    "/Dispatcher/GetVersion": dispatcher.get_version,
    "/Dispatcher/Register": dispatcher.register,
    "/Dispatcher/Heartbeat": dispatcher.heartbeat,
    "/Dispatcher/Unsubscribe": dispatcher.unsubscribe,
    "/Dispatcher/UpsertWorkerLabels": dispatcher.upsert_worker_labels,
    "/Dispatcher/SendStepActionEvent": dispatcher.send_step_action_event,
    "/Dispatcher/SendBatchActionEvent": dispatcher.send_batch_action_event,
    "/Dispatcher/RefreshTimeout": dispatcher.refresh_timeout,
    "/Dispatcher/ReleaseSlot": dispatcher.release_slot,
    "/Dispatcher/PutOverridesData": dispatcher.put_overrides_data,
    "/EventsService/Push": events.push,
    "/EventsService/BulkPush": events.bulk_push,
    "/EventsService/PutLog": events.put_log,
    "/EventsService/PutStreamEvent": events.put_stream_event,
    "/WorkflowService/PutWorkflow": workflows.put_workflow,
    "/WorkflowService/ScheduleWorkflow": workflows.schedule_workflow,
    "/WorkflowService/TriggerWorkflow": workflows.trigger_workflow,
    "/WorkflowService/BulkTriggerWorkflow": workflows.bulk_trigger_workflow,
    "/WorkflowService/PutRateLimit": rate_limits.put_rate_limit,
    "/WorkflowService/PauseRateLimit": rate_limits.pause_rate_limit,
    "/v1.AdminService/PutWorkflow": admin.put_workflow,
    "/v1.AdminService/CancelTasks": admin.cancel_tasks,
    "/v1.AdminService/ReplayTasks": admin.replay_tasks,
    "/v1.AdminService/TriggerWorkflowRun": admin.trigger_workflow_run,
    "/v1.AdminService/GetRunDetails": admin.get_run_details,
}

SERVER_STREAMS: Mapping[str, ServerStreamHandler] = {
    "/Dispatcher/Listen": dispatcher.listen,
    "/Dispatcher/ListenV2": dispatcher.listen_v2,
    "/Dispatcher/SubscribeToWorkflowEvents": dispatcher.subscribe_to_workflow_events,
}

BIDI_STREAMS: Mapping[str, BidiHandler] = {
    "/Dispatcher/SubscribeToWorkflowRuns": dispatcher.subscribe_to_workflow_runs,
    "/hatchet.session.v1.Session/Connect": session.connect,
}

# Nobody should wait for these: they belong to features that have gone for good (B18).
GONE = frozenset(("/Dispatcher/SendGroupKeyActionEvent", "/EventsService/ReplaySingleEvent"))


def why_unimplemented(path: str) -> str:
    method = path.lstrip("/").replace("/", ".")
    if path in GONE:
        return f"{method} belongs to a feature that no longer exists"
    return f"{method} is not offered by this engine yet"
