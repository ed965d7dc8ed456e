from hatchet.features.schedule_models import CronWorkflowsOrderByField

__all__ = ["CronWorkflowsOrderByField"]
