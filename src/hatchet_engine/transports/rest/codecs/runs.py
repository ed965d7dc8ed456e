"""Rows of runs and tasks as the API shows them. Which fields are filled differs by endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from hatchet_engine.domain import ids
from hatchet_engine.domain.states import Status, TaskKind
from hatchet_engine.observe.rows import TaskRow
from hatchet_engine.observe.runs import RunView
from hatchet_engine.observe.task_events import TaskEvent
from hatchet_engine.transports.rest.codecs.common import meta, number, optional
from hatchet_engine.transports.rest.responses import json_object
from hatchet_engine.transports.rest.schemas.common import ZERO_UUID
from hatchet_engine.transports.rest.schemas.runs import (
    V1TaskEvent,
    V1TaskEventType,
    V1TaskStatus,
    V1TaskSummary,
    V1WorkflowRun,
    V1WorkflowRunDetails,
    V1WorkflowType,
    WorkflowRunShapeItemForWorkflowRunDetails,
)

STATUS = {status: V1TaskStatus(status.name) for status in Status}


def summary(tenant_id: UUID, task: TaskRow, *, as_run: bool = False) -> V1TaskSummary:
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
        num_spawned_children=0,
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
    )


def task_detail(tenant_id: UUID, task: TaskRow, child_count: int = 0) -> V1TaskSummary:
    """One task, with all that is known of it."""
    shown = summary(tenant_id, task)
    shown.is_durable = task.durable
    shown.is_evicted = False
    shown.num_spawned_children = child_count
    return shown


def run_details(
    tenant_id: UUID, view: RunView, events: Sequence[TaskEvent]
) -> V1WorkflowRunDetails:
    config = json_object(view.run.version.text) if view.run.version else None
    return V1WorkflowRunDetails(
        run=_run(tenant_id, view),
        task_events=[event(entry, with_output=True) for entry in events],
        shape=_shape(view),
        tasks=[task_detail(tenant_id, task) for task in view.tasks],
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
    started_at, output = run.started_at, run.output
    if run.kind is TaskKind.DAG:
        started = [task.started_at for task in view.tasks if task.started_at is not None]
        started_at = min(started, default=None)
        # A run's output is that of the task that finished last, not a map of all of them.
        ended = [task for task in view.tasks if task.status is Status.COMPLETED]
        output = max(ended, key=_finished_at).output if ended else None
    duration = None
    if started_at is not None and run.finished_at is not None:
        duration = max(int((run.finished_at - started_at).total_seconds() * 1_000), 0)
    return V1WorkflowRun(
        metadata=meta(run.id, run.created_at),
        status=STATUS[run.status],
        started_at=started_at,
        finished_at=run.finished_at,
        duration=duration,
        tenant_id=str(tenant_id),
        additional_metadata=json_object(run.metadata),
        display_name=run.display_name,
        workflow_id=str(run.workflow_id),
        output=json_object(output),
        error_message=run.error or "",
        workflow_version_id=str(run.version_id),
        input=json_object(run.input),
        created_at=run.created_at,
        parent_task_external_id=optional(run.parent_task_id),
    )


def _finished_at(task: TaskRow) -> float:
    return task.finished_at.timestamp() if task.finished_at else 0.0


def _shape(view: RunView) -> list[WorkflowRunShapeItemForWorkflowRunDetails]:
    """Every step of the version, also those whose task does not exist yet."""
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
