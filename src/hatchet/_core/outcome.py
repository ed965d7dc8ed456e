"""From how a run ended to what the waiting program gets: outputs, or an exception."""

from typing import Any
from uuid import UUID

import orjson

from hatchet._core.session import CANCELLED, COMPLETED, FAILED, RunOutcome, TaskOutcome
from hatchet.exceptions import (
    DedupeViolationError,
    FailedTaskRunExceptionGroup,
    RunCancelledError,
    TaskRunError,
)

DUPLICATE_MARK = "DUPLICATE_WORKFLOW_RUN"


def check(run_id: str, outcome: RunOutcome) -> None:
    """Raise what a run that did not complete raises."""
    if outcome.status == COMPLETED:
        return
    if any(DUPLICATE_MARK in task.error for task in outcome.tasks):
        raise DedupeViolationError(f"run {run_id} was a duplicate")
    if outcome.status == CANCELLED:
        errors = [_task_error(task) for task in outcome.tasks if task.error]
        raise RunCancelledError(f"run {run_id} was cancelled", errors)
    failed = [_task_error(task) for task in outcome.tasks if task.status == FAILED]
    raise FailedTaskRunExceptionGroup(f"run {run_id} failed", failed)


def _task_error(task: TaskOutcome) -> TaskRunError:
    error = TaskRunError.deserialize(task.error)
    if error.task_run_external_id is None:
        error.task_run_external_id = str(UUID(bytes=task.task_id)) if task.task_id else None
    return error


def outputs(outcome: RunOutcome) -> dict[str, Any]:
    """`{task name: output}` of a completed run; None for a task without output."""
    return {
        task.task_name: orjson.loads(task.output) if task.output else None
        for task in outcome.tasks
        if task.status == COMPLETED
    }


def output_text(outcome: RunOutcome, task_name: str) -> str:
    """JSON text of one task's output, "" for none."""
    for task in outcome.tasks:
        if task.task_name == task_name:
            return task.output if task.output != "null" else ""
    return outcome.tasks[0].output if len(outcome.tasks) == 1 else ""
