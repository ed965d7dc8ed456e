"""Ends of tasks of runs that no worker reports: skipped, cancelled, impossible."""

from __future__ import annotations

from hatchet_engine.domain.dag import SKIPPED_OUTPUT, Member
from hatchet_engine.domain.states import EventKind, Status, TaskKind
from hatchet_engine.turn.dags import Dag
from hatchet_engine.turn.deliveries import RunEvent, TaskResult
from hatchet_engine.turn.state import Turn


def end_member(turn: Turn, dag: Dag, position: int, state: Member, reason: str | None) -> None:
    """A task of a run ends that holds no worker and stands in no queue."""
    task_id = dag.task_ids[position]
    attempt = dag.attempts[position]
    dag.states[position] = state
    dag.unended -= 1
    output = SKIPPED_OUTPUT if state is Member.SKIPPED else None
    status = Status.COMPLETED if state is Member.SKIPPED else Status(state.value)
    failed = state is Member.FAILED
    if failed:
        dag.errors[position] = reason or ""
    error = reason if failed else None
    turn.plan.end(
        dag.tenant_id,
        task_id,
        TaskKind.MEMBER,
        status,
        attempt,
        None,
        output,
        error,
        skipped=state is Member.SKIPPED,
    )
    if reason is not None and not failed:
        kind = EventKind.SKIPPED if state is Member.SKIPPED else EventKind.CANCELLED
        turn.plan.event(kind, dag.tenant_id, task_id, attempt, None, reason)
    tell(turn, dag, position, status, output, error)


def tell(
    turn: Turn, dag: Dag, position: int, status: Status, output: str | None, error: str | None
) -> None:
    """Tell those who wait for this very task, and those who watch the run."""
    task_id = dag.task_ids[position]
    name = dag.version.steps[position].name
    turn.task_results.append((dag.tenant_id, TaskResult(task_id, name, status, output, error)))
    if turn.events is not None and status is not Status.FAILED:  # failures were told as attempts
        payload = (output or "") if status is Status.COMPLETED else ""
        turn.events.append(
            RunEvent(
                dag.run_id,
                task_id,
                status.name,
                payload,
                dag.attempts[position],
                None,
                turn.now_ms,
            )
        )
