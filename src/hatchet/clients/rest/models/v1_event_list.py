from hatchet.features.event_models import V1EventList

__all__ = ["V1EventList"]
