from enum import IntEnum

__all__ = ["Priority"]


class Priority(IntEnum):
    """Order in the queue: higher runs first. Default: LOW."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
