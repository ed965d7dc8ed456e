"""What follows from the ends of tasks and from met conditions, to the end, within the turn.

During a turn commands and timers only note what has happened to tasks of runs (ends, cancels, hits
of conditions, replays). Here it is followed up, once the runs are in memory: children begin, wait,
are skipped or cancelled; runs end. Within a turn timers come before commands, and waits that begin
come after all of them: an event and a wait that race are decided by the order of their commits, and
a sleep that is due goes before an event of the same turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TypeVar
from uuid import UUID

import asyncpg

from hatchet_engine.domain import dag as rules
from hatchet_engine.domain.conditions import CANCEL, QUEUE, Verdict, resume, waits_to_start
from hatchet_engine.domain.dag import SKIPPED_OUTPUT, Member
from hatchet_engine.domain.definition import Condition
from hatchet_engine.domain.states import Status, TaskKind
from hatchet_engine.turn.begin import begin, enqueue_member, joined_data, ready
from hatchet_engine.turn.dags import Dag
from hatchet_engine.turn.deliveries import TaskResult
from hatchet_engine.turn.ends import end_member, tell
from hatchet_engine.turn.entering import leave_line, release
from hatchet_engine.turn.lines import place_line
from hatchet_engine.turn.state import FinishedRun, Hit, MemberCancel, MemberEnd, Turn
from hatchet_engine.turn.waiting import Found, end_waiting_anywhere

T = TypeVar("T")


@dataclass(slots=True)
class Waits:
    """What the tables say about tasks that wait for conditions which were met."""

    rows: Mapping[UUID, Sequence[asyncpg.Record]] = field(default_factory=dict)  # by task
    found: Found = field(default_factory=Found)  # those of them that stand in a queue already


def settle(turn: Turn, waits: Waits) -> None:
    """Follow up everything noted so far. What can't be decided before an output is read is noted
    again."""
    work: dict[Dag, deque[int]] = {}
    for end in _taken(turn.ends):
        _apply_end(turn, end, work)
    for cancel in _taken(turn.member_cancels):
        _apply_cancel(turn, cancel, work)
    by_task: dict[UUID, list[Hit]] = {}
    for hit in _taken(turn.hits):
        by_task.setdefault(hit.task_id, []).append(hit)
    for task_id, hits in by_task.items():
        _apply_hits(turn, task_id, hits, waits, work)
    _begin_admitted(turn)
    for dag, positions, chosen in _taken(turn.starts):
        ended = work.setdefault(dag, deque())
        for position in positions:
            if dag.states[position] is Member.PENDING:
                begin(turn, dag, position, ended, chosen=chosen)
        if chosen:
            _follow_old_failures(turn, dag, positions, ended)
    for dag, positions in _taken(turn.postponed):
        ended = work.setdefault(dag, deque())
        for position in positions:
            begin(turn, dag, position, ended)
    for dag, ended in work.items():
        propagate(turn, dag, ended)


def _begin_admitted(turn: Turn) -> None:
    """Runs that have got their places begin, or go on where a replay has put them."""
    for _, run_id in _taken(turn.admitted_runs):
        dag = turn.hot.dags.get(run_id)
        if dag is None or dag.unended == 0:
            release(turn, run_id)
        else:
            turn.starts.append((dag, ready(dag), dag.replays > 0))


def _taken(noted: list[T]) -> list[T]:
    taken = noted[:]
    noted.clear()
    return taken


def propagate(turn: Turn, dag: Dag, ended: deque[int]) -> None:
    """Follow the tasks that ended to their children, and theirs, until nothing more happens."""
    version = dag.version
    failed = False
    while True:
        while ended:
            position = ended.popleft()
            state = dag.states[position]
            failed = failed or state is Member.FAILED
            for child in version.steps[position].children:
                dag.pending_parents[child] -= 1
                if dag.states[child] is not Member.PENDING:
                    continue
                if not state.done:
                    end_member(turn, dag, child, Member.CANCELLED, None)
                    ended.append(child)
                elif dag.pending_parents[child] == 0:
                    begin(turn, dag, child, ended)
        if not _arm_on_failure(turn, dag, ended, failed):
            break
    if dag.unended == 0:
        end_run(turn, dag)


def _follow_old_failures(turn: Turn, dag: Dag, chosen: list[int], ended: deque[int]) -> None:
    """After a replay of a part: tasks outside of it that failed or were cancelled still cancel what
    follows from them, save what was ``chosen``, and a failure lets the on-failure task run."""
    for step in dag.version.steps:  # parents stand before their children
        at = step.index
        if dag.states[at] is not Member.PENDING or at in chosen:
            continue
        if rules.doomed(dag.parents(step)) is not None:
            end_member(turn, dag, at, Member.CANCELLED, None)
            ended.append(at)
        elif step.on_failure and any(state is Member.FAILED for state in dag.states):
            begin(turn, dag, at, ended)


def _arm_on_failure(turn: Turn, dag: Dag, ended: deque[int], failed: bool) -> bool:
    """Let the on-failure task run or be skipped; whether that was an end to follow."""
    position = dag.version.on_failure
    if position is None or dag.states[position] is not Member.PENDING:
        return False
    if not failed and dag.unended > 1:
        return False
    others = [state for at, state in enumerate(dag.states) if at != position]
    fate = rules.on_failure(others)
    if fate is Member.BEGUN:
        begin(turn, dag, position, ended)
    elif fate is Member.SKIPPED:
        end_member(turn, dag, position, Member.SKIPPED, "No task of the run failed")
        ended.append(position)
    return bool(ended)


# ---------------------------------------------------------------- what has happened


def _apply_end(turn: Turn, end: MemberEnd, work: dict[Dag, deque[int]]) -> None:
    dag = turn.hot.dags.get(end.run_id)
    position = end.step.index
    if dag is None or dag.states[position].final:
        return  # its history was dropped by retention
    state = rules.member_of(end.status, skipped=False)
    dag.states[position] = state
    dag.unended -= 1
    if end.begun_ms is not None:
        dag.begun_ms = end.begun_ms if dag.begun_ms is None else min(dag.begun_ms, end.begun_ms)
    if state is Member.COMPLETED:
        dag.outputs[position] = end.output
        turn.touched.add(dag)
    elif state is Member.FAILED:
        dag.errors[position] = end.error or ""
    dag.attempts[position] = end.attempt
    if end.worker_id is not None:
        dag.ended_on(position, end.worker_id)
    tell(turn, dag, position, end.status, end.output, end.error)
    work.setdefault(dag, deque()).append(position)


def _apply_cancel(turn: Turn, cancel: MemberCancel, work: dict[Dag, deque[int]]) -> None:
    dag = turn.hot.dags.get(cancel.run_id)
    if dag is None or dag.states[cancel.position].final:
        return
    if dag.states[cancel.position] is Member.BEGUN:
        turn.plan.forget_waits(dag.task_ids[cancel.position])
    end_member(turn, dag, cancel.position, Member.CANCELLED, cancel.reason)
    work.setdefault(dag, deque()).append(cancel.position)


def _apply_hits(
    turn: Turn, task_id: UUID, hits: list[Hit], waits: Waits, work: dict[Dag, deque[int]]
) -> None:
    rows = waits.rows.get(task_id, ())
    dag = turn.hot.dags.get(hits[0].run_id)
    if not rows or dag is None or task_id in turn.plan.waits_removed:
        return
    position = rows[0]["step"]
    if dag.states[position] is not Member.BEGUN:
        return
    conditions = dag.version.steps[position].conditions
    met = {row["position"]: row["met"] for row in rows}
    data: dict[int, str] = {row["position"]: row["data"] for row in rows if row["met"]}
    held = waits_to_start(conditions, met)
    for _, of_moment in groupby(hits, key=lambda hit: hit.moment):
        for hit in of_moment:
            if met.get(hit.position, True):
                continue  # a repeat, or a condition that was dropped
            met[hit.position] = True
            data[hit.position] = hit.data
            turn.plan.waits_met[task_id, hit.position] = hit.data
        verdict = resume(conditions, met)
        if verdict is not Verdict.WAIT:
            ended = work.setdefault(dag, deque())
            _fire(turn, dag, position, verdict, data, list(met), held, waits, ended)
            if verdict is not Verdict.READY:
                return
            # It stands in its queue; what came later in this turn may still cancel it.
            met = {at: one for at, one in met.items() if conditions[at].action == CANCEL}
            held = False


def _fire(
    turn: Turn,
    dag: Dag,
    position: int,
    verdict: Verdict,
    data: dict[int, str],
    watched: list[int],
    held: bool,
    waits: Waits,
    ended: deque[int],
) -> None:
    """The conditions of a task have decided."""
    step = dag.version.steps[position]
    task_id = dag.task_ids[position]
    keep: set[int] = set()
    if verdict is Verdict.READY:
        keep = {at for at in watched if step.conditions[at].action == CANCEL}
    for at in watched:
        if at not in keep:
            turn.plan.waits_met.pop((task_id, at), None)
    if verdict is Verdict.READY:
        if keep:
            turn.plan.waits_dropped += [(task_id, at) for at in watched if at not in keep]
        else:
            turn.plan.forget_waits(task_id)
        dag.triggers[position] = joined_data(
            step, {at: text for at, text in data.items() if step.conditions[at].action == QUEUE}
        )
        enqueue_member(turn, dag, position, ended)
        return
    turn.plan.forget_waits(task_id)
    cause = _words(step.conditions, data, verdict)
    if verdict is Verdict.SKIP:
        end_member(turn, dag, position, Member.SKIPPED, f"skip_if was met: {cause}")
        ended.append(position)
    elif held:
        end_member(turn, dag, position, Member.CANCELLED, f"cancel_if was met: {cause}")
        ended.append(position)
    else:
        # It stands in a queue; taking it out notes its end, which is settled next.
        reason = f"cancel_if was met: {cause}"
        end_waiting_anywhere(turn, dag.tenant_id, task_id, waits.found, reason)


def _words(conditions: Sequence[Condition], data: dict[int, str], verdict: Verdict) -> str:
    action = "SKIP" if verdict is Verdict.SKIP else "CANCEL"
    names = [conditions[at].data_key for at in data if conditions[at].action == action]
    return ", ".join(names)


# ---------------------------------------------------------------- ends


def end_run(turn: Turn, dag: Dag) -> None:
    """All tasks of the run have ended (RS-1)."""
    status = rules.run_status(dag.states)
    turn.plan.end(
        dag.tenant_id,
        dag.run_id,
        TaskKind.DAG,
        status,
        dag.replays,
        None,
        begun_ms=dag.begun_ms,
    )
    positions = list(range(len(dag.states)))
    tasks = [_result(dag, at) for at in positions] if dag.knows_outputs(positions) else None
    turn.finished_runs.append(FinishedRun(dag.run_id, dag.tenant_id, status, tasks, dag.version))
    turn.ended_runs.add(dag.run_id)
    turn.hot.dags.remove(dag.run_id)
    _stop_waiting(turn, dag)
    release(turn, dag.run_id)


def _stop_waiting(turn: Turn, dag: Dag) -> None:
    """A run that ends task by task may still wait for its next place."""
    line_id = _next_place(turn, dag)
    if line_id is None or dag.run_id in turn.moved:
        return
    for arrival in turn.arrivals:
        if arrival.task_id == dag.run_id:
            arrival.gone = True
            return
    line = turn.hot.lines.get(line_id)
    item = turn.plan.parked.get(dag.run_id) or line.items.get(dag.run_id)
    if item is not None:
        leave_line(turn, item)
        item.gone = True
    elif not line.complete and dag.run_id not in turn.plan.parked_removed:
        line.depth -= 1  # it is in the table only
        turn.plan.parked_removed.add(dag.run_id)


def _next_place(turn: Turn, dag: Dag) -> str | None:
    """The line of the first place that a run does not hold."""
    held = {group.id for group in turn.hot.groups.held.get(dag.run_id, ())}
    wanted = (
        place_line(rule.limit_id, place.key)
        for rule, place in zip(dag.version.rules, dag.places, strict=False)
    )
    return next((line for line in wanted if line not in held), None)


def _result(dag: Dag, position: int) -> TaskResult:
    state = dag.states[position]
    status = Status.COMPLETED if state is Member.SKIPPED else Status(state.value)
    output = SKIPPED_OUTPUT if state is Member.SKIPPED else dag.outputs.get(position)
    name = dag.version.steps[position].name
    return TaskResult(dag.task_ids[position], name, status, output, dag.errors.get(position))
