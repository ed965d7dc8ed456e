from hatchet.features.event_models import V1FilterList

__all__ = ["V1FilterList"]
