"""Rate limits."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from hatchet_engine.transports.rest.schemas.common import PaginationResponse, Schema


class RateLimit(Schema):
    key: str
    tenant_id: str
    limit_value: int  # units per window
    value: int  # units left now
    window: str  # such as "1 MINUTE"
    last_refill: datetime
    paused_until: datetime | None = None  # no units before


class RateLimitList(Schema):
    pagination: PaginationResponse
    rows: list[RateLimit]


class RateLimitOrderByField(StrEnum):
    KEY = "key"
    VALUE = "value"
    LIMIT_VALUE = "limitValue"


class RateLimitOrderByDirection(StrEnum):
    ASC = "asc"
    DESC = "desc"
