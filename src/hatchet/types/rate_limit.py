from enum import StrEnum

from pydantic import BaseModel, model_validator

__all__ = ["RateLimit", "RateLimitDuration"]


class RateLimitDuration(StrEnum):
    """The window after which a rate limit is full again."""

    SECOND = "SECOND"
    MINUTE = "MINUTE"
    HOUR = "HOUR"
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    YEAR = "YEAR"


class RateLimit(BaseModel):
    """Units that one attempt of a task takes from a shared budget.

    `static_key` names a limit created with `hatchet.rate_limits.put`; `dynamic_key` is a CEL
    expression and needs `limit`. Exactly one of the two.
    """

    static_key: str | None = None
    dynamic_key: str | None = None
    units: int | str = 1
    limit: int | str | None = None
    duration: RateLimitDuration = RateLimitDuration.MINUTE

    @model_validator(mode="after")
    def _check_keys(self) -> "RateLimit":
        if (self.static_key is None) == (self.dynamic_key is None):
            raise ValueError("a rate limit needs either static_key or dynamic_key")
        if self.dynamic_key is not None and self.limit is None:
            raise ValueError("a rate limit with dynamic_key needs limit")
        return self
