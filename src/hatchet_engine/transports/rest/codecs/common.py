"""Small translations that all codecs use."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from hatchet_engine.transports.rest.schemas.common import APIResourceMeta

_NUMBER_BITS = 52


def meta(id: UUID, created_at: datetime, updated_at: datetime | None = None) -> APIResourceMeta:
    return APIResourceMeta(id=str(id), created_at=created_at, updated_at=updated_at or created_at)


def optional(id: UUID | None) -> str | None:
    return None if id is None else str(id)


def number(id: UUID) -> int:
    """An integer for clients that want one beside the id: its random bits, as many as JavaScript
    holds exactly."""
    return id.int & ((1 << _NUMBER_BITS) - 1)
