"""What stands in lines is QUEUED for every list and count: tasks, and runs that wait as a whole."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from hatchet_engine.domain.definition import TaskDefinition
from hatchet_engine.domain.states import Status
from hatchet_engine.domain.why import PLACES_COUNTED_MAX
from hatchet_engine.observe import metrics, range_counts, run_query, runs
from hatchet_engine.observe.pool import open_read_pool
from hatchet_engine.observe.roles import roles_of
from hatchet_engine.observe.rows import task_rows
from hatchet_engine.observe.run_query import RunQuery, Statement
from hatchet_engine.observe.standing import place_of, standings
from hatchet_engine.observe.times import exact_bounds
from hatchet_engine.store.sql import load
from tests.support.plans import Plan
from tests.support.rows import NOW_MS, Rows, Workflow, at

QUEUED, RUNNING = Status.QUEUED, Status.RUNNING
WHOLE = -1
BLOCKED = {"blocked": True}
BACKLOG = 100_000
HOUR_MS = 3_600_000
PAGE_READS_MAX = 1_000  # pages of 8 KiB for 50 rows, or for what one task needs
COUNT_READS_MAX = 6_000  # the index of workflows, and the backlog
LINE_READS_MAX = 1_100  # 1,000 rows that stand far apart
RARE_READS_MAX = 4_000  # where the whole backlog is looked at, once, and nothing is looked up


async def pipeline(rows: Rows) -> Workflow:
    """One root: a run whose root waits has not begun."""
    return await rows.workflow(
        "pipe",
        [
            TaskDefinition(name="load", action="pipe:load"),
            TaskDefinition(name="store", action="pipe:store", parents=["load"]),
        ],
    )


async def check(pool: asyncpg.Pool, rows: Rows, run: UUID, status: Status) -> None:
    """Every way to ask for the run's status gives the same, with and without filters."""
    [row] = await task_rows(pool, rows.tenant_id, [run], payloads=False)
    assert row.status is status
    assert await runs.run_status(pool, rows.tenant_id, run) is status
    for workflow_ids in ((), (row.workflow_id,)):
        for asked in (QUEUED, RUNNING):
            query = RunQuery(rows.tenant_id, statuses=[asked], workflow_ids=workflow_ids)
            expected = [run] if asked is status else []
            page = await runs.run_list(pool, query, offset=0, limit=50, payloads=False)
            assert [one.id for one in page.rows] == expected
            assert page.total == len(expected)
            found = orjson.loads(await runs.run_ids_as_json(pool, query))
            assert [UUID(one) for one in found] == expected
        for metadata in ((), (("user", "1"),)):  # from indexes alone, or run by run
            query = RunQuery(
                rows.tenant_id,
                at(0),
                at(NOW_MS + HOUR_MS),
                workflow_ids=workflow_ids,
                metadata=metadata,
            )
            counts = await metrics.status_counts(pool, query)
            assert {one: count for one, count in counts.items() if count} == {status: 1}


async def queued_tasks(pool: asyncpg.Pool, rows: Rows) -> set[UUID]:
    query = RunQuery(rows.tenant_id, statuses=[QUEUED], only_tasks=True)
    page = await runs.run_list(pool, query, offset=0, limit=50, payloads=False)
    assert page.total == len(page.rows)
    return {row.id for row in page.rows}


@pytest.mark.parametrize("attempt", [0, 1])
async def test_a_run_of_one_task(rows: Rows, pool: asyncpg.Pool, attempt: int) -> None:
    workflow = await rows.workflow()
    run = await rows.run(workflow, blocked=True, metadata={"user": 1})
    await rows.park(workflow, run, attempt=attempt, retries=attempt)
    await check(pool, rows, run, QUEUED)
    assert await queued_tasks(pool, rows) == {run}
    [row] = await task_rows(pool, rows.tenant_id, [run], payloads=False)
    assert row.attempt == attempt


MEMBERS: list[tuple[str, dict[int, dict[str, Any]], int, dict[str, int], Status]] = [
    ("its root waits", {0: BLOCKED, 1: BLOCKED}, 0, {}, QUEUED),
    ("its root was replayed", {0: BLOCKED, 1: BLOCKED}, 0, {"attempt": 1, "rank": -4}, QUEUED),
    (
        "its root has failed once",
        {0: BLOCKED, 1: BLOCKED},
        0,
        {"attempt": 1, "retries": 1},
        RUNNING,
    ),
    ("its second task waits", {0: {"status": Status.COMPLETED}, 1: BLOCKED}, 1, {}, RUNNING),
]


@pytest.mark.parametrize(
    ("members", "step", "options", "status"),
    [case[1:] for case in MEMBERS],
    ids=[case[0] for case in MEMBERS],
)
async def test_a_task_of_a_run(
    rows: Rows,
    pool: asyncpg.Pool,
    members: dict[int, dict[str, Any]],
    step: int,
    options: dict[str, int],
    status: Status,
) -> None:
    workflow = await pipeline(rows)
    special = {at: dict(one) for at, one in members.items()}
    run, tasks = await rows.dag(workflow, special, metadata={"user": 1})
    await rows.park(workflow, tasks[step], run, step, **options)
    await check(pool, rows, run, status)
    waiting = set(tasks) if step == 0 else {tasks[1]}
    assert await queued_tasks(pool, rows) == waiting
    [row] = await task_rows(pool, rows.tenant_id, [tasks[step]], payloads=False)
    assert (row.begun, row.attempt) == (True, options.get("attempt", 0))


@pytest.mark.parametrize(("replayed", "status"), [(False, QUEUED), (True, RUNNING)])
async def test_a_run_that_waits_as_a_whole(
    rows: Rows, pool: asyncpg.Pool, *, replayed: bool, status: Status
) -> None:
    """RUNNING only if a replay has left something of it done."""
    workflow = await pipeline(rows)
    first = {"status": Status.COMPLETED} if replayed else dict(BLOCKED)
    run, tasks = await rows.dag(workflow, {0: first, 1: dict(BLOCKED)}, metadata={"user": 1})
    await rows.park(workflow, run, run, WHOLE, attempt=int(replayed))
    await check(pool, rows, run, status)
    assert await queued_tasks(pool, rows) == set(tasks[int(replayed) :])
    assert not (await task_rows(pool, rows.tenant_id, [tasks[1]], payloads=False))[0].begun


async def test_a_run_that_was_replayed_as_a_whole(rows: Rows, pool: asyncpg.Pool) -> None:
    workflow = await pipeline(rows)
    run, _ = await rows.dag(workflow, {0: dict(BLOCKED), 1: dict(BLOCKED)}, metadata={"user": 1})
    await rows.park(workflow, run, run, WHOLE, attempt=1)
    await check(pool, rows, run, QUEUED)


async def test_other_tenants_see_nothing_of_it(
    rows: Rows, database: str, pool: asyncpg.Pool
) -> None:
    workflow = await rows.workflow()
    await rows.park(workflow, await rows.run(workflow, blocked=True))
    other = await Rows.open(database)
    assert await queued_tasks(pool, other) == set()
    assert await runs.run_count(pool, RunQuery(other.tenant_id, statuses=[QUEUED])) == 0
    await other.close()


async def test_metrics_of_tasks(rows: Rows, pool: asyncpg.Pool) -> None:
    workflow = await pipeline(rows)
    run, tasks = await rows.dag(workflow, {0: dict(BLOCKED), 1: dict(BLOCKED)})
    await rows.park(workflow, tasks[0], run)
    whole, _ = await rows.dag(workflow, {0: dict(BLOCKED), 1: dict(BLOCKED)})
    await rows.park(workflow, whole, whole, WHOLE)
    stats = await metrics.task_stats(pool, rows.tenant_id)
    assert {name: stat.queued.total for name, stat in stats.items()} == {"load": 1}
    assert stats["load"].queued.oldest_ms == NOW_MS
    assert (await metrics.status_counts_all(pool, 0))[QUEUED] == 2


# ---------------------------------------------------------------- a backlog


async def _plan(pool: asyncpg.Pool, statement: Statement) -> Plan:
    text = await pool.fetchval(
        f"explain (analyze, buffers, format json) {statement.text}", *statement.arguments
    )
    return Plan.of(orjson.loads(text)[0]["Plan"])


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_backlog_does_not_slow_down_lists(rows: Rows, database: str) -> None:
    """Also not those of another tenant, or of what does not stand in it."""
    workflow = await rows.workflow()
    await rows.many_parked(workflow, BACKLOG, span_ms=HOUR_MS)
    rare = await rows.workflow("rare")
    one = await rows.run(rare, blocked=True)
    await rows.park(rare, one)
    other = await Rows.open(database)
    tenant = rows.tenant_id
    async with await open_read_pool(database, connections_max=1) as pool:
        roles = await roles_of(pool, tenant)
        cases: list[tuple[str, RunQuery, int]] = [
            ("queued", RunQuery(tenant, statuses=[QUEUED]), PAGE_READS_MAX),
            ("tasks", RunQuery(tenant, statuses=[QUEUED], only_tasks=True), PAGE_READS_MAX),
            ("other", RunQuery(other.tenant_id, statuses=[QUEUED]), 100),
            ("rare", RunQuery(tenant, statuses=[QUEUED], workflow_ids=[rare.id]), RARE_READS_MAX),
            ("running", RunQuery(tenant, statuses=[RUNNING]), 100),
        ]
        for name, query, most in cases:
            plan = await _plan(pool, run_query.page(query, 0, 50, roles))
            assert plan.scanned_history == [], name
            assert plan.pages <= most, f"{name}: {plan.pages} pages"
        bounds = list(exact_bounds(at(NOW_MS - HOUR_MS), at(NOW_MS + HOUR_MS)))
        plan = await _plan(pool, await range_counts.statement(pool, tenant, bounds))
        assert plan.scanned_history == []
        assert plan.pages <= COUNT_READS_MAX
        counts = await metrics.status_counts(pool, RunQuery(tenant))
        assert counts[QUEUED] == BACKLOG + 1
        ids = [one]
        found = await standings(pool, tenant, ids)
        assert found[one].line == "c1:key"
        texts = load("read_why")
        plan = await _plan(pool, Statement(texts["standings"], [tenant, ids, one, one]))
        assert plan.pages <= 100
        last = await pool.fetchval(
            "select task_id from parked_item where line = 'c1:7' order by task_id desc limit 1"
        )
        line = Statement(texts["ahead_in_line"], ["c1:7", -1, last, 10_001])
        assert (await _plan(pool, line)).pages <= LINE_READS_MAX
    await other.close()


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("turns", [False, True])
async def test_a_place_far_back_is_counted_up_to_a_bound(
    rows: Rows, database: str, *, turns: bool
) -> None:
    workflow = await rows.workflow()
    await rows.many_parked(workflow, BACKLOG, span_ms=HOUR_MS)
    await rows.connection.execute(
        "insert into queue_item (queue_id, rank, round, task_id, tenant_id, version_id, step,"
        " attempt, app_retries, internal_retries, queued_ms, schedule_timeout_ms)"
        " select $1, -1, case when $2 then 1 + row_number() over (order by task_id) / 100 else 0"
        " end, task_id, tenant_id, version_id, 0, 0, 0, 0, 0, 0 from parked_item",
        workflow.queue_ids[0],
        turns,
    )
    await rows.connection.execute("delete from parked_item")
    await rows.connection.execute("vacuum analyze queue_item")
    [last] = await rows.connection.fetch(
        "select task_id, round from queue_item order by task_id desc limit 1"
    )
    async with await open_read_pool(database, connections_max=1) as pool:
        where: list[Any] = [workflow.queue_ids[0], -1, last["task_id"], PLACES_COUNTED_MAX + 1]
        name = "ahead_in_queue"
        if turns:
            name, where = "ahead_in_queue_fair", [*where, last["round"]]
        statement = Statement(load("read_why")[name], where)
        assert (await _plan(pool, statement)).pages <= PAGE_READS_MAX
        standing = (await standings(pool, rows.tenant_id, [last["task_id"]]))[last["task_id"]]
        place = await place_of(pool, standing, "its queue")
        assert (place.position, place.more) == (PLACES_COUNTED_MAX, True)
