from hatchet.features.schedule_models import CronWorkflowsList

__all__ = ["CronWorkflowsList"]
