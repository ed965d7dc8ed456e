"""Rate limits of service WorkflowService (B16)."""

from __future__ import annotations

from hatchet_engine.domain.errors import invalid
from hatchet_engine.observe.times import LATEST_MS
from hatchet_engine.transports.grpc.caller import Caller
from hatchet_engine.transports.grpc.codecs.registration import enum_name
from hatchet_engine.turn.commands import PauseRateLimit, PutRateLimit
from hatchet_protocol.times import new_timestamp, timestamp_ms
from hatchet_protocol.workflows import (
    PauseRateLimitRequest,
    PauseRateLimitResponse,
    PutRateLimitRequest,
    PutRateLimitResponse,
    RateLimitDuration,
)


async def put_rate_limit(caller: Caller, request: PutRateLimitRequest) -> PutRateLimitResponse:
    window = enum_name(RateLimitDuration, request.duration)
    key = _key(request.key)
    await caller.engine.submit(PutRateLimit(caller.tenant_id, key, request.limit, window))
    return PutRateLimitResponse()


async def pause_rate_limit(
    caller: Caller, request: PauseRateLimitRequest
) -> PauseRateLimitResponse:
    if not request.HasField("paused_until"):
        raise invalid("paused_until: is required", field="paused_until")
    until_ms = timestamp_ms(request.paused_until)
    if not 0 <= until_ms <= LATEST_MS:
        raise invalid("paused_until: must be between the years 1970 and 9999", field="paused_until")
    command = PauseRateLimit(caller.tenant_id, _key(request.key), until_ms)
    return PauseRateLimitResponse(paused_until=new_timestamp(await caller.engine.submit(command)))


def _key(key: str) -> str:
    if "\x00" in key:
        raise invalid("key: holds the null character; remove it", field="key")
    return key
