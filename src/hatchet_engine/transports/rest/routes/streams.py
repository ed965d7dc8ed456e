"""What the tasks of a run have streamed: by position, or live as server-sent events."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from hatchet_engine.observe import runs
from hatchet_engine.observe.stream_reader import ChunkReader
from hatchet_engine.transports.rest.codecs.streams import stream_chunk
from hatchet_engine.transports.rest.errors import not_found
from hatchet_engine.transports.rest.event_source import EventSource
from hatchet_engine.transports.rest.responses import answer
from hatchet_engine.transports.rest.schemas.streams import StreamChunk, StreamChunkList
from hatchet_engine.transports.rest.scope import InTenant, Scope

LIMIT_DEFAULT = 100
LIMIT_MAX = 1_000
POSITION_MAX = 1_000_000_000_000
EVENT_STREAM = "text/event-stream"

router = APIRouter(tags=["streams"])
Position = Annotated[
    int, Query(ge=0, le=POSITION_MAX, description="Chunks of the run to skip: those you have.")
]
LastEventId = Annotated[
    int | None, Header(ge=0, le=POSITION_MAX, description="Like `after`; for event sources.")
]


@router.get(
    "/api/v1/stable/tenants/{tenant}/streams/{run}",
    operation_id="v1-stream:list",
    response_model=StreamChunkList,
    responses={200: {"content": {EVENT_STREAM: {}}}},
)
async def stream_list(
    scope: InTenant,
    request: Request,
    run: UUID,
    after: Position = 0,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT,
    last_event_id: LastEventId = None,
) -> Response:
    """Chunks of all tasks of a run, in their order.

    With `Accept: text/event-stream`, server-sent events: what is stored, then what comes, until
    the run has ended. `limit` means nothing then.
    """
    if EVENT_STREAM in request.headers.get("accept", ""):
        await _status(scope, run)
        source = EventSource(
            scope.engine, scope.tenant_id, run, after if last_event_id is None else last_event_id
        )
        headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
        return StreamingResponse(source.lines(), media_type=EVENT_STREAM, headers=headers)
    return answer(await _list(scope, run, after, limit))


async def _status(scope: Scope, run: UUID) -> bool:
    """Whether the run has ended. Raises ``Refused`` NOT_FOUND."""
    status = await runs.run_status(scope.engine.read_pool, scope.tenant_id, run)
    if status is None:
        raise not_found(f"run {run}")
    return status.final


async def _list(scope: Scope, run: UUID, after: int, limit: int) -> StreamChunkList:
    # Asked before the chunks are read: those of a run that has ended are complete.
    ended = await _status(scope, run) and not scope.engine.streams.has_waiting(run)
    reader = ChunkReader(scope.engine.read_pool, scope.tenant_id, run, after)
    rows: list[StreamChunk] = []
    while len(rows) < limit:
        chunks = await reader.take()
        if not chunks:
            return StreamChunkList(rows=rows, next=after + len(rows), ended=ended)
        first = reader.position - len(chunks) + 1
        rows += [stream_chunk(chunk, at) for at, chunk in enumerate(chunks, first)]
    return StreamChunkList(rows=rows[:limit], next=after + limit, ended=False)
