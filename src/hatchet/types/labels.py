from enum import IntEnum

from pydantic import BaseModel

__all__ = ["DesiredWorkerLabel", "WorkerLabel", "WorkerLabelComparator"]


class WorkerLabelComparator(IntEnum):
    """How a worker's label is compared with the wanted value."""

    EQUAL = 0
    NOT_EQUAL = 1
    GREATER_THAN = 2
    GREATER_THAN_OR_EQUAL = 3
    LESS_THAN = 4
    LESS_THAN_OR_EQUAL = 5


class WorkerLabel(BaseModel):
    """A property of a worker, by which tasks can choose it."""

    key: str | None = None
    value: str | int


class DesiredWorkerLabel(WorkerLabel):
    """What a task wants of its worker: a must if `required`, else a preference by `weight`.

    Defaults in the engine: weight 100, comparator EQUAL.
    """

    required: bool = False
    weight: int | None = None
    comparator: WorkerLabelComparator | int | None = None
