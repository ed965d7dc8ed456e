from hatchet.features.event_models import V1UpdateFilterRequest

__all__ = ["V1UpdateFilterRequest"]
