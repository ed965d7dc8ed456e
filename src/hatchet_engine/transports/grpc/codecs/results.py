"""Results of runs for SubscribeToWorkflowRuns (B9)."""

from __future__ import annotations

from hatchet_engine.domain.states import Status
from hatchet_engine.turn.deliveries import RunResult, TaskResult
from hatchet_protocol.dispatcher import StepRunResult, WorkflowRunEvent
from hatchet_protocol.times import set_timestamp

# More than this does not go into one event: clients take 4 MiB per message.
RESULTS_BYTES_MAX = 3 * 1024 * 1024
# A failure with an empty error would look like success to every SDK.
NO_ERROR_TEXT = "The task failed without an error text."


def run_event(result: RunResult, asked_id: str) -> WorkflowRunEvent:
    """``asked_id``: the id in the client's own spelling, by which it finds its waiter."""
    event = WorkflowRunEvent(workflow_run_id=asked_id, results=_bounded(result.tasks))
    set_timestamp(event.event_timestamp, result.finished_ms)
    return event


def _bounded(tasks: list[TaskResult]) -> list[StepRunResult]:
    """One result per task; too long errors are replaced, and too much output empties the list
    (the SDK then loads the run by other ways)."""
    # A character is at most 4 bytes: most results need no counting.
    characters = sum(len(task.output or "") + len(task.error or "") for task in tasks)
    if characters * 4 < RESULTS_BYTES_MAX:
        return [_result(task, task.error) for task in tasks]
    outputs = sum(len((task.output or "").encode()) for task in tasks)
    if outputs >= RESULTS_BYTES_MAX:
        return []
    error_bytes_max = (RESULTS_BYTES_MAX - outputs) // len(tasks)
    results = []
    total = outputs
    for task in tasks:
        error = task.error
        if error is not None and len(error.encode()) > error_bytes_max:
            error = f"The error is too large for this stream ({len(error.encode())} bytes)."
        total += len((error or "").encode())
        results.append(_result(task, error))
    return results if total < RESULTS_BYTES_MAX else []


def _result(task: TaskResult, error: str | None) -> StepRunResult:
    task_id = str(task.task_id)
    result = StepRunResult(
        task_run_external_id=task_id, task_name=task.task_name, job_run_id=task_id
    )
    if task.status is Status.COMPLETED:
        result.output = task.output or ""
    elif task.status is Status.CANCELLED:
        # Present but empty: programs for the official SDKs rely on a cancelled run's result being
        # empty and not an error (CX-13, DAG-8, BA-7).
        result.error = ""
    else:
        result.error = error or NO_ERROR_TEXT
    return result
