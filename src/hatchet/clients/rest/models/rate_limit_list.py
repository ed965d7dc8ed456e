from hatchet.features.flow_models import RateLimitList

__all__ = ["RateLimitList"]
