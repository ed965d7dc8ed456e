"""Signs that a worker has begun: noted at once, written later.

Official SDKs report STARTED by a call of its own, Python even twice. It decides nothing but what is
shown, and whether an assignment counts as lost when the stream breaks, so it does not deserve a
turn: the sign is noted in memory and answered, and tasks that still run a little later are written
in one statement. A crash in between costs at most one more attempt of a task that had just begun.
"""

from __future__ import annotations

from uuid import UUID

from hatchet_engine.turn.commands import Report, ReportKind, ReportTasks
from hatchet_engine.turn.state import Hot, Turn
from hatchet_engine.turn.workers import Running

WRITE_AFTER_MS = 1_000
_SIGNS = (ReportKind.STARTED, ReportKind.ACKNOWLEDGED)


def started_ms(report: Report, running: Running, now_ms: int) -> int:
    """When the attempt began: by the worker's clock, which may run ahead or behind, within the
    bounds that the engine knows of."""
    if report.started_ms is None:
        return now_ms
    return min(max(report.started_ms, running.assigned_ms), now_ms)


def concerns(report: Report, running: Running) -> bool:
    """Whether a report is about the live attempt. Members of a batch go by its id: official SDKs
    tell attempt 0 of all of them (B8)."""
    if report.batch_id is not None:
        return running.batch is not None and running.batch.id == report.batch_id
    return report.attempt is None or report.attempt == running.attempt


class Signs:
    """Noted signs that are not in the table yet."""

    def __init__(self) -> None:
        self.due_ms: int | None = None
        self._noted: dict[UUID, tuple[int, int]] = {}  # task -> (attempt, started ms)

    def note(self, hot: Hot, command: ReportTasks, now_ms: int) -> bool:
        """Take in a report that holds nothing but signs of known tasks; False: it needs a turn."""
        for one in command.reports:
            running = hot.running.get(one.task_id)
            if one.kind not in _SIGNS or running is None or running.tenant_id != command.tenant_id:
                return False
        for one in command.reports:
            running = hot.running[one.task_id]
            if concerns(one, running) and running.started_ms is None:
                running.started_ms = started_ms(one, running, now_ms)
                self._noted[one.task_id] = (running.attempt, running.started_ms)
                if self.due_ms is None:
                    self.due_ms = now_ms + WRITE_AFTER_MS
        return True

    def write_due(self, turn: Turn) -> None:
        """When it is time: have the turn write the signs of attempts that still run."""
        if self.due_ms is None or self.due_ms > turn.now_ms:
            return
        for task_id, (attempt, started_ms) in self._noted.items():
            running = turn.hot.running.get(task_id)
            if running is not None and running.attempt == attempt:
                if running.started_ms is None:  # the hot state was read anew meanwhile
                    running.started_ms = started_ms
                turn.plan.changed[task_id] = running
        self._noted.clear()
        self.due_ms = None
