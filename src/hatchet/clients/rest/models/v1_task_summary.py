from hatchet.features.models import V1TaskSummary

__all__ = ["V1TaskSummary"]
