from hatchet.features.flow_models import ConcurrencyStat

__all__ = ["ConcurrencyStat"]
