from hatchet.features.event_models import V1Filter

__all__ = ["V1Filter"]
