"""The rules of selecting runs for cancel and replay (CX-1, CX-2)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from hatchet_engine.domain.errors import invalid
from hatchet_engine.turn.commands import RunFilter


def check_selection(ids: Sequence[UUID], filter: RunFilter | None, ids_max: int) -> None:
    """Ids or a filter, not both; neither selects nothing."""
    if ids and filter is not None:
        raise invalid("give external_ids or a filter, not both", field="filter")
    if len(ids) > ids_max:
        raise invalid(
            f"external_ids: {len(ids)} ids in one call, the limit is {ids_max}; split the call",
            field="external_ids",
        )
