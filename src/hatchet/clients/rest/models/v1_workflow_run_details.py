from hatchet.features.models import V1WorkflowRunDetails

__all__ = ["V1WorkflowRunDetails"]
