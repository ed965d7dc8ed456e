"""What one task asks for beyond its definition, before it may run on a worker.

Made when the task begins, from what the caller gave (worker, labels) and from the expressions of
its definition (concurrency keys, rate limits); kept with the task's hot row, so that a retry asks
for the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from hatchet_engine.domain.labels import Comparator, DesiredLabel

DEMANDS_KEPT_MAX = 10_000  # different ones that are remembered as read


class Place(NamedTuple):
    """A key under a concurrency rule, and how many may hold it at once."""

    key: str
    max_runs: int


class Units(NamedTuple):
    """Units of one rate limit."""

    key: str
    units: int


class Demand:
    """Immutable. ``places`` has one entry for each concurrency rule, in the order of the rules.

    >>> demand = Demand(units=(Units("api", 2),))
    >>> Demand.read(demand.text).units
    (Units(key='api', units=2),)
    """

    __slots__ = ("_text", "group", "labels", "places", "size", "units", "worker_id")

    def __init__(
        self,
        *,
        worker_id: UUID | None = None,
        labels: Mapping[str, DesiredLabel] | None = None,
        places: tuple[Place, ...] = (),
        units: tuple[Units, ...] = (),
        group: str | None = None,
        size: int = 0,
        text: str | None = None,
    ) -> None:
        self.worker_id = worker_id
        self.labels = dict(labels) if labels else None  # they replace those of the task (RO-7)
        self.places = places
        self.units = units
        self.group = group  # of a batch task
        self.size = size  # of a batch task: bytes of its start payload
        self._text = text

    @property
    def text(self) -> str:
        """As stored: JSON object text."""
        if self._text is None:
            data: dict[str, Any] = {}
            if self.worker_id is not None:
                data["worker_id"] = str(self.worker_id)
            if self.labels:
                data["labels"] = self.labels
            if self.places:
                data["places"] = [list(place) for place in self.places]
            if self.units:
                data["units"] = [list(units) for units in self.units]
            if self.group is not None:
                data["group"] = self.group
                data["size"] = self.size
            self._text = orjson.dumps(data).decode()
        return self._text

    @staticmethod
    @lru_cache(maxsize=DEMANDS_KEPT_MAX)
    def read(text: str) -> Demand:
        """Read back what :attr:`text` gave. Many tasks ask for the same, so they share it."""
        data: dict[str, Any] = orjson.loads(text)
        worker_id = data.get("worker_id")
        return Demand(
            worker_id=UUID(worker_id) if worker_id else None,
            labels={key: _label(label) for key, label in data.get("labels", {}).items()},
            places=tuple(Place(*place) for place in data.get("places", ())),
            units=tuple(Units(*units) for units in data.get("units", ())),
            group=data.get("group"),
            size=data.get("size", 0),
            text=text,
        )


def read_demand(text: str | None) -> Demand | None:
    return None if text is None else Demand.read(text)


def text_of(demand: Demand | None) -> str | None:
    return None if demand is None else demand.text


def _label(data: dict[str, Any]) -> DesiredLabel:
    return DesiredLabel(
        value=data["value"],
        required=data["required"],
        comparator=Comparator(data["comparator"]),
        weight=data["weight"],
    )
