"""States of tasks and runs, and the kinds of task events.

A task's state is not stored while it lives: it follows from the hot row that holds it
(``queue_item``, ``parked_item`` or ``delayed_item``: QUEUED, ``assignment``: RUNNING) and, once it
ended, from its ``outcome`` row. So no state can contradict the row that acts on it.
"""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """Public status of a task or run; the numbers are those of the wire (v1.RunStatus)."""

    QUEUED = 0
    RUNNING = 1
    COMPLETED = 2
    FAILED = 3
    CANCELLED = 4

    @property
    def final(self) -> bool:
        return self >= Status.COMPLETED


class TaskKind(IntEnum):
    """What a row of the ``task`` table is."""

    STANDALONE = 0  # a run that is one task; its run id is its own id
    DAG = 1  # a run made of members
    MEMBER = 2  # a task of a DAG run


class EventKind(IntEnum):
    """Kinds of rows in ``task_event``; names are those of the REST API where it has one.

    CREATED, QUEUED, ASSIGNED, STARTED, FINISHED of the last attempt are not rows: they are
    derived from ``task``, ``assignment`` and ``outcome``.
    """

    ATTEMPT_FAILED = 1  # an attempt failed and another follows; data: assigned_ms, started_ms
    RETRYING = 2  # data: delay_ms
    TIMED_OUT = 3  # the attempt exceeded its execution timeout; data as ATTEMPT_FAILED
    REASSIGNED = 4  # lost with its worker or on the way to it; data as ATTEMPT_FAILED
    SCHEDULING_TIMED_OUT = 5
    CANCELLED = 6
    RETRIED_BY_USER = 7  # a replay
    SLOT_RELEASED = 8
    TIMEOUT_REFRESHED = 9  # data: deadline_ms
    REQUEUED_NO_WORKER = 10
    LATE_REPORT_REFUSED = 11  # a report for an attempt that is over
    ENDED = 12  # the end that a replay took back; message: error or output; data: status and times
    WAITING = 13  # for times and events; message: what for, in words
    CONDITION_MET = 14  # message: the data it brought (JSON); data: key, action
    CONDITION_FAILED = 15  # its expression can't be evaluated; message: expression and reason
    SKIPPED = 16  # message: why
    REQUEUED_RATE_LIMIT = 17  # units are lacking; message: which and how many
    WAITING_FOR_BATCH = 18
    BATCH_FLUSHED = 19  # in a batch on its way to a worker; message: why; data: batch_id, size


# Rank of a queued task: lower goes first. Users have priorities 1..3; what has run before
# (retries, replays, lost workers) goes ahead of all of them.
PRIORITY_MIN = 1
PRIORITY_MAX = 3
PRIORITY_DEFAULT = 1
PRIORITY_AGAIN = 4
