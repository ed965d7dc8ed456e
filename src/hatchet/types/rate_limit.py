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
    """Units that each attempt of a task takes from a budget as it gets its worker.

    - `static_key`: a limit made with `hatchet.rate_limits.put`; or
    - `dynamic_key`: CEL that gives the key (over `input`, `additional_metadata`), with a `limit`
    - `units` (1): a number, 0 or more, or CEL that gives one
    - `limit`: units per window, a number or CEL; sets the limit of the key
    - `duration` (MINUTE): the window

    A task for which there are not enough units waits, without holding up others. Several limits
    of a task are taken together or not at all. Raises `ValueError` (pydantic's `ValidationError`)
    naming the field.

        RateLimit(static_key="mail-api", units=1)
        RateLimit(dynamic_key="input.user_id", limit=10, duration=RateLimitDuration.MINUTE)
    """

    static_key: str | None = None
    dynamic_key: str | None = None
    units: int | str = 1
    limit: int | str | None = None
    duration: RateLimitDuration = RateLimitDuration.MINUTE

    @model_validator(mode="after")
    def _check(self) -> "RateLimit":
        if (self.static_key is None) == (self.dynamic_key is None):
            raise ValueError("a rate limit needs either static_key or dynamic_key")
        for field in ("static_key", "dynamic_key", "units", "limit"):
            value = getattr(self, field)
            if isinstance(value, str) and not value.strip():
                raise ValueError(f"{field} must not be blank")
        if self.dynamic_key is not None and self.limit is None:
            raise ValueError("limit: a rate limit with dynamic_key needs one, as units per window")
        if isinstance(self.units, int) and self.units < 0:
            raise ValueError(f"units must not be negative, but is {self.units}")
        # -1 stands for "as it is", in the official SDK too.
        if isinstance(self.limit, int) and self.limit < -1:
            raise ValueError(f"limit must not be negative, but is {self.limit}")
        return self
