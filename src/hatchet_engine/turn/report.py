"""What workers say of their tasks (B7, RT-9 to RT-13)."""

from __future__ import annotations

from hatchet_engine.domain.payloads import clean_error, output_problem
from hatchet_engine.domain.states import EventKind, Status
from hatchet_engine.turn.commands import Report, ReportKind, ReportTasks
from hatchet_engine.turn.lifecycle import cancel_running, fail, finish
from hatchet_engine.turn.signs import concerns, started_ms
from hatchet_engine.turn.state import Turn
from hatchet_engine.turn.workers import Running


def report(turn: Turn, command: ReportTasks) -> list[bool]:
    """Apply reports in order. One that is not about a live attempt changes nothing: duplicates,
    and results that come after a timeout, a cancel or a reassignment, arrive all the time."""
    running_by_id = turn.hot.running
    known = turn.loaded.get(id(command), ())
    answers = []
    for one in command.reports:
        running = running_by_id.get(one.task_id)
        if running is None or running.tenant_id != command.tenant_id:
            answers.append(one.task_id in known or one.task_id in turn.left)
            continue
        answers.append(True)
        if not concerns(one, running):
            _refuse(turn, running, one)
            continue
        _apply(turn, running, one)
    return answers


def _refuse(turn: Turn, running: Running, one: Report) -> None:
    """An older attempt speaks while a newer one runs: its result does not count, but is told."""
    if one.kind in (ReportKind.COMPLETED, ReportKind.FAILED):
        turn.plan.event(
            EventKind.LATE_REPORT_REFUSED,
            running.tenant_id,
            running.task_id,
            one.attempt or 0,
            None,
            f"{one.kind.name} came after attempt {running.attempt} had begun",
        )


def _apply(turn: Turn, running: Running, one: Report) -> None:
    kind = one.kind
    first_sign = running.started_ms is None
    if one.started_ms is not None and first_sign:
        running.started_ms = started_ms(one, running, turn.now_ms)
    if kind is ReportKind.COMPLETED:
        _complete(turn, running, one.payload)
    elif kind is ReportKind.FAILED:
        fail(
            turn,
            running,
            clean_error(one.payload),
            should_not_retry=one.should_not_retry,
            retry_after_ms=one.retry_after_ms,
        )
    elif kind is ReportKind.CANCELLED:
        cancel_running(turn, running, "Cancelled by the worker")
    elif first_sign:
        if running.started_ms is None:
            running.started_ms = turn.now_ms
        turn.plan.changed[running.task_id] = running


def _complete(turn: Turn, running: Running, output: str) -> None:
    problem = output_problem(output, turn.limits.payload_bytes_max)
    if problem is not None:
        fail(turn, running, f"The task completed, but {problem}.")
        return
    finish(turn, running, Status.COMPLETED, output or None, None)
