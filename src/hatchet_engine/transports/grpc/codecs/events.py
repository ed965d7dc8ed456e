"""Live events of runs for SubscribeToWorkflowEvents (B10)."""

from __future__ import annotations

from hatchet_engine.turn.deliveries import RunEvent
from hatchet_protocol.dispatcher import ResourceEventType, ResourceType, WorkflowEvent
from hatchet_protocol.times import set_timestamp

RUN_ENDS = frozenset(("RUN_COMPLETED", "RUN_FAILED", "RUN_CANCELLED"))
TASK_ENDS = frozenset(("COMPLETED", "FAILED", "CANCELLED"))
STREAM = "STREAM"

_TYPES = {
    "STARTED": ResourceEventType.STARTED,
    "COMPLETED": ResourceEventType.COMPLETED,
    "FAILED": ResourceEventType.FAILED,
    "CANCELLED": ResourceEventType.CANCELLED,
    STREAM: ResourceEventType.STREAM,
    "RUN_COMPLETED": ResourceEventType.COMPLETED,
    "RUN_FAILED": ResourceEventType.FAILED,
    "RUN_CANCELLED": ResourceEventType.CANCELLED,
}


def workflow_event(event: RunEvent, *, hangup: bool) -> WorkflowEvent:
    """``hangup``: this is the stream's last message."""
    about_run = event.task_id is None
    message = WorkflowEvent(
        workflow_run_id=str(event.run_id),
        resource_type=int(ResourceType.WORKFLOW_RUN if about_run else ResourceType.STEP_RUN),
        event_type=int(_TYPES[event.kind]),
        resource_id=str(event.run_id if about_run else event.task_id),
        event_payload=event.payload,
        hangup=hangup,
    )
    set_timestamp(message.event_timestamp, event.at_ms)
    if not about_run:
        message.retry_count = event.retry_count
    if event.index is not None:
        message.event_index = event.index
    return message
