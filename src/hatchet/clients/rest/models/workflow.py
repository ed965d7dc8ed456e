from hatchet.features.models import Workflow

__all__ = ["Workflow"]
