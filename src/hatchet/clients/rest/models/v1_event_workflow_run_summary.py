from hatchet.features.event_models import V1EventWorkflowRunSummary

__all__ = ["V1EventWorkflowRunSummary"]
