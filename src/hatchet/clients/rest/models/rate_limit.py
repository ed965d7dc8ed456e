from hatchet.features.flow_models import RateLimit

__all__ = ["RateLimit"]
