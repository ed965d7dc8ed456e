from hatchet.features.event_models import V1EventTriggeredRun

__all__ = ["V1EventTriggeredRun"]
