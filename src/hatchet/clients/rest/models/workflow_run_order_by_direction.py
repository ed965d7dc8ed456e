from hatchet.features.schedule_models import WorkflowRunOrderByDirection

__all__ = ["WorkflowRunOrderByDirection"]
