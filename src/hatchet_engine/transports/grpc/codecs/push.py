"""Events that programs push (B15.1, E-1 to E-4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from hatchet_engine.domain.errors import Refused, invalid
from hatchet_engine.domain.payloads import check_object
from hatchet_engine.domain.states import PRIORITY_MAX, PRIORITY_MIN
from hatchet_engine.transports.grpc.settings import WireLimits
from hatchet_engine.turn.commands import NewEvent, PushedEvent
from hatchet_protocol.events import Event, Events, PushEventRequest
from hatchet_protocol.times import set_timestamp

BULK_EVENTS_MAX = 1_000


def new_event(request: PushEventRequest, limits: WireLimits) -> NewEvent:
    """Raises ``Refused`` naming the field. The client's timestamp means nothing (E-3)."""
    if not request.key:
        raise invalid("key: is required", field="key")
    event = NewEvent(
        _text(request.key, "key"),
        check_object(request.payload, "payload", limits.payload_bytes_max),
        scope=_text(request.scope, "scope") or None,
    )
    metadata = request.additional_metadata
    if metadata:
        event.metadata = check_object(metadata, "additional_metadata", limits.metadata_bytes_max)
    if request.HasField("priority"):
        event.priority = request.priority
        if not PRIORITY_MIN <= event.priority <= PRIORITY_MAX:
            raise invalid(
                f"priority: must be {PRIORITY_MIN} to {PRIORITY_MAX}, got {event.priority}",
                field="priority",
            )
    return event


def new_events(requests: Sequence[PushEventRequest], limits: WireLimits) -> list[NewEvent]:
    """Of a bulk call: one bad event refuses all, and the refusal says which it is."""
    if not 1 <= len(requests) <= BULK_EVENTS_MAX:
        raise invalid(
            f"events: must be 1 to {BULK_EVENTS_MAX} events, got {len(requests)}; split the call",
            field="events",
        )
    events = []
    for index, request in enumerate(requests):
        try:
            events.append(new_event(request, limits))
        except Refused as refused:
            raise of_event(refused, index) from None
    return events


def of_event(refused: Refused, index: int) -> Refused:
    """The same refusal, saying which event of a bulk call it is about."""
    return Refused(
        refused.code, f"events[{index}]: {refused.message}", field=refused.field, index=index
    )


def event(tenant_id: UUID, sent: PushEventRequest, pushed: PushedEvent) -> Event:
    """The reply: what was sent, with the id and the engine's time; no scope (E-1)."""
    answer = Event(
        tenant_id=str(tenant_id),
        event_id=str(pushed.id),
        key=sent.key,
        payload=sent.payload or "{}",
    )
    set_timestamp(answer.event_timestamp, pushed.seen_ms)
    if sent.HasField("additional_metadata"):
        answer.additional_metadata = sent.additional_metadata
    return answer


def events(
    tenant_id: UUID, sent: Iterable[PushEventRequest], pushed: Iterable[PushedEvent]
) -> Events:
    return Events(
        events=[event(tenant_id, one, made) for one, made in zip(sent, pushed, strict=True)]
    )


def _text(text: str, field: str) -> str:
    if "\x00" in text:
        raise invalid(f"{field}: holds the null character; remove it", field=field)
    return text
