"""Service EventsService: events that programs push, logs and stream chunks of tasks."""

from __future__ import annotations

import asyncio

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.transports.grpc.caller import Caller
from hatchet_engine.transports.grpc.codecs import push as push_codec
from hatchet_engine.transports.grpc.codecs.ids import parse_id
from hatchet_engine.transports.grpc.codecs.logs import log_line
from hatchet_engine.turn.commands import PushEvents
from hatchet_protocol.events import (
    BulkPushEventRequest,
    Event,
    Events,
    PushEventRequest,
    PutLogRequest,
    PutLogResponse,
    PutStreamEventRequest,
    PutStreamEventResponse,
)

_LOG_ANSWER = PutLogResponse()
_STREAM_ANSWER = PutStreamEventResponse()


async def push(caller: Caller, request: PushEventRequest) -> Event:
    """Answers once the event is stored and the runs it triggers exist."""
    event = push_codec.new_event(request, caller.limits)
    (pushed,) = await caller.engine.submit(PushEvents(caller.tenant_id, (event,)))
    return push_codec.event(caller.tenant_id, request, pushed)


async def bulk_push(caller: Caller, request: BulkPushEventRequest) -> Events:
    """All or none: one bad event refuses the whole call (E-4)."""
    events = push_codec.new_events(request.events, caller.limits)
    try:
        pushed = await caller.engine.submit(PushEvents(caller.tenant_id, events))
    except Refused as refused:
        if refused.index:
            raise push_codec.of_event(refused, refused.index) from None
        raise
    return push_codec.events(caller.tenant_id, request.events, pushed)


async def put_log(caller: Caller, request: PutLogRequest) -> PutLogResponse:
    """Takes the line into the bulk lane. Whether the task exists is not looked up: logs are many,
    and a line of a task that does not exist is never shown."""
    engine = caller.engine
    engine.logs.put(caller.tenant_id, (log_line(request, engine.clock.now_ms()),))
    return _LOG_ANSWER


async def put_stream_event(
    caller: Caller, request: PutStreamEventRequest
) -> PutStreamEventResponse:
    """Answers once the chunk is stored, for whoever reads the run's stream, now or later. One that
    came before others which are missing waits with them, as the lane does (B10.1)."""
    streams = caller.engine.streams
    attempt = await streams.put(
        caller.tenant_id,
        parse_id(request.task_run_external_id, "task_run_external_id"),
        request.message,
        request.event_index if request.HasField("event_index") else None,
        None,
    )
    stored = streams.when_stored((attempt,))
    await asyncio.wait((stored,))
    if stored.cancelled():
        raise Refused(Code.UNAVAILABLE, "the stream is taken by another server: try again")
    return _STREAM_ANSWER
