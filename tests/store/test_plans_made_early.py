"""The writer prepares its statements when tables are empty or nearly, and keeps their plans: those
must be the right ones when the tables have grown. Statistics are as bad as they get: gathered on
the empty table, and not again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from hatchet_engine.store import partitions
from hatchet_engine.store.sql import load
from hatchet_engine.turn.connection import prepare_writer
from tests.support.clean import clear
from tests.support.plans import Prepared

NOW_MS = 1_767_225_600_000
TENANT = UUID("707d0855-80ab-4e1f-a156-f1c4546cbf52")
ROWS = 20_000  # of each table
CHOSEN = 20  # ids per statement
READS_PER_ID_MAX = 30  # pages, and rows: a task has a handful of members, children, waits
FILES = (
    "assignments",
    "events",
    "lines",
    "outcomes",
    "queue",
    "rates",
    "streams",
    "tasks",
    "waits",
    "workers",
)


def task_id(number: int) -> UUID:
    return UUID(hex=f"{NOW_MS + number:012x}" + "70008000000000000000")


_ID = f"(lpad(to_hex({NOW_MS} + {{n}}), 12, '0') || '70008000000000000000')::uuid"
_N, _RUN, _PARENT = (_ID.format(n=n) for n in ("n", "n - n % 4", "n - n % 20 + 1"))

# Runs of three tasks, one after the other; each first task of five runs has spawned the other four.
_FILL = f"""
insert into task (tenant_id, id, run_id, kind, workflow_id, version_id, step, priority, created_at,
                  input, parent_task_id, child_index)
select $1, {_N}, {_RUN}, case when n % 4 = 0 then 1 else 2 end, $1, $1, 0, 1, now(), '{{{{}}}}',
       case when n % 4 = 0 and n % 20 > 0 then {_PARENT} end,
       case when n % 4 = 0 and n % 20 > 0 then n % 20 end {{n}};
insert into outcome (tenant_id, id, status, kind, attempt, finished_at, output)
select $1, {_N}, 2, 0, 0, now(), '{{{{}}}}' {{n}};
insert into task_event (tenant_id, id, task_id, kind, attempt, message)
select $1, {_N}, {_N}, 7, 1, '' {{n}};
insert into stream_chunk (tenant_id, id, run_id, task_id, attempt, index, data)
select $1, {_N}, {_RUN}, {_N}, 0, 0, '' {{n}};
insert into queue_item select 1 + n % 3, -1 - n % 3, {_N}, $1, $1, 0, 0, 0, 0, 0, n {{n}};
insert into queue_item select 7, -1, {_N}, $1, $1, 0, 0, 0, 0, 0, n, null, null, n + 1 {{n}};
insert into parked_item select 'c1:' || n % 40, -1, {_N}, $1, $1, 0, 0, 0, 0, 0, n {{n}};
insert into concurrency_place select {_N}, 'c1:' || n % 40, -1, 1, $1, n {{n}};
insert into rate_limit select $1, 'key' || n, 1, 'SECOND', 1, 0, now() {{n}};
insert into delayed_item select {_N}, n, 1, $1, $1, 0, 1, 1, 0 {{n}};
insert into assignment (task_id, tenant_id, queue_id, version_id, step, attempt, worker_id,
                        app_retries, internal_retries, assigned_ms, deadline_ms)
select {_N}, $1, 1, $1, 0, 0, $1, 0, 0, 0, 0 {{n}};
insert into task_wait (task_id, position, tenant_id, run_id, version_id, step, event_key, due_ms)
select {_N}, 0, $1, {_RUN}, $1, 0, 'key:' || n, n {{n}};
insert into worker (id, tenant_id, name, actions, slots, protocol, created_at)
select {_N}, $1, '', '{{{{}}}}', '{{{{}}}}', '', now() {{n}}
"""

_INSERT = re.compile(r"^insert ", re.MULTILINE)

_CHOSEN = [task_id(100 * n + 1) for n in range(CHOSEN)]
_RUNS = [task_id(400 * n) for n in range(CHOSEN)]
_BOUNDS = (min(_CHOSEN), max(_CHOSEN))
_ITEMS = [3 * n for n in range(CHOSEN)]  # all in queue 1, with rank -1
_ZEROS = [0] * CHOSEN

CASES: Mapping[str, tuple[Any, ...]] = {
    "assignment_delete_many": (_CHOSEN,),
    "assignment_set_many": (_CHOSEN, _ZEROS, _ZEROS, [True] * CHOSEN),
    "task_event_replays": (_CHOSEN, 7, min(_CHOSEN)),
    "task_event_messages": (_CHOSEN, 7, min(_CHOSEN)),
    "outcome_get_many": (TENANT, _CHOSEN, *_BOUNDS),
    "outcome_delete_many": ([TENANT] * CHOSEN, _CHOSEN, *_BOUNDS),
    "outcome_sizes": (TENANT, _CHOSEN, *_BOUNDS),
    "outcome_results": (TENANT, _CHOSEN, *_BOUNDS),
    "outcome_members": (TENANT, _RUNS, min(_RUNS)),
    "outcome_texts": (TENANT, _CHOSEN, *_BOUNDS),
    "queue_item_delete_rank": (1, -1, [task_id(n) for n in _ITEMS]),
    "queue_item_delete_many": ([1] * CHOSEN, [-1] * CHOSEN, [task_id(n) for n in _ITEMS]),
    "queue_item_find_many": ([1] * CHOSEN, [task_id(n) for n in _ITEMS]),
    "queue_item_aged": ([1, 2, 3], [-1, -2, -3], [task_id(ROWS)] * 3, CHOSEN),
    "delayed_item_delete_many": (_CHOSEN,),
    "delayed_item_find_many": (_CHOSEN,),
    "stream_existing": (_RUNS, _RUNS, min(_RUNS), max(_RUNS)),
    "task_get_many": (TENANT, _CHOSEN, *_BOUNDS),
    "task_existing": (TENANT, _CHOSEN, *_BOUNDS),
    "task_members": (TENANT, _RUNS, min(_RUNS), 4_096),
    "task_parents": (TENANT, _CHOSEN, *_BOUNDS),
    "task_children": (TENANT, _CHOSEN, ["4"] * CHOSEN, min(_CHOSEN)),
    "task_children_differ": (
        [TENANT] * CHOSEN,
        _CHOSEN,
        _CHOSEN,
        _ZEROS,
        ["4"] * CHOSEN,
        _CHOSEN,
        _CHOSEN,
        [9] * CHOSEN,
        ["md5"] * CHOSEN,
        *_BOUNDS,
        10,
        datetime.now(UTC),
    ),
    "task_descendants": (TENANT, _CHOSEN[:1], min(_CHOSEN), 1_000),
    "task_wait_delete_tasks": (_CHOSEN,),
    "task_wait_delete_many": (_CHOSEN, _ZEROS),
    "task_wait_set_met": (_CHOSEN, _ZEROS, ["{}"] * CHOSEN),
    "task_wait_find_many": (_CHOSEN,),
    "worker_set_left_many": (_CHOSEN, None),
    "worker_set_heartbeat_many": (_CHOSEN, _ZEROS),
    "parked_delete_many": (_CHOSEN,),
    "parked_find_many": (_CHOSEN,),
    "parked_windows": (
        [f"c1:{n}" for n in range(CHOSEN)],
        [-1] * CHOSEN,
        [task_id(ROWS // 2)] * CHOSEN,
        [5] * CHOSEN,
    ),
    "place_delete_many": (_CHOSEN,),
    "rate_limit_delete_many": ([TENANT] * CHOSEN, [f"key{n}" for n in range(CHOSEN)]),
    "task_wait_by_event": (TENANT, [f"key:{100 * n}" for n in range(CHOSEN)]),
}

_LIMIT = CHOSEN
_MIDDLE = ROWS // 2

# The same for statements that take no arrays.
CASES_OF_ONE: Mapping[str, tuple[Any, ...]] = {
    "assignment_exists": (_CHOSEN[0], 0),
    "task_event_exists": (_CHOSEN[0], _CHOSEN[0]),
    "event_exists": (TENANT, _CHOSEN[0]),
    "queue_item_window": (1, -1, task_id(_MIDDLE), _LIMIT),
    "queue_item_window_fair": (7, -1, _MIDDLE, task_id(_MIDDLE), _LIMIT),
    "parked_timed_out": (_MIDDLE, _LIMIT),
    "parked_next_timeout_after": (_MIDDLE,),
    "queue_item_next_timeout_after": (_MIDDLE,),
    "queue_item_timed_out": (_MIDDLE, _LIMIT),
    "delayed_item_next_due": (),
    "delayed_item_next_due_after": (_MIDDLE,),
    "delayed_item_due": (_MIDDLE, _LIMIT),
    "task_wait_due": (_MIDDLE, _LIMIT),
    "task_wait_next_due": (_MIDDLE,),
    "stream_task": (TENANT, _CHOSEN[0]),
    "stream_run_end": (TENANT, _CHOSEN[0]),
    "stream_page": (TENANT, _RUNS[0], UUID(int=0), _LIMIT, 1_000_000),
    "stream_chunk_at": (TENANT, _RUNS[0], UUID(int=0), 1),
    "stream_ranges": (TENANT, _RUNS[0], UUID(int=0), _RUNS[0], 0, _LIMIT),
    "stream_latest": (TENANT, _RUNS[0], UUID(int=0)),
    "worker_get": (_CHOSEN[0], TENANT),
    "worker_set_stream": (_CHOSEN[0], None),
    "worker_set_labels": (_CHOSEN[0], "{}"),
    "worker_set_draining": (_CHOSEN[0], True),
}

# Read whole tables, and are meant to.
ALL = {
    "assignment_list": "when the engine starts",
    "queue_item_window_mixed": "goes over tasks with a round, for a while after a deploy",
    "parked_depth_list": "when the engine starts",
    "parked_newest_list": "when the engine starts",
    "parked_version_list": "when the engine starts",
    "place_list": "when the engine starts",
    "task_by_origin": "goes over the tasks of a few seconds: a connection was broken",
    "rate_limit_list": "when the engine starts",
    "queue_list": "when the engine starts",
    "queue_depth_list": "when the engine starts",
    "worker_present_list": "when the engine starts",
    "task_ids_by_filter": "over the read pool, where plans are made for values",
}


def statements() -> dict[str, str]:
    """All statements on tables that grow, except inserts that read nothing."""
    found = {name: text for file in FILES for name, text in load(file).items()}
    return {name: text for name, text in found.items() if name in CASES or not _INSERT.search(text)}


def test_every_statement_is_looked_at() -> None:
    assert set(statements()) == {*CASES, *CASES_OF_ONE, *ALL}


@pytest.mark.parametrize("emptied", [False, True], ids=["new", "emptied"])
@pytest.mark.parametrize("rows", [None, 0, 1, 10, 200])
async def test_plans_made_early_stay_good(database: str, rows: int | None, emptied: bool) -> None:
    """``rows``: how many there are when statements are planned; None: no statistics at all.
    ``emptied``: the tables have been large before, and their indexes still are."""
    connection = await asyncpg.connect(database)
    filler = await asyncpg.connect(database)
    await prepare_writer(connection)
    await partitions.create_ahead(filler, NOW_MS)
    if emptied:
        await _fill(filler, 0, ROWS)
        await clear(filler)
    if rows is not None:
        await _fill(filler, 0, rows)
        await filler.execute("vacuum analyze")
    prepared = {
        name: await Prepared.make(connection, text)
        for name, text in statements().items()
        if name not in ALL
    }
    await _fill(filler, rows or 0, ROWS)
    await filler.close()
    cases = {**CASES, **CASES_OF_ONE}
    bad = {}
    for name, statement in prepared.items():
        plan = await statement.explain(*cases[name])
        most = READS_PER_ID_MAX * CHOSEN
        if plan.pages > most or plan.rows > most:
            bad[name] = f"{plan.pages} pages, {plan.rows:.0f} rows"
    await connection.close()
    assert bad == {}


async def test_a_plan_made_while_a_queue_fills_reads_only_a_window(database: str) -> None:
    """Autovacuum comes by when no queued task has a round: those with one seem to be none at all,
    and a sort of them seems to cost nothing."""
    connection = await asyncpg.connect(database)
    filler = await asyncpg.connect(database)
    await prepare_writer(connection)
    for insert in _QUEUE_FILLS:
        await _run(filler, insert, 0, 1)
    await filler.execute("vacuum analyze queue_item")
    window = await Prepared.make(connection, load("queue")["queue_item_window_fair"])
    plain, fair = _QUEUE_FILLS
    await _run(filler, plain, 1, ROWS)
    await filler.execute("vacuum queue_item")  # plans are made again after this
    await _run(filler, fair, 1, ROWS)
    plan = await window.explain(*CASES_OF_ONE["queue_item_window_fair"])
    await filler.close()
    await connection.close()
    assert plan.uses("queue_item_round")
    assert plan.rows == CHOSEN


_QUEUE_FILLS = [insert for insert in _FILL.split(";") if "into queue_item" in insert]


async def _fill(connection: asyncpg.Connection, first: int, after: int) -> None:
    for insert in _FILL.split(";"):
        await _run(connection, insert, first, after)


async def _run(connection: asyncpg.Connection, insert: str, first: int, after: int) -> None:
    numbers = f"from generate_series({first}, {after - 1}) as n"
    await connection.execute(insert.format(n=numbers), TENANT)
