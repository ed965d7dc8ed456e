"""Scheduled runs over gRPC (B13.5)."""

from __future__ import annotations

from hatchet_engine.domain.errors import invalid
from hatchet_engine.transports.grpc.caller import Caller
from hatchet_engine.transports.grpc.codecs.ids import optional_id
from hatchet_engine.transports.grpc.codecs.trigger import child_key
from hatchet_engine.turn.schedule_commands import Scheduled, ScheduleRuns
from hatchet_protocol.times import set_timestamp, timestamp_ms
from hatchet_protocol.workflows import ScheduleWorkflowRequest, WorkflowVersion


def schedule_runs(caller: Caller, request: ScheduleWorkflowRequest) -> ScheduleRuns:
    """Raises ``Refused`` naming the field. JSON is looked at by the engine, not here."""
    if request.parent_id and not (
        request.parent_task_run_external_id and request.HasField("child_index")
    ):
        raise invalid(
            "parent_id: needs parent_task_run_external_id and child_index beside it",
            field="parent_id",
        )
    has_parent = bool(request.parent_task_run_external_id)
    return ScheduleRuns(
        caller.tenant_id,
        request.name,
        [timestamp_ms(at) for at in request.schedules],
        input=request.input,
        metadata=request.additional_metadata,
        priority=request.priority if request.HasField("priority") else None,
        declarative=True,
        parent_run_id=optional_id(request.parent_id, "parent_id"),
        parent_task_id=optional_id(
            request.parent_task_run_external_id, "parent_task_run_external_id"
        ),
        child_index=request.child_index if has_parent else None,
        child_key=child_key(request.child_key) if has_parent else None,
    )


def scheduled_version(request: ScheduleWorkflowRequest, made: Scheduled) -> WorkflowVersion:
    """The workflow's version with what was scheduled, in the order of the request."""
    answer = WorkflowVersion(
        id=str(made.version_id), order=made.version_number, workflow_id=str(made.workflow_id)
    )
    set_timestamp(answer.created_at, made.version_created_ms)
    set_timestamp(answer.updated_at, made.version_created_ms)
    for id, at in zip(made.ids, request.schedules, strict=True):
        answer.scheduled_workflows.add(id=str(id)).trigger_at.CopyFrom(at)
    return answer
