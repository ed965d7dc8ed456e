from hatchet.features.models import ConcurrencySetting

__all__ = ["ConcurrencySetting"]
