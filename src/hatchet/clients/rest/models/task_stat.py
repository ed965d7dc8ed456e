from hatchet.features.flow_models import TaskStat

__all__ = ["TaskStat"]
