"""Workers: list, get, pause."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from hatchet_engine.observe import workers, workflows
from hatchet_engine.observe.pauses import pauses_on
from hatchet_engine.transports.rest import pagination
from hatchet_engine.transports.rest.codecs import workers as codec
from hatchet_engine.transports.rest.errors import not_found
from hatchet_engine.transports.rest.parameters import Limit, Offset, page_of, strict_pairs_of
from hatchet_engine.transports.rest.responses import answer
from hatchet_engine.transports.rest.schemas.workers import (
    UpdateWorkerRequest,
    Worker,
    WorkerList,
    WorkerStatus,
)
from hatchet_engine.transports.rest.scope import Caller, InTenant, Scope
from hatchet_engine.turn.commands import Pause, PauseKind, Resume

LIMIT_DEFAULT = workers.WORKERS_MAX

router = APIRouter(tags=["workers"])
_WORKER = "/api/v1/workers/{worker}"


@router.get(
    "/api/v1/tenants/{tenant}/worker", operation_id="worker:list", response_model=WorkerList
)
async def worker_list(
    scope: InTenant,
    offset: Offset = 0,
    limit: Limit = LIMIT_DEFAULT,
    statuses: Annotated[list[WorkerStatus] | None, Query(max_length=100)] = None,
    labels: Annotated[
        list[str] | None, Query(max_length=100, description="key:value; all must match.")
    ] = None,
) -> Response:
    """Workers with a sign of life in the last 24 hours, newest first."""
    offset, limit = page_of(offset, limit, LIMIT_DEFAULT)
    wanted = strict_pairs_of(labels, "labels")
    now_ms = scope.engine.clock.now_ms()
    # Whether a worker is active only the engine knows, so the page is cut here.
    shown = []
    for row in await workers.worker_list(scope.engine.read_pool, scope.tenant_id, now_ms):
        if all(key in row.labels and str(row.labels[key]) == value for key, value in wanted):
            worker = codec.worker(row, scope.engine.worker_live(row.id), now_ms)
            if not statuses or worker.status in statuses:
                shown.append(worker)
    page = shown[offset : offset + limit]
    return answer(WorkerList(pagination=pagination.capped(offset, limit, len(shown)), rows=page))


@router.get(_WORKER, operation_id="worker:get", response_model=Worker)
async def worker_get(scope: Caller, worker: UUID) -> Response:
    """A worker with the workflows it serves."""
    return answer(await _shown(scope, worker))


@router.patch(_WORKER, operation_id="worker:update", response_model=Worker)
async def worker_update(scope: Caller, worker: UUID, body: UpdateWorkerRequest) -> Response:
    """Pause or resume a worker. A paused one gets nothing new; what it runs goes on. A pause that
    is on stays as it is: ``POST .../pauses`` says who, why and until when."""
    thing = PauseKind.WORKER, str(worker)
    if body.is_paused is False:
        await scope.engine.submit(Resume(scope.tenant_id, *thing))
    elif body.is_paused and not await pauses_on(scope.engine.read_pool, scope.tenant_id, [thing]):
        await scope.engine.submit(Pause(scope.tenant_id, *thing))
    return answer(await _shown(scope, worker))


async def _shown(scope: Scope, worker_id: UUID) -> Worker:
    pool = scope.engine.read_pool
    row = await workers.worker_get(pool, scope.tenant_id, worker_id)
    if row is None:
        raise not_found(f"worker {worker_id}")
    served = await workflows.names_by_actions(pool, scope.tenant_id, row.actions)
    live = scope.engine.worker_live(worker_id)
    return codec.worker(row, live, scope.engine.clock.now_ms(), served)
