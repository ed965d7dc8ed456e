"""What a concurrency limit belongs to: rules of one scope count together (CON-3).

A limit outlives versions: re-registering a workflow keeps its scope, so that runs of the old and
of the new version share the places. A change of the expression is another limit.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple
from uuid import UUID

from hatchet_engine.domain.definition import ConcurrencyRule


class Scope(NamedTuple):
    """``text`` is unique in the tenant."""

    text: str
    workflow_id: UUID | None  # None: shared by workflows of the tenant
    task: str | None  # None: of the whole run


def scope_of(rule: ConcurrencyRule, workflow_id: UUID, task: str | None, position: int) -> Scope:
    """``position``: among the equal rules of one task or workflow; they are different limits."""
    if rule.tenant_scoped:
        return Scope(f"tenant:{rule.name}", None, None)
    print_ = hashlib.sha256(rule.expression.encode()).hexdigest()[:16]
    text = f"{workflow_id}:{task or ''}:{print_}"
    if position:
        text += f":{position}"
    return Scope(text, workflow_id, task)
