"""Running finished work again (RP-*)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import orjson

from hatchet_engine.domain.dag import Member, descendants
from hatchet_engine.domain.demand import read_demand
from hatchet_engine.domain.errors import Code, Refused, not_found
from hatchet_engine.domain.states import PRIORITY_AGAIN, EventKind, Status, TaskKind
from hatchet_engine.turn.asks import AskError
from hatchet_engine.turn.begin import ready
from hatchet_engine.turn.commands import ReplayTasks
from hatchet_engine.turn.dags import Dag
from hatchet_engine.turn.demands import demand_of_single, end_at_once, waiting_run
from hatchet_engine.turn.entering import arrive
from hatchet_engine.turn.lifecycle import enqueue
from hatchet_engine.turn.state import Turn


@dataclass(slots=True)
class Selected:
    """What is to be replayed, as the tables have it; rows and ends by task or run id."""

    ids: list[UUID]
    tasks: dict[UUID, asyncpg.Record]
    ended: dict[UUID, asyncpg.Record]
    dags: dict[UUID, Dag]


def replay(turn: Turn, command: ReplayTasks) -> list[UUID]:
    """Queue finished tasks again: same ids, next attempt, fresh retry budgets, same version and
    input (RP-3)."""
    chosen: Selected = turn.loaded.pop(id(command))
    if command.filter is None and not command.lenient:
        _refuse_what_lives(turn, chosen)
    replayed: list[UUID] = []
    members: dict[UUID, set[int]] = {}
    for id_ in chosen.ids:
        task = chosen.tasks.get(id_)
        if task is None or _run_id(task) not in chosen.ended or _run_id(task) in turn.moved:
            continue
        if task["kind"] == TaskKind.STANDALONE:
            turn.moved.add(id_)
            _replay_one(turn, task, chosen.ended[id_])
            replayed.append(id_)
        else:
            members.setdefault(task["run_id"], set()).update(_positions(chosen.dags, task))
    for run_id, positions in members.items():
        turn.moved.add(run_id)
        replayed += _replay_members(turn, chosen.dags[run_id], positions, chosen.ended)
    return replayed


def _run_id(task: asyncpg.Record) -> UUID:
    run_id: UUID = task["run_id"]
    return run_id


def _refuse_what_lives(turn: Turn, chosen: Selected) -> None:
    unknown = [id_ for id_ in chosen.ids if id_ not in chosen.tasks]
    if unknown:
        raise not_found(f"external_ids: there is no run or task {unknown[0]}")
    for id_ in chosen.ids:
        run_id = _run_id(chosen.tasks[id_])
        if run_id not in chosen.ended or run_id in turn.moved:
            raise Refused(
                Code.FAILED_PRECONDITION,
                f"external_ids: run {run_id} has not ended, so it can't be replayed; "
                "wait for its end or cancel it first",
                field="external_ids",
            )


def _positions(dags: dict[UUID, Dag], task: asyncpg.Record) -> Iterable[int]:
    """A run means all its tasks; a task means itself and its descendants (RP-2)."""
    steps = dags[task["run_id"]].version.steps
    if task["kind"] == TaskKind.DAG:
        return range(len(steps))
    return descendants([step.children for step in steps], [task["step"]])


def _replay_members(
    turn: Turn, dag: Dag, positions: set[int], ended: dict[UUID, asyncpg.Record]
) -> list[UUID]:
    if dag.version.on_failure is not None:
        positions = positions | {dag.version.on_failure}  # armed again (RP-7)
    dag.replays += 1
    plan = turn.plan
    plan.outcomes_removed.append((dag.tenant_id, dag.run_id))
    plan.event(EventKind.RETRIED_BY_USER, dag.tenant_id, dag.run_id, dag.replays)
    for at in positions:
        task_id = dag.task_ids[at]
        _take_back(turn, dag.tenant_id, task_id, ended[task_id])
        dag.states[at] = Member.PENDING
        dag.attempts[at] = ended[task_id]["attempt"] + 1
        for known in (dag.outputs, dag.errors, dag.triggers, dag.workers):
            known.pop(at, None)
    dag.recount()
    turn.hot.dags.add(dag)
    if dag.places:
        arrive(turn, waiting_run(turn, dag, PRIORITY_AGAIN))
    else:
        turn.starts.append((dag, ready(dag), True))
    return [dag.task_ids[at] for at in sorted(positions)]


def _replay_one(turn: Turn, task: asyncpg.Record, outcome: asyncpg.Record) -> None:
    task_id, tenant_id = task["id"], task["tenant_id"]
    _take_back(turn, tenant_id, task_id, outcome)
    version = turn.hot.definitions.versions[task["version_id"]]
    step = version.steps[task["step"]]
    attempt = outcome["attempt"] + 1
    base = read_demand(task["demand"])
    try:  # keys are worked out again, from the same input (CON-16)
        demand = demand_of_single(turn, step, task_id, task["input"], task["metadata"], base)
    except AskError as error:
        end_at_once(turn, step, task_id, attempt, str(error))
        return
    enqueue(
        turn,
        task_id=task_id,
        tenant_id=tenant_id,
        step=step,
        priority=PRIORITY_AGAIN,
        attempt=attempt,
        demand=demand,
    )


def _take_back(turn: Turn, tenant_id: UUID, task_id: UUID, outcome: asyncpg.Record) -> None:
    """Turn an end into an event of the task's history."""
    attempt = outcome["attempt"]
    turn.plan.outcomes_removed.append((tenant_id, task_id))
    status = Status(outcome["status"])
    turn.plan.event(
        EventKind.ENDED,
        tenant_id,
        task_id,
        attempt,
        outcome["worker_id"],
        outcome["output"] if status is Status.COMPLETED else outcome["error"],
        orjson.dumps(
            {
                "status": status.value,
                "assigned_at": outcome["assigned_at"],
                "started_at": outcome["started_at"],
                "finished_at": outcome["finished_at"],
            }
        ).decode(),
    )
    turn.plan.event(EventKind.RETRIED_BY_USER, tenant_id, task_id, attempt + 1)
