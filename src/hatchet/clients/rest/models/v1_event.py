from hatchet.features.event_models import V1Event

__all__ = ["V1Event"]
