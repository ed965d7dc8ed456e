"""Events in the form of the official protocol."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from hatchet._core.pushes import Pushed, PushItem
from hatchet_protocol.events import BulkPushEventRequest, PushEventRequest
from hatchet_protocol.times import timestamp_ms

PUSH_PATH = "/EventsService/Push"
BULK_PATH = "/EventsService/BulkPush"


def request(item: PushItem) -> PushEventRequest:
    return PushEventRequest(
        key=item.key,
        payload=item.payload,
        additional_metadata=item.metadata or None,
        priority=item.priority,
        scope=item.scope,
    )


def bulk_request(items: Sequence[PushItem]) -> BulkPushEventRequest:
    return BulkPushEventRequest(events=[request(item) for item in items])


def pushed(event: Any, item: PushItem) -> Pushed:
    """The engine's answer. It does not repeat the scope."""
    return Pushed(
        tenant_id=event.tenant_id,
        event_id=event.event_id,
        key=event.key,
        payload=event.payload,
        event_timestamp=datetime.fromtimestamp(timestamp_ms(event.event_timestamp) / 1000, UTC),
        additional_metadata=event.additional_metadata or item.metadata or None,
        scope=event.scope or item.scope,
    )


def all_pushed(answer: Any, items: Sequence[PushItem]) -> list[Pushed]:
    return [pushed(event, item) for event, item in zip(answer.events, items, strict=True)]
