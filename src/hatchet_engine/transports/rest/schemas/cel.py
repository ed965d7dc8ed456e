"""Trying out an expression."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from hatchet_engine.transports.rest.schemas.common import Schema


class V1CELDebugRequest(Schema):
    """``event_key`` and ``event_id`` are ours: without them an expression that uses them fails."""

    expression: str
    input: dict[str, Any]
    filter_payload: dict[str, Any] | None = None
    additional_metadata: dict[str, Any] | None = None
    event_key: str | None = None
    event_id: str | None = None


class V1CELDebugResponseStatus(StrEnum):
    SUCCESS = "SUCCESS"
    ERROR = "ERROR"


class V1CELDebugResponse(Schema):
    status: V1CELDebugResponseStatus
    output: bool | None = None
    error: str | None = None
