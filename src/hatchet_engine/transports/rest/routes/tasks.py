"""Tasks: get, why they wait, events, cancel, replay, restore."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from hatchet_engine.domain.errors import Code, Refused, invalid
from hatchet_engine.domain.states import TaskKind
from hatchet_engine.observe import task_events, tasks
from hatchet_engine.observe.dags import ready_times
from hatchet_engine.observe.rows import task_rows
from hatchet_engine.transports.rest import bulk, pagination
from hatchet_engine.transports.rest.codecs import runs as codec
from hatchet_engine.transports.rest.codecs.why import answer_of
from hatchet_engine.transports.rest.errors import not_found
from hatchet_engine.transports.rest.parameters import Attempt
from hatchet_engine.transports.rest.responses import answer
from hatchet_engine.transports.rest.schemas.runs import (
    BulkOperationKind,
    V1CancelledTasks,
    V1CancelTaskRequest,
    V1ReplayedTasks,
    V1ReplayTaskRequest,
    V1RestoreTaskResponse,
    V1TaskEventList,
    V1TaskFilter,
    V1TaskSummary,
)
from hatchet_engine.transports.rest.schemas.why import Why
from hatchet_engine.transports.rest.scope import Caller, InTenant
from hatchet_engine.turn.commands import CancelTasks, ReplayTasks, RunFilter

router = APIRouter(tags=["tasks"])
_TASK = "/api/v1/stable/tasks/{task}"
_TASKS = "/api/v1/stable/tenants/{tenant}/tasks"
_CANCEL, _REPLAY = BulkOperationKind.CANCEL, BulkOperationKind.REPLAY


@router.get(_TASK, operation_id="v1-task:get", response_model=V1TaskSummary)
async def task_get(scope: Caller, task: UUID, attempt: Attempt = None) -> Response:
    """A task (never a DAG run) with payloads; by default its latest attempt."""
    wanted = None if attempt is None else attempt - 1
    view = await tasks.task_get(scope.engine.read_pool, scope.tenant_id, task, wanted)
    if view is None:
        of = "" if attempt is None else f", attempt {attempt}"
        raise not_found(f"task {task}{of}")
    return answer(codec.task_alone(scope.tenant_id, view))


@router.get(f"{_TASK}/why", operation_id="v1-task:why", response_model=Why)
async def task_why(scope: Caller, task: UUID) -> Response:
    """Why a task or run does not run: what blocks it, where it stands, what would let it go.

    Ours. The id is that of a task, a run or a scheduled run. A node that does not own the shard
    tells what the tables say, and in `partial` what it can't know.
    """
    found = await scope.engine.why(scope.tenant_id, task)
    if found is None:
        raise not_found(f"task, run or scheduled run {task}")
    return answer(answer_of(found))


@router.get(
    f"{_TASK}/task-events", operation_id="v1-task-event:list", response_model=V1TaskEventList
)
async def task_event_list(
    scope: Caller,
    task: UUID,
    offset: Annotated[int, Query()] = 0,
    limit: Annotated[int | None, Query(description="By default, all.")] = None,
) -> Response:
    """The history of a task, newest first: one entry per attempt and type."""
    pool = scope.engine.read_pool
    found = await task_rows(pool, scope.tenant_id, [task], payloads=False)
    if not found or found[0].kind is TaskKind.DAG:
        raise not_found(f"task {task}")
    ready = ready_times(await tasks.siblings(pool, scope.tenant_id, found[0]))
    entries = await task_events.task_events(pool, scope.tenant_id, found, ready)
    start = max(offset, 0)
    end = start + limit if limit is not None and limit > 0 else None
    rows = [codec.event(entry) for entry in entries[start:end]]
    return answer(V1TaskEventList(pagination=pagination.empty(), rows=rows))


@router.post(f"{_TASKS}/cancel", operation_id="v1-task:cancel", response_model=V1CancelledTasks)
async def task_cancel(scope: InTenant, body: V1CancelTaskRequest) -> Response:
    """Cancel runs or tasks, by ids or by filter. Answers the ids given, or those found."""
    ids, selection = _selected(body.external_ids, body.filter)
    cancelled: list[UUID] = []
    if selection is not None and await bulk.too_many(scope, _CANCEL, selection):
        operation = await bulk.start(scope, _CANCEL, selection, children=body.include_children)
        return answer(V1CancelledTasks(ids=[], bulk_operation=operation))
    if ids or selection is not None:
        command = CancelTasks(
            scope.tenant_id, ids=ids, filter=selection, children=body.include_children
        )
        cancelled = await scope.engine.submit(command)
    return answer(V1CancelledTasks(ids=[str(one) for one in (ids or cancelled)]))


@router.post(f"{_TASKS}/replay", operation_id="v1-task:replay", response_model=V1ReplayedTasks)
async def task_replay(scope: InTenant, body: V1ReplayTaskRequest) -> Response:
    """Run finished runs or tasks again, by ids or by filter. Answers the tasks queued again."""
    ids, selection = _selected(body.external_ids, body.filter)
    replayed: list[UUID] = []
    if selection is not None and await bulk.too_many(scope, _REPLAY, selection):
        operation = await bulk.start(scope, _REPLAY, selection)
        return answer(V1ReplayedTasks(ids=[], bulk_operation=operation))
    if ids or selection is not None:
        command = ReplayTasks(scope.tenant_id, ids=ids, filter=selection)
        replayed = await scope.engine.submit(command)
    return answer(V1ReplayedTasks(ids=[str(one) for one in replayed]))


@router.post(
    f"{_TASK}/restore", operation_id="v1-task:restore", response_model=V1RestoreTaskResponse
)
async def task_restore(scope: Caller, task: UUID) -> Response:
    """Bring an evicted durable task back. Nothing is evicted in this stage, so nothing is done."""
    if not await tasks.task_exists(scope.engine.read_pool, scope.tenant_id, task):
        raise not_found(f"task {task}")
    return answer(V1RestoreTaskResponse(requeued=True))


@router.post("/api/v1/stable/tenants/{tenant}/durable-tasks/branch", include_in_schema=False)
async def durable_task_branch(scope: InTenant) -> Response:
    raise Refused(Code.UNIMPLEMENTED, "durable tasks are not offered by this engine yet")


def _selected(
    external_ids: list[UUID] | None, selection: V1TaskFilter | None
) -> tuple[list[UUID], RunFilter | None]:
    ids = list(dict.fromkeys(external_ids or ()))
    if selection is None:
        return ids, None
    if ids:
        raise invalid("externalIds and filter exclude each other: give one", field="filter")
    return [], bulk.filter_of(selection)
