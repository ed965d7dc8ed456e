from hatchet.features.schedule_models import ScheduledWorkflows

__all__ = ["ScheduledWorkflows"]
