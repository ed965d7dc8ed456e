from enum import StrEnum

__all__ = ["StickyStrategy"]


class StickyStrategy(StrEnum):
    """Whether the tasks of one run stay on one worker.

    SOFT prefers the worker of the first task; HARD waits for it.
    """

    SOFT = "SOFT"
    HARD = "HARD"
