from hatchet.features.models import V1TaskSummaryList

__all__ = ["V1TaskSummaryList"]
