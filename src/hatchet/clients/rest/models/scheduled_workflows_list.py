from hatchet.features.schedule_models import ScheduledWorkflowsList

__all__ = ["ScheduledWorkflowsList"]
