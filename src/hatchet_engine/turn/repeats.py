"""Calls that are sent again, because the connection broke before their answers (decision 9).

A call has a random number, its origin; the n-th run that it creates is stored with origin + n. A
repeat says how long ago the call was first sent, and the runs of that time are searched for its
origins. Nothing but the number is stored, and nothing is looked for in calls that are no repeats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from hatchet_engine.domain import ids
from hatchet_engine.store import history

if TYPE_CHECKING:
    from hatchet_engine.turn.commands import TriggerRuns
    from hatchet_engine.turn.plan import Plan

CLOCK_MARGIN_MS = 10_000  # clocks of two nodes may differ, and clients round


class Repeats:
    """What a turn knows of runs that repeated calls have created before."""

    def __init__(self) -> None:
        self._made: dict[tuple[UUID, int], UUID] = {}  # (tenant, origin) -> run
        self._seen = 0  # new runs of this turn that are in it

    async def read(
        self, connection: asyncpg.Connection, now_ms: int, triggers: Sequence[TriggerRuns]
    ) -> None:
        """Look for the runs of all repeats of a turn, in one read for each tenant."""
        wanted: dict[UUID, list[int]] = {}
        longest_ms = 0
        for command in triggers:
            if command.resent_ms is not None and command.origin is not None:
                origins = range(command.origin, command.origin + len(command.items))
                wanted.setdefault(command.tenant_id, []).extend(origins)
                longest_ms = max(longest_ms, command.resent_ms)
        since = ids.lowest(max(0, now_ms - longest_ms - CLOCK_MARGIN_MS))
        for tenant_id, origins_of_all in wanted.items():
            for row in await history.task_by_origin(connection, tenant_id, since, origins_of_all):
                self._made[tenant_id, row["origin"]] = row["id"]

    def of(self, plan: Plan, command: TriggerRuns) -> dict[int, UUID]:
        """The runs of a repeat that exist, by position of their items; also when the first call
        came in this very turn."""
        if command.origin is None:
            return {}
        for task in plan.tasks[self._seen :]:
            if task.origin is not None:
                self._made[task.step.version.tenant_id, task.origin] = task.id
        self._seen = len(plan.tasks)
        found = {}
        for index in range(len(command.items)):
            run_id = self._made.get((command.tenant_id, command.origin + index))
            if run_id is not None:
                found[index] = run_id
        return found
