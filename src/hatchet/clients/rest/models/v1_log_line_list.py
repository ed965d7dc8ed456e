from hatchet.features.models import V1LogLineList

__all__ = ["V1LogLineList"]
