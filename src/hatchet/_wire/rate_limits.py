"""Messages about rate limits."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hatchet_protocol.times import new_timestamp, timestamp_ms
from hatchet_protocol.workflows import (
    PauseRateLimitRequest,
    PutRateLimitRequest,
    RateLimitDuration,
)

PUT_PATH = "/WorkflowService/PutRateLimit"
PAUSE_PATH = "/WorkflowService/PauseRateLimit"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def put_request(key: str, limit: int, window: str) -> PutRateLimitRequest:
    return PutRateLimitRequest(key=key, limit=limit, duration=RateLimitDuration[window])


def pause_request(key: str, until: datetime) -> PauseRateLimitRequest:
    """A naive time is UTC. Rounded up to the millisecond: the pause never ends too early."""
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    until_ms = -((_EPOCH - aware) // _MILLISECOND)
    return PauseRateLimitRequest(key=key, paused_until=new_timestamp(until_ms))


def paused_until(answer: Any) -> datetime:
    """The end of the pause that is in force, in UTC."""
    return _EPOCH + timedelta(milliseconds=timestamp_ms(answer.paused_until))
