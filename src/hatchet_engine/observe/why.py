"""Why does a task not run? From the row where it stands, and from what the engine has in memory.

Reads only, and no turn: an answer is as good as the moment in which it is given. On a node that
does not own the shard there is no memory to ask, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import asyncpg

from hatchet_engine.domain.states import TaskKind
from hatchet_engine.domain.why import Answer, Blocker, Kind, Place, moment
from hatchet_engine.observe.pauses import holding_all_of, pauses_on
from hatchet_engine.observe.rows import TaskRow, member_rows, task_rows
from hatchet_engine.observe.standing import (
    LINE,
    QUEUE,
    Standing,
    awaited,
    meters,
    place_of,
    standings,
    with_holders,
)
from hatchet_engine.observe.times import to_ms
from hatchet_engine.observe.why_scheduled import answer_of_scheduled, scheduled_of
from hatchet_engine.observe.why_task import Facts, blockers_of, definition_of, run_blockers
from hatchet_engine.turn.commands import PauseKind
from hatchet_engine.turn.entering import NEVER_MS
from hatchet_engine.turn.lines import is_batch_line, is_pause_line, is_place_line, is_units_line
from hatchet_engine.turn.state import Hot
from hatchet_engine.turn.why_limits import key_of, meters_of

TASKS_MAX = 100  # unfinished tasks of one run that are looked at
STANDBY_TEXT = (
    "This node does not own the shard: who holds a place and what workers have free is known on "
    "the node that does."
)


async def explain(
    pool: asyncpg.Pool, hot: Hot | None, tenant_id: UUID, id: UUID, now_ms: int
) -> Answer | None:
    """The answer for a task, a run or a scheduled run; None for an unknown id. ``hot`` None: this
    node does not own the shard. A scheduled run that has fired is told as the run it has made.
    """
    rows = await task_rows(pool, tenant_id, [id], payloads=False)
    if not rows:
        row = await scheduled_of(pool, tenant_id, id)
        if row is None:
            return None
        if row["run_id"] is None:
            return await answer_of_scheduled(pool, tenant_id, id, row, now_ms)
        return await explain(pool, hot, tenant_id, row["run_id"], now_ms)
    asked = rows[0]
    if asked.status.final:
        return _ended(asked)
    run = [asked]
    if asked.kind is not TaskKind.STANDALONE:
        run = (await member_rows(pool, tenant_id, [asked.run_id], payloads=False))[asked.run_id]
    tasks = run if asked.kind is TaskKind.DAG else [asked]
    unfinished = [task for task in tasks if not task.status.final]
    shown = unfinished[:TASKS_MAX]
    facts = await _facts(pool, hot, tenant_id, asked, run, shown, now_ms)
    answer = await _answer(pool, facts, asked, shown)
    return replace(answer, tasks_left_out=len(unfinished) - len(shown))


async def _facts(
    pool: asyncpg.Pool,
    hot: Hot | None,
    tenant_id: UUID,
    asked: TaskRow,
    run: Sequence[TaskRow],
    tasks: Sequence[TaskRow],
    now_ms: int,
) -> Facts:
    """All that is read before the hot state is looked at, which then can't change in between."""
    ids = [task.id for task in tasks]
    found = await standings(pool, tenant_id, list({*ids, asked.run_id}))
    waits = await awaited(pool, tenant_id, ids)
    demands = [one.demand for one in found.values() if one.demand is not None]
    keys = {units.key for demand in demands for units in demand.units}
    lines = {one.line for one in found.values() if is_place_line(one.line)}
    held = await pauses_on(
        pool,
        tenant_id,
        [
            *holding_all_of(asked.workflow_id),
            *((PauseKind.CONCURRENCY_KEY, line) for line in lines),
            *((PauseKind.RATE_LIMIT, key) for key in keys),
        ],
    )
    if hot is not None:
        meter_of = meters_of(hot, tenant_id)
    else:
        meter_of = (await meters(pool, tenant_id, list(keys))).get
    return Facts(tenant_id, now_ms, hot, run, found, waits, held, meter_of)


async def _answer(
    pool: asyncpg.Pool, facts: Facts, asked: TaskRow, tasks: Sequence[TaskRow]
) -> Answer:
    whole = facts.standings.get(asked.run_id) if asked.kind is not TaskKind.STANDALONE else None
    if asked.kind is not TaskKind.DAG:
        first, own = asked, blockers_of(facts, asked)
        told = own
    elif whole is not None:
        first = asked
        told = own = run_blockers(facts, asked, whole)
    else:
        found = sorted(((task, blockers_of(facts, task)) for task in tasks), key=_nearest_first)
        first, own = found[0] if found else (asked, [])
        told = [
            replace(blocker, task_id=task.id, task=task.task_name)
            for task, blockers in found
            for blocker in blockers
        ]
    standing = facts.standings.get(first.id) or whole
    place = await _place(pool, first, standing)
    blockers = [await with_holders(pool, facts.tenant_id, blocker) for blocker in told]
    return Answer(
        task_id=None if asked.kind is TaskKind.DAG else asked.id,
        run_id=asked.run_id,
        status=asked.status,
        since_ms=_since_ms(asked, standing),
        message=_message(own, place),
        blockers=tuple(blockers),
        place=place,
        remedy=" ".join(dict.fromkeys(one.remedy for one in own if one.remedy)),
        times_out_ms=_times_out_ms(standing) if place else None,
        partial=STANDBY_TEXT if facts.hot is None else "",
    )


def _nearest_first(found: tuple[TaskRow, list[Blocker]]) -> tuple[bool, bool, int, int]:
    """What runs, then what has least to wait for; what waits for others comes last."""
    task, blockers = found
    kinds = {blocker.kind for blocker in blockers}
    return Kind.PARENTS in kinds, Kind.RUNNING not in kinds, len(blockers), task.step


async def _place(pool: asyncpg.Pool, task: TaskRow, standing: Standing | None) -> Place | None:
    if standing is None or standing.kind not in (QUEUE, LINE):
        return None
    line = standing.line
    if standing.kind == QUEUE:
        definition = definition_of(task)
        of = f"the queue of {definition.action}" if definition else "its queue"
    elif is_place_line(line):
        of = f"the line of concurrency key {key_of(line)!r}"
    elif is_units_line(line):
        of = f"the line of rate limit {key_of(line)!r}"
    else:
        of = (
            "the line of its pause"
            if is_pause_line(line)
            else "the line of those no worker can take"
        )
        of = "its batch" if is_batch_line(line) else of
    return await place_of(pool, standing, of)


def _message(blockers: Sequence[Blocker], place: Place | None) -> str:
    parts = [blockers[0].message] if blockers else ["All of its tasks have ended."]
    if place is not None:
        parts.append(f"It is {place.text}.")
    if len(blockers) > 1:
        parts.append(f"And {len(blockers) - 1} more." if len(blockers) > 2 else "And one more.")
    return " ".join(parts)


def _since_ms(task: TaskRow, standing: Standing | None) -> int | None:
    """Since when it stands where it stands; None: that is not kept."""
    if standing is not None:
        return standing.since_ms
    return to_ms(task.created_at) if task.kind is TaskKind.DAG else None


def _times_out_ms(standing: Standing | None) -> int | None:
    """What a pause holds waits as long as that."""
    return standing.until_ms if standing and standing.until_ms < NEVER_MS else None


def _ended(task: TaskRow) -> Answer:
    ended_ms = None if task.finished_at is None else to_ms(task.finished_at)
    at = "" if ended_ms is None else f" at {moment(ended_ms)}"
    return Answer(
        task_id=None if task.kind is TaskKind.DAG else task.id,
        run_id=task.run_id,
        status=task.status,
        since_ms=ended_ms,
        message=f"It has ended: {task.status.name}{at}.",
    )
