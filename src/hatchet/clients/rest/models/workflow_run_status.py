from hatchet.features.schedule_models import WorkflowRunStatus

__all__ = ["WorkflowRunStatus"]
