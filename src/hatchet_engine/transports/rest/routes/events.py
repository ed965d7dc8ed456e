"""Events: push, list, get, keys; replay and cancel by event.

Pushing over REST is ours (the official API takes events over gRPC only); its bodies are those of
the official API's older version, and so are the paths without `stable`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from hatchet_engine.domain.errors import invalid
from hatchet_engine.observe import events
from hatchet_engine.observe.event_query import EventQuery
from hatchet_engine.observe.events import EventRow
from hatchet_engine.observe.times import from_ms
from hatchet_engine.transports.rest import pagination
from hatchet_engine.transports.rest.codecs import events as codec
from hatchet_engine.transports.rest.codecs.common import meta
from hatchet_engine.transports.rest.errors import not_found
from hatchet_engine.transports.rest.parameters import (
    IDS_MAX,
    Instant,
    Limit,
    Offset,
    Pairs,
    page_of,
    strict_pairs_of,
)
from hatchet_engine.transports.rest.responses import answer
from hatchet_engine.transports.rest.routes.runs import STATUSES_GIVEN_MAX, statuses_of
from hatchet_engine.transports.rest.schemas.common import ZERO_UUID
from hatchet_engine.transports.rest.schemas.events import (
    BulkCreateEventRequest,
    CancelledRuns,
    CreateEventRequest,
    EventData,
    EventIds,
    EventKeyList,
    Events,
    V1Event,
    V1EventList,
)
from hatchet_engine.transports.rest.scope import Caller, InTenant, Scope
from hatchet_engine.turn.commands import CancelTasks, NewEvent, PushEvents

LIMIT_DEFAULT = 50
WINDOW_DEFAULT = timedelta(hours=24)
DAY_MS = 86_400_000

router = APIRouter(tags=["events"])
_STABLE = "/api/v1/stable/tenants/{tenant}/events"
_OLD = "/api/v1/tenants/{tenant}/events"

Ids = Annotated[list[UUID] | None, Query(max_length=IDS_MAX)]
Texts = Annotated[list[str] | None, Query(max_length=IDS_MAX)]


@router.get(_STABLE, operation_id="v1-event:list", response_model=V1EventList)
async def event_list(
    scope: InTenant,
    offset: Offset = 0,
    limit: Limit = LIMIT_DEFAULT,
    keys: Texts = None,
    since: Instant | None = None,
    until: Instant | None = None,
    workflow_ids: Annotated[Ids, Query(alias="workflowIds")] = None,
    statuses: Annotated[
        list[str] | None, Query(alias="workflowRunStatuses", max_length=STATUSES_GIVEN_MAX)
    ] = None,
    event_ids: Annotated[Ids, Query(alias="eventIds")] = None,
    additional_metadata: Annotated[Pairs, Query(alias="additionalMetadata")] = None,
    scopes: Texts = None,
) -> Response:
    """Events, newest first, by default those of the last 24 hours."""
    offset, limit = page_of(offset, limit, LIMIT_DEFAULT)
    wanted = statuses_of(statuses)
    page = events.EventPage([], 0)
    if wanted is not None:
        query = EventQuery(
            tenant_id=scope.tenant_id,
            since=since or from_ms(scope.engine.clock.now_ms()) - WINDOW_DEFAULT,
            until=until,
            keys=keys or (),
            scopes=scopes or (),
            ids=event_ids or (),
            metadata=strict_pairs_of(additional_metadata, "additionalMetadata"),
            workflow_ids=workflow_ids or (),
            statuses=wanted,
        )
        page = await events.event_list(scope.engine.read_pool, query, offset=offset, limit=limit)
    return answer(
        V1EventList(
            pagination=pagination.ending(offset, limit, page.total),
            rows=[codec.event(scope.tenant_id, row) for row in page.rows],
        )
    )


@router.get(f"{_STABLE}/keys", operation_id="v1:event-key:list", response_model=EventKeyList)
@router.get(f"{_OLD}/keys", include_in_schema=False)
async def event_keys(scope: InTenant) -> Response:
    """Keys seen in the last 24 hours."""
    since_ms = scope.engine.clock.now_ms() - DAY_MS
    keys = await events.event_keys(scope.engine.read_pool, scope.tenant_id, since_ms)
    return answer(EventKeyList(rows=keys))


@router.get(f"{_STABLE}/{{event}}", operation_id="v1-event:get", response_model=V1Event)
async def event_get(scope: InTenant, event: UUID) -> Response:
    shown = codec.event(scope.tenant_id, await _found(scope, event))
    shown.triggering_webhook_name = shown.triggering_webhook_name or ""  # absent in lists only
    return answer(shown)


@router.get("/api/v1/events/{event}", operation_id="event:get", response_model=V1Event)
async def event_get_by_id(scope: Caller, event: UUID) -> Response:
    return answer(codec.event(scope.tenant_id, await _found(scope, event)))


@router.get("/api/v1/events/{event}/data", operation_id="event-data:get", response_model=EventData)
async def event_data(scope: Caller, event: UUID) -> Response:
    """The payload as JSON text."""
    return answer(EventData(data=(await _found(scope, event)).payload))


@router.get(
    f"{_OLD}/{{event}}/data",
    operation_id="event-data:get-with-tenant",
    response_model=EventData,
)
async def event_data_in_tenant(scope: InTenant, event: UUID) -> Response:
    return await event_data(scope, event)


@router.post(_STABLE, operation_id="v1-event:create", response_model=V1Event)
@router.post(_OLD, operation_id="event:create", response_model=V1Event)
async def event_push(scope: InTenant, body: CreateEventRequest) -> Response:
    """Store an event, trigger what waits for its key. Its runs can be read once this returns."""
    [row] = await _push(scope, [codec.new_event(body)])
    return answer(codec.event(scope.tenant_id, row))


@router.post(f"{_STABLE}/bulk", operation_id="v1-event:create:bulk", response_model=Events)
@router.post(f"{_OLD}/bulk", operation_id="event:create:bulk", response_model=Events)
async def event_push_many(scope: InTenant, body: BulkCreateEventRequest) -> Response:
    """Several events, all or none, answered in their order."""
    rows = await _push(scope, [codec.new_event(one) for one in body.events])
    shown = [codec.event(scope.tenant_id, row) for row in rows]
    now = from_ms(scope.engine.clock.now_ms())
    return answer(Events(metadata=meta(UUID(ZERO_UUID), now), events=shown))


@router.post(f"{_STABLE}/replay", operation_id="v1-event:replay", response_model=V1EventList)
@router.post(f"{_OLD}/replay", operation_id="event:update:replay", response_model=V1EventList)
async def event_replay(scope: InTenant, body: EventIds) -> Response:
    """Push the same events once more; answers the new ones."""
    found = await events.event_rows(scope.engine.read_pool, scope.tenant_id, body.event_ids)
    rows = await _push(scope, [codec.again(row) for row in reversed(found)])
    shown = [codec.event(scope.tenant_id, row) for row in rows]
    return answer(V1EventList(pagination=pagination.single(), rows=shown))


@router.post(f"{_STABLE}/cancel", operation_id="v1-event:cancel", response_model=CancelledRuns)
@router.post(f"{_OLD}/cancel", operation_id="event:update:cancel", response_model=CancelledRuns)
async def event_cancel(scope: InTenant, body: EventIds) -> Response:
    """Cancel the runs that these events caused, as far as they have not ended."""
    found = await events.event_rows(scope.engine.read_pool, scope.tenant_id, body.event_ids)
    for row in found:
        if len(row.runs) >= events.RUNS_PER_EVENT_MAX:
            raise invalid(
                f"eventIds: event {row.id} has started {len(row.runs)} runs or more, which is too "
                "many for this call; cancel them with a filter of /tasks/cancel",
                field="eventids",
            )
    runs = [run.run_id for row in found for run in row.runs if not run.status.final]
    if runs:
        await scope.engine.submit(CancelTasks(scope.tenant_id, ids=runs))
    return answer(CancelledRuns(workflow_run_ids=[str(run) for run in runs]))


async def _push(scope: Scope, new: list[NewEvent]) -> list[EventRow]:
    """Push and read back, in the order given."""
    if not new:
        return []
    for index, one in enumerate(new):
        if not one.key:
            raise invalid("key: must not be empty", field="key", index=index)
    pushed = await scope.engine.submit(PushEvents(scope.tenant_id, new))
    ids = [one.id for one in pushed]
    rows = await events.event_rows(scope.engine.read_pool, scope.tenant_id, ids)
    by_id = {row.id: row for row in rows}
    return [by_id[id] for id in ids if id in by_id]


async def _found(scope: Scope, event_id: UUID) -> EventRow:
    row = await events.event_get(scope.engine.read_pool, scope.tenant_id, event_id)
    if row is None:
        raise not_found(f"event {event_id}")
    return row
