"""Service EventsService, as far as it is about tasks: logs and stream chunks."""

from __future__ import annotations

from hatchet_engine.transports.grpc.caller import Caller
from hatchet_engine.transports.grpc.codecs.ids import parse_id
from hatchet_engine.transports.grpc.codecs.logs import log_line
from hatchet_protocol.events import (
    PutLogRequest,
    PutLogResponse,
    PutStreamEventRequest,
    PutStreamEventResponse,
)
from hatchet_protocol.times import timestamp_ms

_LOG_ANSWER = PutLogResponse()
_STREAM_ANSWER = PutStreamEventResponse()


async def put_log(caller: Caller, request: PutLogRequest) -> PutLogResponse:
    """Takes the line into the bulk lane. Whether the task exists is not looked up: logs are many,
    and a line of a task that does not exist is never shown."""
    engine = caller.engine
    engine.logs.put(caller.tenant_id, (log_line(request, engine.clock.now_ms()),))
    return _LOG_ANSWER


async def put_stream_event(
    caller: Caller, request: PutStreamEventRequest
) -> PutStreamEventResponse:
    """Hands the chunk to those who watch the run now; nothing is stored (B15.3)."""
    task_id = parse_id(request.task_run_external_id, "task_run_external_id")
    engine = caller.engine
    engine.watchers.put_stream(
        caller.tenant_id,
        task_id,
        request.message.decode("utf-8", "replace"),
        request.event_index if request.HasField("event_index") else None,
        timestamp_ms(request.created_at) or engine.clock.now_ms(),
    )
    return _STREAM_ANSWER
