"""Cancelling (CX-*)."""

from __future__ import annotations

from uuid import UUID

from hatchet_engine.domain.dag import Member
from hatchet_engine.turn.commands import CancelTasks
from hatchet_engine.turn.dags import Dag
from hatchet_engine.turn.lifecycle import cancel_running
from hatchet_engine.turn.state import MemberCancel, Turn
from hatchet_engine.turn.waiting import (
    Found,
    end_new,
    end_waiting_anywhere,
    forget_parked_run,
)


def cancel(turn: Turn, command: CancelTasks) -> list[UUID]:
    """Cancel what still lives; the rest is left alone. Final at once: no worker is waited for."""
    ids, found, members = turn.loaded.pop(id(command))
    cancelled = []
    for id_ in ids:
        dag = turn.hot.dags.get(id_)
        if dag is None:
            done = _cancel_task(turn, command, id_, found, members)
        else:
            done = dag.tenant_id == command.tenant_id and _cancel_run(turn, command, dag, found)
        if done:
            cancelled.append(id_)
    return cancelled


def _cancel_run(turn: Turn, command: CancelTasks, dag: Dag, found: Found) -> bool:
    """All tasks of a run. An on-failure task that has not begun is left to its own rule (OF-2)."""
    done = False
    forget_parked_run(turn, dag.run_id, found)
    for position, state in enumerate(dag.states):
        if state.final or (position == dag.version.on_failure and state is Member.PENDING):
            continue
        done |= _cancel_member(turn, command, dag, position, found)
    if not done and dag.unended:  # it waited for a place, to replay its on-failure task alone
        turn.starts.append((dag, [], False))
        return True
    return done


def _cancel_task(
    turn: Turn,
    command: CancelTasks,
    task_id: UUID,
    found: Found,
    members: dict[UUID, tuple[UUID, int]],
) -> bool:
    """``members``: run and position of those tasks that belong to a run."""
    member = members.get(task_id)
    if member is not None:
        dag = turn.hot.dags.get(member[0])
        if dag is None or dag.tenant_id != command.tenant_id or dag.states[member[1]].final:
            return False
        return _cancel_member(turn, command, dag, member[1], found)
    return _cancel_begun(turn, command, task_id, found)


def _cancel_member(turn: Turn, command: CancelTasks, dag: Dag, position: int, found: Found) -> bool:
    task_id = dag.task_ids[position]
    if task_id in turn.left and task_id not in turn.hot.running:
        # It has left its worker in this very turn: it has ended, or is to be tried again.
        return end_new(turn, command.tenant_id, task_id, command.reason)
    if not _cancel_begun(turn, command, task_id, found):
        turn.member_cancels.append(
            MemberCancel(dag.run_id, dag.tenant_id, position, command.reason)
        )
    return True


def _cancel_begun(turn: Turn, command: CancelTasks, task_id: UUID, found: Found) -> bool:
    running = turn.hot.running.get(task_id)
    if running is not None:
        if running.tenant_id != command.tenant_id:
            return False
        cancel_running(turn, running, command.reason)
        return True
    return end_waiting_anywhere(turn, command.tenant_id, task_id, found, command.reason)
