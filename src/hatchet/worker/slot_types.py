from hatchet.types.slot_types import SlotType

__all__ = ["SlotType"]
