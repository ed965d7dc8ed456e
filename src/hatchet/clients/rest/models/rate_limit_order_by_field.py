from hatchet.features.flow_models import RateLimitOrderByField

__all__ = ["RateLimitOrderByField"]
