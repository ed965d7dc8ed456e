from hatchet.features.schedule_models import CronWorkflows

__all__ = ["CronWorkflows"]
