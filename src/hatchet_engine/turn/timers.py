"""Everything that happens because a time has come, in one due-time order."""

from __future__ import annotations

import asyncpg
import orjson

from hatchet_engine.domain.demand import read_demand
from hatchet_engine.domain.durations import format_ms
from hatchet_engine.domain.states import PRIORITY_AGAIN, EventKind
from hatchet_engine.turn.begin import ready
from hatchet_engine.turn.buckets import Bucket
from hatchet_engine.turn.entering import leave_line, park_paused, release
from hatchet_engine.turn.held import hold
from hatchet_engine.turn.lifecycle import enqueue, fail, reassign, tell_worker
from hatchet_engine.turn.lines import read_no_worker_line
from hatchet_engine.turn.queues import Queued
from hatchet_engine.turn.rates import call_waiting
from hatchet_engine.turn.state import Hit, Hot, MemberCancel, Turn
from hatchet_engine.turn.waiting import end_queued, item_from_row, parked_item, step_of
from hatchet_engine.turn.workers import Worker

DUE_READ_MAX = 1_000  # rows of one kind per turn; the rest follows in the next one


def next_due_ms(hot: Hot) -> int | None:
    """When the earliest timer is due, or a little before."""
    dues = (
        hot.next_deadline_ms,
        hot.next_delayed_ms,
        hot.next_schedule_timeout_ms,
        hot.next_wait_ms,
        hot.next_schedule_ms,
        hot.next_worker_check_ms,
        hot.next_ageing_ms,
        hot.buckets.next_ms,
        hot.batches.next_ms,
        hot.pauses.next_ms,
    )
    return min((due for due in dues if due is not None), default=None)


def end_backoffs(turn: Turn, rows: list[asyncpg.Record]) -> None:
    """Backoffs that are over: back into the queue, ahead of user priorities (RT-5, Q-6)."""
    for row in rows:
        turn.moved.add(row["task_id"])
        turn.plan.delayed_removed.append(row["task_id"])
        enqueue(
            turn,
            task_id=row["task_id"],
            tenant_id=row["tenant_id"],
            step=step_of(turn.hot, row),
            priority=PRIORITY_AGAIN,
            attempt=row["attempt"],
            app_retries=row["app_retries"],
            internal_retries=row["internal_retries"],
            demand=read_demand(row["demand"]),
            run_id=row["run_id"],
        )


def end_waits(turn: Turn, rows: list[asyncpg.Record]) -> None:
    """Schedule timeouts: cancelled, not retried (TO-2)."""
    for row in rows:
        step = step_of(turn.hot, row)
        turn.moved.add(row["task_id"])
        item = step.queue.items.get(row["task_id"]) or item_from_row(turn.hot, row)
        if turn.hot.pauses and hold(turn, item):
            continue
        end_queued(
            turn,
            item,
            EventKind.SCHEDULING_TIMED_OUT,
            f"No worker took the task within {format_ms(step.schedule_timeout_ms)}",
        )


def end_parked(turn: Turn, rows: list[asyncpg.Record]) -> None:
    """Schedule timeouts of those who stand in lines (CON-13, RL-13)."""
    for row in rows:
        item = parked_item(turn.hot, row)
        turn.moved.add(item.task_id)
        reason = f"Was not let go within {format_ms(item.step.schedule_timeout_ms)}"
        if read_no_worker_line(row["line"]) is not None:
            thing = turn.hot.pauses.of(item)
            if thing is not None:
                leave_line(turn, item)
                park_paused(turn, item, thing)
                continue
            reason = f"No worker qualified within {format_ms(item.step.schedule_timeout_ms)}"
        if item.whole:
            _end_waiting_run(turn, item, reason)
        else:
            end_queued(turn, item, EventKind.SCHEDULING_TIMED_OUT, reason)


def _end_waiting_run(turn: Turn, item: Queued, reason: str) -> None:
    leave_line(turn, item)
    item.gone = True
    release(turn, item.task_id)
    dag = turn.hot.dags.get(item.task_id)
    if dag is None:
        return
    positions = ready(dag)
    for position in positions:
        turn.member_cancels.append(MemberCancel(dag.run_id, dag.tenant_id, position, reason))
    if not positions:  # its on-failure task alone was to be replayed
        turn.starts.append((dag, [], False))


def call_due(turn: Turn, buckets: list[Bucket]) -> None:
    """Rate limits that may have units again."""
    for bucket in buckets:
        call_waiting(turn, bucket)


def end_sleeps(turn: Turn, rows: list[asyncpg.Record]) -> None:
    """Sleeps of conditions that are over (DAG-18)."""
    for row in rows:
        condition = step_of(turn.hot, row).conditions[row["position"]]
        data = orjson.dumps({"sleep_duration": condition.sleep}).decode()
        turn.hits.append(
            Hit(
                row["task_id"],
                row["run_id"],
                row["tenant_id"],
                row["position"],
                data,
                row["due_ms"],
            )
        )


def end_overdue(turn: Turn) -> None:
    """Execution timeouts: a failure of the user's, and the worker is told to stop (TO-7)."""
    hot = turn.hot
    due = hot.next_deadline_ms
    if due is None or due > turn.now_ms:
        return
    overdue = [running for running in hot.running.values() if running.deadline_ms <= turn.now_ms]
    for running in overdue:
        limit = format_ms(running.deadline_ms - running.assigned_ms)
        if running.batch is None:
            error = f"Task exceeded timeout of {limit}"
        else:
            error = f"Task failed due to batch timeout, exceeded timeout of {limit}"
        for one in running.together:  # a batch fails as a whole (TO-11)
            tell_worker(turn, one, error)
            fail(turn, one, error, kind=EventKind.TIMED_OUT)
    hot.next_deadline_ms = min(
        (running.deadline_ms for running in hot.running.values()), default=None
    )


def check_workers(turn: Turn) -> None:
    """Workers that fell silent lose their tasks (WK-9)."""
    hot = turn.hot
    if hot.next_worker_check_ms is None or hot.next_worker_check_ms > turn.now_ms:
        return
    for worker in list(hot.workers.values()):
        if worker.heartbeat_ms + turn.limits.heartbeat_timeout_ms <= turn.now_ms:
            _bury(turn, worker)
        elif worker.lost_check_ms is not None and worker.lost_check_ms <= turn.now_ms:
            _give_up_lost(turn, worker)
    turn.schedule_worker_check()


def _bury(turn: Turn, worker: Worker) -> None:
    session = worker.session
    turn.hot.remove_worker(worker)
    turn.wake_queues(worker)
    turn.plan.workers_left.append(worker.id)
    for running in list(worker.running.values()):
        reassign(turn, running, f"Worker {worker.name} sent no heartbeat in time")
    if session is not None:
        turn.sessions_to_close.append((session, "no heartbeat in time"))


def _give_up_lost(turn: Turn, worker: Worker) -> None:
    """Start messages that were on their way when the stream broke and that nobody confirmed."""
    worker.lost_check_ms = None
    for task_id, attempt in worker.maybe_lost.items():
        running = worker.running.get(task_id)
        if running is not None and running.attempt == attempt and running.started_ms is None:
            reassign(turn, running, f"Worker {worker.name} lost its stream before it had begun")
