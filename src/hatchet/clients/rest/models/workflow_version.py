from hatchet.features.models import WorkflowVersion

__all__ = ["WorkflowVersion"]
