"""Scheduled runs in the form of the official protocol."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hatchet_protocol.times import new_timestamp
from hatchet_protocol.workflows import ScheduleWorkflowRequest, WorkflowVersion

__all__ = ["PATH", "WorkflowVersion", "schedule_request"]

PATH = "/WorkflowService/ScheduleWorkflow"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def schedule_request(
    name: str,
    times: Sequence[datetime],
    input: str,
    metadata: str,
    priority: int | None,
    parent: tuple[str | None, str | None, int | None, str | None],
) -> ScheduleWorkflowRequest:
    """`parent`: run, task, child index and child key. A time without zone is UTC."""
    parent_id, parent_task, child_index, child_key = parent
    return ScheduleWorkflowRequest(
        name=name,
        schedules=[new_timestamp(_ms(at)) for at in times],
        input=input,
        additional_metadata=metadata,
        priority=priority,
        parent_id=parent_id,
        parent_task_run_external_id=parent_task,
        child_index=child_index,
        child_key=child_key,
    )


def _ms(at: datetime) -> int:
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(milliseconds=1)
