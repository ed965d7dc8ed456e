from hatchet.features.schedule_models import ScheduledRunStatus

__all__ = ["ScheduledRunStatus"]
