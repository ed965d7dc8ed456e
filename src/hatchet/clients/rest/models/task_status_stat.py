from hatchet.features.flow_models import TaskStatusStat

__all__ = ["TaskStatusStat"]
