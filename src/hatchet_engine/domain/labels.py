"""Worker labels: what a worker offers and what a task or run desires (RO-*, B3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

LabelValue = str | int

DEFAULT_WEIGHT = 100
SIGNS = ("=", "!=", ">", ">=", "<", "<=")  # by comparator


class Comparator(IntEnum):
    EQUAL = 0
    NOT_EQUAL = 1
    GREATER_THAN = 2
    GREATER_THAN_OR_EQUAL = 3
    LESS_THAN = 4
    LESS_THAN_OR_EQUAL = 5


@dataclass(slots=True, frozen=True)
class DesiredLabel:
    value: LabelValue
    required: bool = False
    comparator: Comparator = Comparator.EQUAL
    weight: int = DEFAULT_WEIGHT

    @property
    def text(self) -> str:
        """For people.

        >>> DesiredLabel(80, comparator=Comparator.GREATER_THAN_OR_EQUAL).text
        '>= 80'
        """
        return f"{SIGNS[self.comparator]} {self.value}"

    def met_by(self, offered: LabelValue | None) -> bool:
        """Whether a worker's value satisfies this; values of the other type never do."""
        wanted = self.value
        if offered is None or isinstance(offered, str) != isinstance(wanted, str):
            return False
        if self.comparator is Comparator.EQUAL:
            return offered == wanted
        if self.comparator is Comparator.NOT_EQUAL:
            return offered != wanted
        if isinstance(offered, str) or isinstance(wanted, str):
            return False  # strings know no order here
        if self.comparator is Comparator.GREATER_THAN:
            return offered > wanted
        if self.comparator is Comparator.GREATER_THAN_OR_EQUAL:
            return offered >= wanted
        if self.comparator is Comparator.LESS_THAN:
            return offered < wanted
        return offered <= wanted


def score(desired: Mapping[str, DesiredLabel], offered: Mapping[str, LabelValue]) -> int | None:
    """Sum of the weights of all satisfied labels, or None when a required one is not met or the
    sum is negative: such a worker is not taken at all (RO-4)."""
    total = 0
    for key, label in desired.items():
        if label.met_by(offered.get(key)):
            total += label.weight
        elif label.required:
            return None
    return total if total >= 0 else None


def unmet(desired: Mapping[str, DesiredLabel], offered: Mapping[str, LabelValue]) -> list[str]:
    """Keys of required labels that a worker does not satisfy."""
    return [
        key
        for key, label in desired.items()
        if label.required and not label.met_by(offered.get(key))
    ]


def lacking(desired: Mapping[str, DesiredLabel], offered: Mapping[str, LabelValue]) -> list[str]:
    """Which required labels a worker does not meet, in words; what it has is put in brackets.

    >>> lacking({"cores": DesiredLabel(8, True, Comparator.GREATER_THAN)}, {"cores": 4})
    ['cores > 8 (has 4)']
    """
    return [
        f"{key} {desired[key].text} "
        + (f"(has {offered[key]})" if key in offered else "(has none)")
        for key in unmet(desired, offered)
    ]
