"""Operations on many runs that are not done yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from hatchet_engine.turn.commands import RunFilter


@dataclass(slots=True)
class Operation:
    """One that is not done; ``cursor``: the last run looked at."""

    id: UUID
    tenant_id: UUID
    kind: str
    filter: RunFilter
    children: bool
    reason: str
    cursor: UUID | None
    total: int
    done: int
    changed: int


def operation_from_row(row: Any) -> Operation:
    return Operation(
        row["id"],
        row["tenant_id"],
        row["kind"],
        _filter(orjson.loads(row["filter"])),
        row["children"],
        row["reason"] or "",
        row["cursor"],
        row["total"],
        row["done"],
        row["changed"],
    )


def _filter(data: dict[str, Any]) -> RunFilter:
    return RunFilter(
        data["since_ms"],
        data["until_ms"],
        data["statuses"],
        [UUID(text) for text in data["workflow_ids"]],
        [(key, value) for key, value in data["metadata"]],
    )
