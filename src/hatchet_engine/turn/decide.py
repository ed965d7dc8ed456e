"""Which function decides which command, and in what order a turn decides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from hatchet_engine.turn import (
    bulk,
    cancel,
    crons,
    events,
    filters,
    held,
    pauses,
    rate_commands,
    register,
    replay,
    report,
    running_changes,
    scheduled,
    timers,
    trigger,
    worker_changes,
)
from hatchet_engine.turn.commands import (
    CancelTasks,
    ChangeFilter,
    ChangeWorker,
    CloseStream,
    CreateFilter,
    DeleteFilter,
    DeleteRateLimit,
    DeleteWorkflow,
    LeaveWorker,
    OpenStream,
    Pause,
    PauseRateLimit,
    PushEvents,
    PutRateLimit,
    PutWorkflow,
    RefreshTimeout,
    RegisterWorker,
    ReleaseSlot,
    ReplayTasks,
    ReportTasks,
    Resume,
    StartBulk,
    TriggerRuns,
)
from hatchet_engine.turn.load import Loader
from hatchet_engine.turn.schedule_commands import (
    CreateCron,
    DeleteCron,
    DeleteScheduled,
    EnableCron,
    RescheduleRuns,
    ScheduleRuns,
    TriggerCron,
    TriggerScheduled,
)
from hatchet_engine.turn.state import Turn

Decide = Callable[[Turn, Any], Any]
DecideDirect = Callable[[asyncpg.Connection, Turn, Any], Awaitable[Any]]

# Rare changes of definitions, which read and write by themselves within the turn's transaction.
DIRECT: dict[type, DecideDirect] = {
    PutWorkflow: register.put,
    DeleteWorkflow: register.delete,
    CreateFilter: filters.create,
    ChangeFilter: filters.change,
    DeleteFilter: filters.delete,
    StartBulk: bulk.start,
    CreateCron: crons.create,
    EnableCron: crons.enable,
    DeleteCron: crons.delete,
    TriggerCron: crons.trigger,
    ScheduleRuns: scheduled.create,
    RescheduleRuns: scheduled.reschedule,
    DeleteScheduled: scheduled.delete,
    TriggerScheduled: scheduled.trigger,
}

DECIDE: dict[type, Decide] = {
    PushEvents: events.push,
    TriggerRuns: trigger.trigger,
    ReportTasks: report.report,
    CancelTasks: cancel.cancel,
    ReplayTasks: replay.replay,
    RefreshTimeout: running_changes.refresh_timeout,
    ReleaseSlot: running_changes.release_slot,
    Pause: pauses.pause,
    Resume: pauses.resume,
    PutRateLimit: rate_commands.put,
    DeleteRateLimit: rate_commands.delete,
    PauseRateLimit: rate_commands.pause,
    RegisterWorker: worker_changes.register,
    OpenStream: worker_changes.open_stream,
    CloseStream: worker_changes.close_stream,
    LeaveWorker: worker_changes.leave,
    ChangeWorker: worker_changes.change,
}


def decide_timers(turn: Turn, loader: Loader) -> None:
    """What is due goes first: a report that comes too late is too late."""
    timers.end_backoffs(turn, loader.due_backoffs)
    timers.end_waits(turn, loader.due_waits)
    timers.end_parked(turn, loader.due_parked)
    timers.call_due(turn, loader.due_buckets)
    pauses.end_due(turn)
    held.release(turn, loader.released)
    timers.end_sleeps(turn, loader.due_sleeps)
    timers.end_overdue(turn)
    timers.check_workers(turn)


def weight(command: Any) -> int:
    """How much work a command is, in rows; bounds a turn."""
    if isinstance(command, TriggerRuns):
        return len(command.items)
    if isinstance(command, PushEvents):
        return len(command.events)
    if isinstance(command, ReportTasks):
        return len(command.reports)
    if isinstance(command, ScheduleRuns):
        return 10 + len(command.due_ms)
    return 10
