"""Names that programs import from the official SDK's module of this name."""

from hatchet.types.rate_limit import RateLimit, RateLimitDuration

__all__ = ["RateLimit", "RateLimitDuration"]
