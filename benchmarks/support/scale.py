"""How much a run measures: all of it, or a quick look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scale:
    """`quick` trades precision for time: the whole bench then takes under two minutes."""

    quick: bool

    def pick(self, full: T, quick: T) -> T:
        return quick if self.quick else full
