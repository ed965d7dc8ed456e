"""Names that programs import from the official SDK's module of this name."""

from hatchet.types.labels import DesiredWorkerLabel, WorkerLabel

__all__ = ["DesiredWorkerLabel", "WorkerLabel"]
