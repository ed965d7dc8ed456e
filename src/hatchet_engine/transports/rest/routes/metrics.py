"""Counts for clients, autoscalers and charts."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from hatchet_engine.domain.errors import invalid
from hatchet_engine.domain.states import Status
from hatchet_engine.observe import metrics
from hatchet_engine.observe.run_query import RunQuery
from hatchet_engine.observe.times import from_ms
from hatchet_engine.observe.workers import worker_list
from hatchet_engine.transports.rest.exposition import Gauges
from hatchet_engine.transports.rest.parameters import Instant, Pairs, UuidList, pairs_of
from hatchet_engine.transports.rest.responses import JsonResponse, answer, encode
from hatchet_engine.transports.rest.schemas.metrics import (
    ConcurrencyStat,
    TaskStat,
    TaskStatusStat,
    TenantStepRunQueueMetrics,
    V1RunningDetailCount,
    V1TaskPointMetric,
    V1TaskPointMetrics,
    V1TaskRunMetric,
)
from hatchet_engine.transports.rest.schemas.runs import V1TaskStatus
from hatchet_engine.transports.rest.scope import InTenant

TASK_NAMES_MAX = 1_000

router = APIRouter(tags=["metrics"])
_STABLE = "/api/v1/stable/tenants/{tenant}"
_TENANT = "/api/v1/tenants/{tenant}"


@router.get(
    f"{_STABLE}/task-metrics",
    operation_id="v1-task:list:status-metrics",
    response_model=list[V1TaskRunMetric],
)
async def run_status_counts(
    scope: InTenant,
    since: Instant,
    until: Instant | None = None,
    workflow_ids: UuidList = None,
    parent_task_external_id: UUID | None = None,
    triggering_event_external_id: UUID | None = None,
    additional_metadata: Pairs = None,
) -> Response:
    """Runs of a time window by status; always all five, in alphabetical order."""
    query = RunQuery(
        tenant_id=scope.tenant_id,
        since=since,
        until=until,
        workflow_ids=tuple(workflow_ids or ()),
        parent_task_id=parent_task_external_id,
        event_id=triggering_event_external_id,
        metadata=pairs_of(additional_metadata),
    )
    counts = await metrics.status_counts(scope.engine.read_pool, query)
    entries = []
    for status in sorted(Status, key=lambda status: status.name):
        count = counts[status]
        detail = None
        if status is Status.RUNNING:
            detail = V1RunningDetailCount(evicted=0, on_worker=count)
        entries.append(
            V1TaskRunMetric(
                status=V1TaskStatus(status.name), count=count, running_detail_count=detail
            )
        )
    return answer(entries)


@router.get(
    f"{_STABLE}/task-point-metrics",
    operation_id="v1-task:get:point-metrics",
    response_model=V1TaskPointMetrics,
)
async def run_points(
    scope: InTenant,
    created_after: Annotated[Instant | None, Query(alias="createdAfter")] = None,
    finished_before: Annotated[Instant | None, Query(alias="finishedBefore")] = None,
) -> Response:
    """Completed and failed runs per time step, by creation time."""
    now_ms = scope.engine.clock.now_ms()
    try:
        axis = metrics.buckets(created_after, finished_before, now_ms)
    except ValueError as error:
        raise invalid(f"createdAfter: {error}", field="createdafter") from None
    until = finished_before or from_ms(now_ms)
    found = await metrics.run_points(scope.engine.read_pool, scope.tenant_id, axis, until)
    points = [
        V1TaskPointMetric(time=time, succeeded=completed, failed=failed)
        for time, (completed, failed) in zip(axis.times(), found, strict=True)
    ]
    return answer(V1TaskPointMetrics(results=points))


@router.get(
    f"{_TENANT}/step-run-queue-metrics",
    operation_id="tenant:get:step-run-queue-metrics",
    response_model=TenantStepRunQueueMetrics,
)
async def queue_depths(scope: InTenant) -> Response:
    """Waiting tasks by queue; and, by workflow and concurrency key, what waits for a place."""
    pool = scope.engine.read_pool
    depths = await metrics.queue_depths(pool, scope.tenant_id)
    keys = await metrics.waiting_by_key(pool, scope.tenant_id)
    return answer(TenantStepRunQueueMetrics(queues={**depths, **keys}))


@router.get(
    f"{_TENANT}/task-stats",
    operation_id="tenant:get:task-stats",
    response_model=dict[str, TaskStat],
)
async def task_stats(
    scope: InTenant,
    task_names: Annotated[
        list[str] | None,
        Query(
            alias="taskNames",
            max_length=TASK_NAMES_MAX,
            description="Names that are shown even with nothing to count; all others are shown too",
        ),
    ] = None,
) -> Response:
    """Waiting and running tasks by the name of the task definition."""
    found = await metrics.task_stats(scope.engine.read_pool, scope.tenant_id)
    asked = {name.strip() for text in task_names or () for name in text.split(",")}
    for name in asked - {""}:
        found.setdefault(name, metrics.TaskStats())
    stats = {
        name: TaskStat(queued=_stat(entry.queued), running=_stat(entry.running))
        for name, entry in sorted(found.items())
    }
    return JsonResponse(encode(stats))


@router.get(
    f"{_TENANT}/prometheus-metrics",
    operation_id="tenant:get:prometheus-metrics",
    responses={200: {"content": {"text/plain": {}}}},
    response_class=Response,
)
async def prometheus_metrics(scope: InTenant) -> Response:
    """The tenant's gauges in Prometheus' text format, and those of the server's lanes."""
    pool = scope.engine.read_pool
    tenant_id = str(scope.tenant_id)
    gauges = Gauges()
    for queue, depth in (await metrics.queue_depths(pool, scope.tenant_id)).items():
        gauges.add("hatchet_tenant_queue_size", depth, tenant_id=tenant_id, queue=queue)
    for worker in await worker_list(pool, scope.tenant_id, scope.engine.clock.now_ms()):
        live = scope.engine.worker_live(worker.id)
        if live is None:
            continue
        limit, free = sum(worker.slots.values()), sum(live.free.values())
        labels = {
            "tenant_id": tenant_id,
            "worker_id": str(worker.id),
            "worker_name": worker.name,
        }
        gauges.add("hatchet_tenant_worker_slots", limit, **labels)
        gauges.add("hatchet_tenant_used_worker_slots", limit - free, **labels)
        gauges.add("hatchet_tenant_available_worker_slots", free, **labels)
    for lane in scope.engine.status().lanes:
        gauges.add("hatchet_lane_waiting", lane.waiting, lane=lane.name)
        gauges.add("hatchet_lane_dropped", lane.dropped, lane=lane.name)
    return Response(gauges.text(), media_type="text/plain; version=0.0.4")


def _stat(stat: metrics.TaskStat) -> TaskStatusStat:
    return TaskStatusStat(
        total=stat.total,
        queues=stat.queues or None,
        concurrency=[
            ConcurrencyStat(expression=expression, type=strategy, keys=keys)
            for (expression, strategy), keys in stat.rules.items()
        ]
        or None,
        oldest=metrics.time_of(stat.oldest_ms),
        oldest_excluding_retries=metrics.time_of(stat.oldest_first_ms),
    )
