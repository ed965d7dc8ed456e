from hatchet.features.models import Worker

__all__ = ["Worker"]
