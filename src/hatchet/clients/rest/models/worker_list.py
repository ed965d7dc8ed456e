from hatchet.features.models import WorkerList

__all__ = ["WorkerList"]
