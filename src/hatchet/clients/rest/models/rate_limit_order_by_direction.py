from hatchet.features.flow_models import RateLimitOrderByDirection

__all__ = ["RateLimitOrderByDirection"]
