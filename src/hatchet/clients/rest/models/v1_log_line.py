from hatchet.features.models import V1LogLine

__all__ = ["V1LogLine"]
