from hatchet.features.models import V1TaskStatus

__all__ = ["V1TaskStatus"]
