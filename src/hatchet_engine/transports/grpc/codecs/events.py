"""Events of runs and chunks of their streams for SubscribeToWorkflowEvents (B10)."""

from __future__ import annotations

from hatchet_engine.domain.errors import invalid
from hatchet_engine.store.streams import Chunk
from hatchet_engine.turn.deliveries import RunEvent
from hatchet_protocol.dispatcher import ResourceEventType, ResourceType, WorkflowEvent
from hatchet_protocol.times import set_timestamp

STREAM_AFTER = "hatchet-stream-after"  # metadata of a call
DIGITS_MAX = 18  # of a position: it is a bigint in SQL
RUN_ENDS = frozenset(("RUN_COMPLETED", "RUN_FAILED", "RUN_CANCELLED"))
TASK_ENDS = frozenset(("COMPLETED", "FAILED", "CANCELLED"))

_TYPES = {
    "STARTED": ResourceEventType.STARTED,
    "COMPLETED": ResourceEventType.COMPLETED,
    "FAILED": ResourceEventType.FAILED,
    "CANCELLED": ResourceEventType.CANCELLED,
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
    return message


def chunk_event(chunk: Chunk) -> WorkflowEvent:
    """Bytes that are no text are replaced: the field holds text (S-8)."""
    message = WorkflowEvent(
        workflow_run_id=str(chunk.run_id),
        resource_type=int(ResourceType.STEP_RUN),
        event_type=int(ResourceEventType.STREAM),
        resource_id=str(chunk.task_id),
        event_payload=chunk.data.decode("utf-8", "replace"),
        retry_count=chunk.attempt,
    )
    set_timestamp(message.event_timestamp, chunk.at_ms)
    if chunk.index is not None:
        message.event_index = chunk.index
    return message


def stream_after(header: str | None) -> int:
    """How many chunks of the run a client has seen, from its call's metadata; absent: none."""
    if header is None:
        return 0
    if not (header.isascii() and header.isdigit() and len(header) <= DIGITS_MAX):
        raise invalid(
            f"{STREAM_AFTER}: must be the number of chunks seen, got {header[:64]!r}",
            field=STREAM_AFTER,
        )
    return int(header)
