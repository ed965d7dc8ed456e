from datetime import timedelta

from pydantic import BaseModel

__all__ = ["StatusBasedIdempotencyConfig", "TTLBasedIdempotencyConfig"]


class TTLBasedIdempotencyConfig(BaseModel):
    """At most one run for each key within `ttl`. `key_expression` is CEL over the input."""

    key_expression: str
    ttl: timedelta


class StatusBasedIdempotencyConfig(BaseModel):
    """At most one unfinished run for each key; the key is also freed after `fallback_ttl`."""

    key_expression: str
    fallback_ttl: timedelta
