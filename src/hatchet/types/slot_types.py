from enum import StrEnum

__all__ = ["SlotType"]


class SlotType(StrEnum):
    """The pools of a worker's slots: ordinary tasks and durable tasks."""

    DEFAULT = "default"
    DURABLE = "durable"
