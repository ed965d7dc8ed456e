"""Reads runs of several tasks, and what their tasks wait for, into memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from hatchet_engine.domain import ids
from hatchet_engine.domain.dag import Member, member_of
from hatchet_engine.domain.demand import Demand, read_demand
from hatchet_engine.domain.states import EventKind, Status
from hatchet_engine.store import history, lines, queue, waits
from hatchet_engine.turn.dags import Dag
from hatchet_engine.turn.queues import KEPT_INPUT_MAX
from hatchet_engine.turn.register import load_versions
from hatchet_engine.turn.settle import Waits
from hatchet_engine.turn.state import Hit, Hot, MemberCancel, MemberEnd, Turn
from hatchet_engine.turn.times import to_ms
from hatchet_engine.turn.waiting import Found


async def load_dags(
    connection: asyncpg.Connection, turn: Turn, tenant_id: UUID, run_ids: Sequence[UUID]
) -> list[Dag]:
    """These runs of a tenant, from memory or read into it; ids of other things are passed over, and
    so are runs that have ended in this turn: what the tables say of them is no longer true."""
    hot = turn.hot
    missing = [
        run_id
        for run_id in dict.fromkeys(run_ids)
        if hot.dags.get(run_id) is None and run_id not in turn.ended_runs
    ]
    if missing:
        rows = await history.task_get_many(connection, tenant_id, missing)
        await load_versions(connection, hot, {row["version_id"] for row in rows})
        members: dict[UUID, list[Any]] = {}
        for row in await history.task_members(connection, tenant_id, missing, KEPT_INPUT_MAX):
            members.setdefault(row["run_id"], []).append(row)
        limited = [row["id"] for row in rows if row["demand"] is not None]
        parked = await lines.parked_find_many(connection, limited) if limited else []
        waiting = {row["task_id"] for row in parked}
        for row in rows:
            if row["id"] in members:
                dag = _dag(hot, row, members[row["id"]])
                if dag.run_id not in waiting:  # to begin
                    _mark_begun(dag)
                hot.dags.add(dag)
        await _load_replays(connection, hot, list(members))
    found = (hot.dags.get(run_id) for run_id in dict.fromkeys(run_ids))
    return [dag for dag in found if dag is not None]


def _dag(hot: Hot, row: Any, members: list[Any]) -> Dag:
    demand = read_demand(row["demand"])
    dag = Dag(
        run_id=row["id"],
        version=hot.definitions.versions[row["version_id"]],
        task_ids=[member["id"] for member in members],
        priority=row["priority"],
        input=row["input"] if len(row["input"]) <= KEPT_INPUT_MAX else None,
        metadata=row["metadata"] or "",
        created_ms=ids.time_ms(row["id"]),
        demand=_for_tasks(demand),
        places=demand.places if demand is not None else (),
        parent_task_id=row["parent_task_id"],
        child_index=row["child_index"],
        child_key=row["child_key"],
        filter_payload=row["filter_payload"],
    )
    for at, member in enumerate(members):
        if member["status"] is None:
            continue
        state = dag.states[at] = member_of(Status(member["status"]), member["skipped"])
        dag.attempts[at] = member["attempt"]
        if member["output_known"]:
            dag.outputs[at] = member["output"]
        if state is Member.FAILED:
            dag.errors[at] = member["error"] or ""
        if member["begun_at"] is not None:
            begun_ms = to_ms(member["begun_at"])
            dag.begun_ms = begun_ms if dag.begun_ms is None else min(dag.begun_ms, begun_ms)
    ended = [(row["finished_at"], at) for at, row in enumerate(members) if row["worker_id"]]
    for _, at in sorted(ended):
        dag.ended_on(at, members[at]["worker_id"])
    dag.recount()
    return dag


def _for_tasks(demand: Demand | None) -> Demand | None:
    """What a run's tasks take over: the worker and the labels, not the places."""
    if demand is None or not (demand.worker_id or demand.labels):
        return None
    return Demand(worker_id=demand.worker_id, labels=demand.labels)


def _mark_begun(dag: Dag) -> None:
    """Every turn follows consequences to the end, so what could begin has begun."""
    for step in dag.version.steps:
        if dag.states[step.index] is Member.PENDING:
            failed = any(state is Member.FAILED for state in dag.states)
            ready = failed if step.on_failure else dag.pending_parents[step.index] == 0
            if ready:
                dag.states[step.index] = Member.BEGUN


async def _load_replays(connection: asyncpg.Connection, hot: Hot, run_ids: list[UUID]) -> None:
    dags = [dag for run_id in run_ids if (dag := hot.dags.get(run_id)) is not None]
    wanted = [dag.run_id for dag in dags]
    for dag in dags:
        wanted += [
            task_id
            for task_id, state in zip(dag.task_ids, dag.states, strict=True)
            if not state.final
        ]
    if not wanted:
        return
    found = await history.event_replays(connection, wanted, EventKind.RETRIED_BY_USER.value)
    if found:
        for dag in dags:
            dag.replays = found.get(dag.run_id, 0)
            for at, task_id in enumerate(dag.task_ids):
                dag.attempts[at] = found.get(task_id, dag.attempts[at])


async def load_outputs(connection: asyncpg.Connection, dag: Dag, positions: Sequence[int]) -> None:
    """Outputs too large to be kept, for this turn."""
    missing = [
        at for at in positions if dag.states[at] is Member.COMPLETED and at not in dag.outputs
    ]
    if missing:
        task_ids = [dag.task_ids[at] for at in missing]
        texts = await history.outcome_texts(connection, dag.tenant_id, task_ids)
        for at in missing:
            dag.outputs[at] = texts.get(dag.task_ids[at])


async def load_input(connection: asyncpg.Connection, dag: Dag) -> str:
    """The input of a run, too large to be kept."""
    rows = await history.task_get_many(connection, dag.tenant_id, [dag.run_id])
    return rows[0]["input"] if rows else "{}"


async def load_triggers(connection: asyncpg.Connection, dag: Dag, position: int) -> None:
    """Data of the conditions that released a task."""
    if position not in dag.triggers and dag.version.steps[position].conditions:
        task_id = dag.task_ids[position]
        kind = EventKind.CONDITION_MET.value
        found = await history.event_messages(connection, [task_id], kind)
        if task_id in found:
            dag.triggers[position] = found[task_id]


async def load_noted(connection: asyncpg.Connection, turn: Turn) -> Waits:
    """What :func:`settle` needs: the runs of all that was noted, and the waits that were hit."""
    runs: dict[UUID, list[UUID]] = {}
    happened: list[MemberEnd | MemberCancel | Hit] = [
        *turn.ends,
        *turn.member_cancels,
        *turn.hits,
    ]
    for noted in happened:
        runs.setdefault(noted.tenant_id, []).append(noted.run_id)
    for tenant_id, run_id in turn.admitted_runs:
        runs.setdefault(tenant_id, []).append(run_id)
    for tenant_id, run_ids in runs.items():
        await load_dags(connection, turn, tenant_id, run_ids)
    for dag, positions in turn.postponed:
        for position in positions:
            turn.touched.add(dag)
            if dag.input is None:
                dag.input = await load_input(connection, dag)
            step = dag.version.steps[position]
            batched = step.asks is not None and step.asks.batched
            await load_outputs(connection, dag, step.ancestors if batched else step.parents)
    if not turn.hits:
        return Waits()
    return await _waits(connection, turn)


async def find_waiting(
    connection: asyncpg.Connection, keys: list[tuple[int, UUID]], found: Found
) -> None:
    """Where tasks stand that hold no worker; ``keys``: queue and task id."""
    task_ids = [key[1] for key in keys]
    for row in await queue.find_many(connection, keys):
        found.queued[row["task_id"]] = row
    for row in await queue.delayed_find_many(connection, task_ids):
        found.delayed[row["task_id"]] = row
    for row in await lines.parked_find_many(connection, task_ids):
        found.parked[row["task_id"]] = row


async def _waits(connection: asyncpg.Connection, turn: Turn) -> Waits:
    task_ids = list(dict.fromkeys(hit.task_id for hit in turn.hits))
    rows: dict[UUID, list[asyncpg.Record]] = {}
    for row in await waits.find_many(connection, task_ids):
        rows.setdefault(row["task_id"], []).append(row)
    found = Found()
    keys = []
    for task_id, of_task in rows.items():
        version = turn.hot.definitions.versions[of_task[0]["version_id"]]
        step = version.steps[of_task[0]["step"]]
        if step.watched:
            keys.append((step.queue.id, task_id))
    if keys:
        await find_waiting(connection, keys, found)
    return Waits(rows, found)
