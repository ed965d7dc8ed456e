from hatchet.features.models import UpdateWorkerRequest

__all__ = ["UpdateWorkerRequest"]
