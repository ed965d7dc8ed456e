"""`hatchet.event`: push events, read pushed ones."""

import builtins
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict

from hatchet._core.pushes import Pushed, PushItem, push_item
from hatchet._run.rest import Call, metadata_pairs
from hatchet.features.event_models import V1Event, V1EventList
from hatchet.features.models import V1TaskStatus
from hatchet.types.trigger import (
    BulkPushEventOptions,
    BulkPushEventWithMetadata,
    PushEventOptions,
)

if TYPE_CHECKING:
    from typing import Unpack

    from hatchet._run.client import Client

__all__ = [
    "BulkPushEventOptions",
    "BulkPushEventWithMetadata",
    "Event",
    "EventClient",
    "PushEventOptions",
]

Event = Pushed
JSONMapping = dict[str, Any]


class EventSelection(TypedDict, total=False):
    """Keywords of `list`."""

    since: datetime | None
    until: datetime | None
    workflow_ids: Iterable[str] | None
    workflow_run_statuses: Iterable[V1TaskStatus] | None
    event_ids: Iterable[str] | None
    additional_metadata: dict[str, str] | None
    scopes: Iterable[str] | None


class EventClient:
    """Events: they start workflows (`on_events`) and let waiting tasks go on.

    Methods named `aio_...` do the same from async code. Inside a task, pushed events carry the
    ids of that task and its run in their metadata.

        hatchet.event.push("order:created", {"id": 7}, additional_metadata={"shop": "1"})

    Errors of pushes: `HatchetCallError` if the engine refuses, `EngineUnavailableError` if it
    cannot be reached, `TriggerOutcomeUnknownError` if the connection broke before the answer.
    """

    def __init__(self, client: "Client") -> None:
        self._client = client

    def _item(
        self,
        event_key: str,
        payload: Any,
        options: PushEventOptions | None,
        additional_metadata: JSONMapping | None,
        priority: int | None,
        scope: str | None,
    ) -> PushItem:
        namespace = self._client.config.namespace
        if options is not None:
            additional_metadata, priority = options.additional_metadata, options.priority
            scope = options.scope
            namespace = namespace if options.namespace is None else options.namespace
        return push_item(event_key, payload, namespace, additional_metadata, priority, scope)

    def push(
        self,
        event_key: str,
        payload: Any,
        options: PushEventOptions | None = None,
        additional_metadata: JSONMapping | None = None,
        priority: int | None = None,
        scope: str | None = None,
    ) -> Event:
        """Push one event. Returns when it is stored and the runs that it starts exist.

        - `payload`: a dict, a pydantic model or a dataclass; the input of those runs
        - `additional_metadata`: searchable data, which the runs inherit
        - `priority`: 1 to 3, of those runs
        - `scope`: which filters and scoped waits see it

        Raises `TypeError` or `ValueError` for a payload that is no JSON object.
        """
        from hatchet._wire import pushes

        item = self._item(event_key, payload, options, additional_metadata, priority, scope)
        session = self._client.session
        answer = session.unary_sync(pushes.PUSH_PATH, pushes.request(item), once=True)
        return pushes.pushed(answer, item)

    async def aio_push(
        self,
        event_key: str,
        payload: Any,
        options: PushEventOptions | None = None,
        additional_metadata: JSONMapping | None = None,
        priority: int | None = None,
        scope: str | None = None,
    ) -> Event:
        """Like `push`, from async code."""
        from hatchet._wire import pushes

        item = self._item(event_key, payload, options, additional_metadata, priority, scope)
        session = self._client.session
        answer = await session.unary(pushes.PUSH_PATH, pushes.request(item), once=True)
        return pushes.pushed(answer, item)

    def _bulk(
        self,
        events: Sequence[BulkPushEventWithMetadata],
        options: BulkPushEventOptions | None,
    ) -> builtins.list[builtins.list[PushItem]]:
        """Items, cut into requests."""
        from hatchet._core.chunks import FRAME_OVERHEAD_BYTES, chunked

        namespace = self._client.config.namespace
        if options is not None and options.namespace is not None:
            namespace = options.namespace
        items = [
            push_item(
                event.key,
                event.payload,
                namespace,
                event.additional_metadata,
                event.priority,
                event.scope,
            )
            for event in events
        ]
        max_bytes = self._client.config.grpc_max_send_message_length - FRAME_OVERHEAD_BYTES
        return list(chunked(((item, item.size) for item in items), max_bytes))

    def bulk_push(
        self,
        events: Sequence[BulkPushEventWithMetadata],
        options: BulkPushEventOptions | None = None,
    ) -> builtins.list[Event]:
        """Push many events; what the engine stored, in order.

        Up to 1,000 (and 4 MiB) are one request, which is stored whole or not at all; larger bulks
        are cut, and if one request is refused, those before it are stored.

            hatchet.event.bulk_push(
                [BulkPushEventWithMetadata(key="order:created", payload={"id": n}) for n in ids]
            )
        """
        from hatchet._wire import pushes

        stored: list[Event] = []
        for items in self._bulk(events, options):
            request = pushes.bulk_request(items)
            answer = self._client.session.unary_sync(pushes.BULK_PATH, request, once=True)
            stored += pushes.all_pushed(answer, items)
        return stored

    async def aio_bulk_push(
        self,
        events: Sequence[BulkPushEventWithMetadata],
        options: BulkPushEventOptions | None = None,
    ) -> builtins.list[Event]:
        """Like `bulk_push`, from async code."""
        from hatchet._wire import pushes

        stored: list[Event] = []
        for items in self._bulk(events, options):
            request = pushes.bulk_request(items)
            answer = await self._client.session.unary(pushes.BULK_PATH, request, once=True)
            stored += pushes.all_pushed(answer, items)
        return stored

    # ------------------------------------------------------------------ read

    def _list(
        self,
        offset: int | None,
        limit: int | None,
        keys: Iterable[str] | None,
        since: datetime | None = None,
        until: datetime | None = None,
        workflow_ids: Iterable[str] | None = None,
        workflow_run_statuses: Iterable[V1TaskStatus] | None = None,
        event_ids: Iterable[str] | None = None,
        additional_metadata: dict[str, str] | None = None,
        scopes: Iterable[str] | None = None,
    ) -> Call[V1EventList]:
        return self._client.rest.call(
            "GET",
            f"/api/v1/stable/tenants/{self._client.rest.tenant}/events",
            V1EventList.model_validate_json,
            query={
                "offset": offset,
                "limit": limit,
                "keys": keys,
                "since": since,
                "until": until,
                "workflowIds": workflow_ids,
                "workflowRunStatuses": workflow_run_statuses,
                "eventIds": event_ids,
                "additionalMetadata": metadata_pairs(additional_metadata),
                "scopes": scopes,
            },
        )

    def list(
        self,
        offset: int | None = None,
        limit: int | None = None,
        keys: Iterable[str] | None = None,
        **more: "Unpack[EventSelection]",
    ) -> V1EventList:
        """One page of events, newest first.

        - `offset` (0), `limit` (50): the page
        - `since` (one day ago), `until` (now): when they were pushed
        - `keys`, `scopes`, `event_ids`: any of these
        - `workflow_ids`, `workflow_run_statuses`: events that started such runs
        - `additional_metadata`: all pairs must match

            orders = hatchet.event.list(keys=["order:created"], limit=10).rows
        """
        return self._list(offset, limit, keys, **more).send()

    async def aio_list(
        self,
        offset: int | None = None,
        limit: int | None = None,
        keys: Iterable[str] | None = None,
        **more: "Unpack[EventSelection]",
    ) -> V1EventList:
        """Like `list`, from async code."""
        return await self._list(offset, limit, keys, **more).aio()

    def _get(self, event_id: str) -> Call[V1Event]:
        return self._client.rest.call(
            "GET",
            f"/api/v1/stable/tenants/{self._client.rest.tenant}/events/{event_id}",
            V1Event.model_validate_json,
        )

    def get(self, event_id: str) -> V1Event:
        """One event, with the runs which it has started."""
        return self._get(event_id).send()

    async def aio_get(self, event_id: str) -> V1Event:
        """Like `get`, from async code."""
        return await self._get(event_id).aio()
