"""Rate limits."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from hatchet_engine.transports.rest.parameters import Text
from hatchet_engine.transports.rest.schemas.common import PaginationResponse, Schema

LIMIT_MAX = 2**31 - 1  # as over gRPC


class RateLimit(Schema):
    key: str
    tenant_id: str
    limit_value: int  # units per window
    value: int  # units left now
    window: str  # such as "1 MINUTE"
    last_refill: datetime
    is_paused: bool  # no units until the pause ends; an addition to the official API
    paused_until: datetime | None = None  # absent: not paused, or until somebody resumes it


class RateLimitList(Schema):
    pagination: PaginationResponse
    rows: list[RateLimit]


class Window(StrEnum):
    SECOND = "SECOND"
    MINUTE = "MINUTE"
    HOUR = "HOUR"
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    YEAR = "YEAR"


class PutRateLimitRequest(Schema):
    """An addition to the official API."""

    key: Text
    limit: Annotated[int, Field(ge=0, le=LIMIT_MAX)]  # units per window
    window: Window = Window.SECOND


class RateLimitOrderByField(StrEnum):
    KEY = "key"
    VALUE = "value"
    LIMIT_VALUE = "limitValue"


class RateLimitOrderByDirection(StrEnum):
    ASC = "asc"
    DESC = "desc"
