"""Rows of runs and tasks as the API shows them. Which fields are filled differs by endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from hatchet_engine.domain import ids
from hatchet_engine.domain.states import Status, TaskKind
from hatchet_engine.observe.rows import TaskRow
from hatchet_engine.observe.runs import RunPage, RunView
from hatchet_engine.observe.task_events import TaskEvent
from hatchet_engine.observe.tasks import TaskView
from hatchet_engine.observe.timings import Timing
from hatchet_engine.transports.rest.codecs.common import meta, number, optional
from hatchet_engine.transports.rest.responses import json_object
from hatchet_engine.transports.rest.schemas.common import ZERO_UUID
from hatchet_engine.transports.rest.schemas.runs import (
    V1DagChildren,
    V1TaskEvent,
    V1TaskEventType,
    V1TaskParent,
    V1TaskStatus,
    V1TaskSummary,
    V1TaskTiming,
    V1TaskWait,
    V1WorkflowRun,
    V1WorkflowRunDetails,
    V1WorkflowType,
    WorkflowRunShapeItemForWorkflowRunDetails,
)

Rows = list[V1TaskSummary]
STATUS = {status: V1TaskStatus(status.name) for status in Status}


def summary(
    tenant_id: UUID, task: TaskRow, *, as_run: bool = False, child_count: int = 0
) -> V1TaskSummary:
    """One row. ``as_run``: of the list of runs, where even standalone ones are of type DAG."""
    is_dag = task.kind is TaskKind.DAG
    version_id = task.version_id
    return V1TaskSummary(
        metadata=meta(task.id, task.created_at),
        action_id=task.action,
        retry_count=task.attempt,
        attempt=task.attempt + 1,
        additional_metadata=json_object(task.metadata),
        created_at=task.created_at,
        display_name=task.display_name,
        duration=task.duration_ms,
        error_message=task.error or "",
        finished_at=task.finished_at,
        input=json_object(task.input),
        num_spawned_children=child_count,
        output=json_object(task.output),
        status=STATUS[task.status],
        started_at=task.started_at,
        step_id=ZERO_UUID if is_dag else str(ids.step_id(version_id, task.step)),
        task_external_id=str(task.id),
        task_id=0 if is_dag else number(task.id),
        task_inserted_at=task.created_at,
        tenant_id=str(tenant_id),
        type=V1WorkflowType.DAG if as_run else V1WorkflowType.TASK,
        workflow_id=str(task.workflow_id),
        workflow_name=task.workflow_name,
        workflow_run_external_id=str(task.run_id),
        workflow_version_id=str(version_id),
        parent_task_external_id=optional(task.parent_task_id),
        idempotency_key=task.idempotency_key,
    )


def task_detail(tenant_id: UUID, task: TaskRow, child_count: int = 0) -> V1TaskSummary:
    """One task of a run, with what only single runs show."""
    shown = summary(tenant_id, task, child_count=child_count)
    shown.is_durable = task.durable
    shown.is_evicted = False
    shown.is_skipped = task.skipped
    return shown


def task_alone(tenant_id: UUID, view: TaskView) -> V1TaskSummary:
    """A task by itself: with its definition, its parents and what it waits for."""
    shown = task_detail(tenant_id, view.task, view.child_count)
    if view.task.version is not None:
        shown.workflow_config = json_object(view.task.version.text)
    shown.parents = [
        V1TaskParent(
            task_external_id=str(parent.id),
            task_name=parent.task_name,
            status=STATUS[parent.status],
            is_skipped=parent.skipped,
        )
        for parent in view.parents
    ]
    shown.waits_for = [
        V1TaskWait(
            due_at=wait.due_at, event_key=wait.event_key, scope=wait.event_scope, met=wait.met
        )
        for wait in view.waits
    ]
    if view.hold is not None:
        hold = V1TaskWait(reason=view.hold.reason, key=view.hold.key, met=False)
        shown.waits_for.append(hold)
    return shown


def page(tenant_id: UUID, found: RunPage, counts: Mapping[UUID, int], *, as_run: bool) -> Rows:
    """Rows of a list; DAG runs carry their tasks and what all of them have spawned."""
    rows = []
    for row in found.rows:
        members = found.members.get(row.id, [])
        children = sum(counts.get(task.id, 0) for task in (row, *members))
        shown = summary(tenant_id, row, as_run=as_run, child_count=children)
        if row.kind is TaskKind.DAG:
            shown.children = _children(tenant_id, members, counts)
        rows.append(shown)
    return rows


def dag_children(
    tenant_id: UUID, members: Mapping[UUID, Sequence[TaskRow]], dag_ids: Sequence[UUID]
) -> list[V1DagChildren]:
    return [
        V1DagChildren(
            dag_id=str(dag_id), children=_children(tenant_id, members.get(dag_id, ()), {})
        )
        for dag_id in dag_ids
    ]


def _children(tenant_id: UUID, members: Sequence[TaskRow], counts: Mapping[UUID, int]) -> Rows:
    return [summary(tenant_id, task, child_count=counts.get(task.id, 0)) for task in members]


def timing(tenant_id: UUID, entry: Timing) -> V1TaskTiming:
    task = entry.task
    return V1TaskTiming(
        metadata=meta(task.id, task.created_at),
        depth=entry.depth,
        status=STATUS[task.status],
        task_display_name=task.display_name,
        task_external_id=str(task.id),
        task_id=number(task.id),
        task_inserted_at=task.created_at,
        tenant_id=str(tenant_id),
        parent_task_external_id=optional(entry.parent_task_id),
        queued_at=entry.queued_at,
        started_at=task.started_at,
        finished_at=task.finished_at,
        workflow_run_id=str(task.run_id),
        retry_count=task.attempt,
        attempt=task.attempt + 1,
    )


def run_details(
    tenant_id: UUID, view: RunView, events: Sequence[TaskEvent], counts: Mapping[UUID, int]
) -> V1WorkflowRunDetails:
    config = json_object(view.run.version.text) if view.run.version else None
    return V1WorkflowRunDetails(
        run=_run(tenant_id, view),
        task_events=[event(entry, with_output=True) for entry in events],
        shape=_shape(view),
        tasks=[task_detail(tenant_id, task, counts.get(task.id, 0)) for task in view.tasks],
        workflow_config=config,
    )


def event(entry: TaskEvent, *, with_output: bool = False) -> V1TaskEvent:
    return V1TaskEvent(
        id=entry.number,
        task_id=str(entry.task_id),
        timestamp=entry.at,
        event_type=V1TaskEventType(entry.type),
        message=entry.message,
        error_message=entry.error,
        output=entry.output if with_output else None,
        worker_id=optional(entry.worker_id),
        task_display_name=entry.display_name,
        retry_count=entry.attempt,
        attempt=entry.attempt + 1,
    )


def _run(tenant_id: UUID, view: RunView) -> V1WorkflowRun:
    run = view.run
    return V1WorkflowRun(
        metadata=meta(run.id, run.created_at),
        status=STATUS[run.status],
        started_at=run.started_at,
        finished_at=run.finished_at,
        duration=run.duration_ms,
        tenant_id=str(tenant_id),
        additional_metadata=json_object(run.metadata),
        display_name=run.display_name,
        workflow_id=str(run.workflow_id),
        output=json_object(run.output),
        error_message=run.error or "",
        workflow_version_id=str(run.version_id),
        input=json_object(run.input),
        created_at=run.created_at,
        parent_task_external_id=optional(run.parent_task_id),
    )


def _shape(view: RunView) -> list[WorkflowRunShapeItemForWorkflowRunDetails]:
    """Every step of the version, with the task that the run has for it."""
    version = view.run.version
    if version is None:
        return []
    tasks = version.definition.tasks
    made = {task.step: str(task.id) for task in view.tasks}
    return [
        WorkflowRunShapeItemForWorkflowRunDetails(
            task_external_id=made.get(step, ZERO_UUID),
            step_id=str(ids.step_id(version.id, step)),
            children_step_ids=[
                str(ids.step_id(version.id, other))
                for other, child in enumerate(tasks)
                if task.name in child.parents
            ],
            task_name=task.name,
        )
        for step, task in enumerate(tasks)
    ]
