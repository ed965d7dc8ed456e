from hatchet.features.schedule_models import CronWorkflowsMethod

__all__ = ["CronWorkflowsMethod"]
