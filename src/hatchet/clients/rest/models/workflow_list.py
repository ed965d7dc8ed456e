from hatchet.features.models import WorkflowList

__all__ = ["WorkflowList"]
