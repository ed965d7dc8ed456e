"""Runs: list, get, status, trigger, ids, names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from hatchet_engine.domain.errors import Code, Refused, invalid
from hatchet_engine.domain.states import PRIORITY_MAX, PRIORITY_MIN, Status, TaskKind
from hatchet_engine.observe import runs, task_events, timings
from hatchet_engine.observe.dags import ready_times
from hatchet_engine.observe.rows import member_rows
from hatchet_engine.observe.run_query import RunQuery
from hatchet_engine.observe.times import MICROSECOND
from hatchet_engine.transports.rest import pagination
from hatchet_engine.transports.rest.codecs import runs as codec
from hatchet_engine.transports.rest.codecs.common import meta
from hatchet_engine.transports.rest.errors import not_found
from hatchet_engine.transports.rest.parameters import (
    IDS_MAX,
    Instant,
    Limit,
    Offset,
    Pairs,
    UuidList,
    page_of,
    pairs_of,
)
from hatchet_engine.transports.rest.responses import answer, compact, raw_answer
from hatchet_engine.transports.rest.schemas.runs import (
    RerunRequest,
    V1AdditionalMetadataOperator,
    V1DagChildren,
    V1RunningFilter,
    V1TaskEventList,
    V1TaskStatus,
    V1TaskSummaryList,
    V1TaskTimingList,
    V1TriggerWorkflowRunRequest,
    V1WorkflowRunCount,
    V1WorkflowRunDetails,
    V1WorkflowRunDisplayName,
    V1WorkflowRunDisplayNameList,
)
from hatchet_engine.transports.rest.scope import Caller, InTenant, Scope, tenant_in_path
from hatchet_engine.turn.commands import TriggerItem, TriggerRuns

LIMIT_DEFAULT = 50
STATUSES_GIVEN_MAX = 100
DAGS_MAX = 1_000
RERUN_OF = "hatchet__rerun_of"

router = APIRouter(tags=["runs"])
_RUNS = "/api/v1/stable/tenants/{tenant}/workflow-runs"
_RUN = "/api/v1/stable/workflow-runs/{run}"

# Names only: what isn't a status is dropped, not refused.
Statuses = Annotated[list[str] | None, Query(max_length=STATUSES_GIVEN_MAX)]


def statuses_of(
    names: list[str] | None, running: V1RunningFilter = V1RunningFilter.ALL
) -> tuple[Status, ...] | None:
    """The statuses asked for; () for all of them, None when nothing can match.

    No task is evicted in this stage, so asking for evicted ones leaves out the running.
    """
    found = {Status[name] for name in names or () if name in Status.__members__}
    if names and not found:
        return None
    if running is V1RunningFilter.EVICTED:
        found = (found or set(Status)) - {Status.RUNNING}
        if not found:
            return None
    return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class RunFilters:
    """The part of the query string that says which runs; shared by the list and the count."""

    query: RunQuery | None  # None: nothing can match


def run_filters(
    scope: InTenant,
    since: Instant,
    only_tasks: bool,
    until: Instant | None = None,
    statuses: Statuses = None,
    additional_metadata: Pairs = None,
    additional_metadata_operator: V1AdditionalMetadataOperator = V1AdditionalMetadataOperator.OR,
    workflow_ids: UuidList = None,
    worker_id: UUID | None = None,
    parent_task_external_id: UUID | None = None,
    triggering_event_external_id: UUID | None = None,
    running_filter: V1RunningFilter = V1RunningFilter.ALL,
    idempotency_keys: Annotated[list[str] | None, Query(max_length=IDS_MAX)] = None,
) -> RunFilters:
    wanted = statuses_of(statuses, running_filter)
    if wanted is None:
        return RunFilters(None)
    return RunFilters(
        RunQuery(
            tenant_id=scope.tenant_id,
            since=since,
            until=until,
            statuses=wanted,
            only_tasks=only_tasks,
            workflow_ids=tuple(workflow_ids or ()),
            worker_id=worker_id if only_tasks else None,
            parent_task_id=None if only_tasks else parent_task_external_id,
            event_id=triggering_event_external_id,
            idempotency_keys=tuple(idempotency_keys or ()),
            metadata=pairs_of(additional_metadata),
            metadata_all=additional_metadata_operator is V1AdditionalMetadataOperator.AND,
        )
    )


Filters = Annotated[RunFilters, Depends(run_filters)]


@router.get(_RUNS, operation_id="v1-workflow-run:list", response_model=V1TaskSummaryList)
async def run_list(
    scope: InTenant,
    filters: Filters,
    offset: Offset = 0,
    limit: Limit = LIMIT_DEFAULT,
    include_payloads: bool = False,
    include_num_pages: bool = True,
) -> Response:
    """Runs, newest first; with `only_tasks` the tasks instead. Payloads only when asked for."""
    offset, limit = page_of(offset, limit, LIMIT_DEFAULT)
    query = filters.query
    page = runs.RunPage([], {}, 0)
    if query is not None:
        page = await runs.run_list(
            scope.engine.read_pool,
            query,
            offset=offset,
            limit=limit,
            payloads=include_payloads,
            with_total=include_num_pages,
        )
    shown = [*page.rows, *(task for tasks in page.members.values() for task in tasks)]
    counts = await runs.child_counts(
        scope.engine.read_pool, scope.tenant_id, [row.id for row in shown]
    )
    as_run = query is not None and not query.only_tasks
    rows = codec.page(scope.tenant_id, page, counts, as_run=as_run)
    return answer(
        V1TaskSummaryList(pagination=pagination.endless(offset, limit, page.total), rows=rows)
    )


@router.get(
    f"{_RUNS}/count", operation_id="v1-workflow-run:count", response_model=V1WorkflowRunCount
)
async def run_count(scope: InTenant, filters: Filters) -> Response:
    """How many runs the same filters as the list's select; counting stops at 20,000."""
    query = filters.query
    count = await runs.run_count(scope.engine.read_pool, query) if query else 0
    return answer(V1WorkflowRunCount(count=count))


@router.get(
    f"{_RUNS}/external-ids",
    operation_id="v1-workflow-run:external-ids:list",
    response_model=list[UUID],
)
async def run_external_ids(
    scope: InTenant,
    since: Instant,
    until: Instant | None = None,
    statuses: Statuses = None,
    additional_metadata: Pairs = None,
    workflow_ids: UuidList = None,
    running_filter: V1RunningFilter = V1RunningFilter.ALL,
) -> Response:
    """Ids of all runs created after `since`, in no order."""
    wanted = statuses_of(statuses, running_filter)
    if wanted is None:
        return raw_answer("[]")
    query = RunQuery(
        tenant_id=scope.tenant_id,
        since=since + MICROSECOND,  # exclusive here, inclusive elsewhere
        until=until,
        statuses=wanted,
        workflow_ids=tuple(workflow_ids or ()),
        metadata=pairs_of(additional_metadata),
    )
    return raw_answer(await runs.run_ids_as_json(scope.engine.read_pool, query))


@router.get(
    f"{_RUNS}/display-names",
    operation_id="v1-workflow-run:display-names:list",
    response_model=V1WorkflowRunDisplayNameList,
)
async def run_display_names(
    scope: InTenant,
    external_ids: Annotated[list[UUID], Query(max_length=runs.DISPLAY_NAMES_MAX)],
) -> Response:
    """Names of runs or tasks; unknown ids are left out."""
    names = await runs.run_names(scope.engine.read_pool, scope.tenant_id, external_ids)
    rows = [
        V1WorkflowRunDisplayName(metadata=meta(one.id, one.created_at), display_name=one.name)
        for one in names
    ]
    return answer(V1WorkflowRunDisplayNameList(pagination=pagination.single(), rows=rows))


@router.post(
    f"{_RUNS}/trigger", operation_id="v1-workflow-run:create", response_model=V1WorkflowRunDetails
)
async def run_trigger(scope: InTenant, body: V1TriggerWorkflowRunRequest) -> Response:
    """Create a run of a workflow, named by its name. It can be read once this returns."""
    item = TriggerItem(
        workflow=body.workflow_name,
        input=compact(body.input),
        metadata=compact(body.additional_metadata) if body.additional_metadata else "",
        priority=_priority(body.priority),
    )
    return answer(await _triggered(scope, item))


@router.post(
    f"{_RUNS}/{{run}}/rerun",
    operation_id="workflow-run:rerun",
    response_model=V1WorkflowRunDetails,
)
async def run_again(scope: InTenant, run: UUID, body: RerunRequest) -> Response:
    """A new run of the same workflow (its newest version) with the run's input or another one.

    Ours. The new run's metadata names the old one in `hatchet__rerun_of`.
    """
    view = await runs.run_get(scope.engine.read_pool, scope.tenant_id, run)
    if view is None:
        raise not_found(f"run {run}")
    old = view.run
    metadata = json.loads(old.metadata or "{}") | (body.additional_metadata or {})
    metadata[RERUN_OF] = str(old.id)
    item = TriggerItem(
        workflow=old.workflow_name,
        input=(old.input or "{}") if body.input is None else compact(body.input),
        metadata=compact(metadata),
        priority=_priority(old.priority if body.priority is None else body.priority),
    )
    return answer(await _triggered(scope, item))


@router.get(_RUN, operation_id="v1-workflow-run:get", response_model=V1WorkflowRunDetails)
async def run_get(scope: Caller, run: UUID) -> Response:
    """A run (of one task, or a DAG) with its tasks and payloads."""
    return answer(await _details(scope, run))


@router.get(
    f"{_RUN}/status", operation_id="v1-workflow-run:get-status", response_model=V1TaskStatus
)
async def run_status(scope: Caller, run: UUID) -> Response:
    """The status alone, as a JSON string."""
    status = await runs.run_status(scope.engine.read_pool, scope.tenant_id, run)
    if status is None:
        raise not_found(f"run {run}")
    return raw_answer(f'"{status.name}"')


@router.get(
    f"{_RUN}/task-events",
    operation_id="v1-workflow-run:task-events:list",
    response_model=V1TaskEventList,
)
async def run_task_events(scope: Caller, run: UUID) -> Response:
    """The history of a DAG's tasks, newest first; empty for a run of one task."""
    pool = scope.engine.read_pool
    view = await runs.run_get(pool, scope.tenant_id, run)
    if view is None:
        raise not_found(f"run {run}")
    found = await _dag_events(scope, view)
    rows = [codec.event(entry, with_output=True) for entry in found]
    return answer(V1TaskEventList(pagination=pagination.empty(), rows=rows))


@router.get(
    f"{_RUN}/task-timings",
    operation_id="v1-workflow-run:get:timings",
    response_model=V1TaskTimingList,
)
async def run_task_timings(
    scope: Caller, run: UUID, depth: Annotated[int, Query(ge=0, le=timings.DEPTH_MAX)] = 0
) -> Response:
    """Who ran when, depth first: tasks of the run and, down to `depth`, of runs they spawned."""
    found = await timings.run_timings(scope.engine.read_pool, scope.tenant_id, run, depth)
    if found is None:
        raise not_found(f"run {run}")
    rows = [codec.timing(scope.tenant_id, entry) for entry in found]
    return answer(V1TaskTimingList(pagination=pagination.empty(), rows=rows))


@router.get(
    "/api/v1/stable/dags/tasks",
    operation_id="v1-dag:list:tasks",
    response_model=list[V1DagChildren],
)
async def dag_tasks(
    scope: Caller,
    dag_ids: Annotated[list[UUID], Query(max_length=DAGS_MAX)],
    tenant: UUID,
) -> Response:
    """Tasks of several DAG runs, without payloads."""
    await tenant_in_path(tenant, scope)
    members = await member_rows(scope.engine.read_pool, scope.tenant_id, dag_ids, payloads=False)
    return answer(codec.dag_children(scope.tenant_id, members, dag_ids))


async def _triggered(scope: Scope, item: TriggerItem) -> V1WorkflowRunDetails:
    """The run of an item. Its workflow isn't a resource of the path: an unknown one is a 400."""
    try:
        [created] = await scope.engine.submit(TriggerRuns(scope.tenant_id, [item]))
    except Refused as error:
        if error.code is Code.NOT_FOUND:
            raise Refused(Code.INVALID_ARGUMENT, error.message, field="workflowname") from None
        raise
    return await _details(scope, created)


async def _details(scope: Scope, run_id: UUID) -> V1WorkflowRunDetails:
    pool = scope.engine.read_pool
    view = await runs.run_get(pool, scope.tenant_id, run_id)
    if view is None:
        raise not_found(f"run {run_id}")
    tasks = [task.id for task in view.tasks]
    counts = await runs.child_counts(pool, scope.tenant_id, tasks, runs.CHILDREN_MAX)
    return codec.run_details(scope.tenant_id, view, await _dag_events(scope, view), counts)


async def _dag_events(scope: Scope, view: runs.RunView) -> list[task_events.TaskEvent]:
    if view.run.kind is not TaskKind.DAG:
        return []
    return await task_events.task_events(
        scope.engine.read_pool, scope.tenant_id, view.tasks, ready_times(view.tasks)
    )


def _priority(priority: int | None) -> int | None:
    if priority is not None and not PRIORITY_MIN <= priority <= PRIORITY_MAX:
        raise invalid(f"priority: must be between 1 and 3, got {priority}", field="priority")
    return priority
