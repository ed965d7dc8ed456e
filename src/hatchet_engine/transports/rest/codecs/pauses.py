"""Pauses as the API shows them: with the names of what they are about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

import asyncpg

from hatchet_engine.domain.durations import format_ms
from hatchet_engine.observe import concurrency, workers, workflows
from hatchet_engine.observe.times import from_ms
from hatchet_engine.transports.rest.codecs.common import optional
from hatchet_engine.transports.rest.schemas.pauses import Pause, PauseKindName
from hatchet_engine.turn.commands import PausedThing, PauseKind

KINDS = {name: PauseKind[name.value] for name in PauseKindName}


async def pauses_shown(pool: asyncpg.Pool, pauses: Sequence[PausedThing]) -> list[Pause]:
    """All of one tenant."""
    if not pauses:
        return []
    tenant_id = pauses[0].tenant_id
    names = await workflows.names_by_ids(pool, tenant_id, _workflow_ids(pauses))
    limits = await concurrency.limits_get(
        pool,
        tenant_id,
        (
            concurrency.read_line(pause.target)[0]
            for pause in pauses
            if pause.kind is PauseKind.CONCURRENCY_KEY
        ),
    )
    paused = [UUID(pause.target) for pause in pauses if pause.kind is PauseKind.WORKER]
    names |= await workers.names_by_ids(pool, tenant_id, paused)
    return [_shown(pause, names, limits) for pause in pauses]


def _workflow_ids(pauses: Iterable[PausedThing]) -> list[UUID]:
    return [UUID(pause.target) for pause in pauses if pause.kind is PauseKind.WORKFLOW]


def _shown(
    pause: PausedThing, names: dict[UUID, str], limits: dict[int, concurrency.LimitRow]
) -> Pause:
    shown = Pause(
        kind=PauseKindName(pause.kind.name),
        target=pause.target,
        since=from_ms(pause.since_ms),
        until=None if pause.until_ms is None else from_ms(pause.until_ms),
        by=pause.by,
        reason=pause.reason,
        queue_ttl=None if pause.queue_ttl_ms is None else format_ms(pause.queue_ttl_ms),
    )
    if pause.kind is PauseKind.WORKFLOW:
        shown.workflow_id = pause.target
        shown.workflow_name = names.get(UUID(pause.target))
    elif pause.kind is PauseKind.WORKER:
        shown.worker_id = pause.target
        shown.worker_name = names.get(UUID(pause.target))
    elif pause.kind is PauseKind.RATE_LIMIT:
        shown.key = pause.target
    elif pause.kind is PauseKind.CONCURRENCY_KEY:
        limit_id, shown.key = concurrency.read_line(pause.target)
        limit = limits.get(limit_id)
        if limit is not None:
            shown.workflow_id = optional(limit.workflow_id)
            shown.workflow_name, shown.task_name = limit.workflow, limit.task
            shown.name, shown.expression = limit.name, limit.expression
    return shown
