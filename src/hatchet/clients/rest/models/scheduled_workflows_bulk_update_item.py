from hatchet.features.schedule_models import ScheduledWorkflowsBulkUpdateItem

__all__ = ["ScheduledWorkflowsBulkUpdateItem"]
