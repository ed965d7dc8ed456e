"""Lists stay cheap on a long history: what each query touches, on a table of 60,000 runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import asyncpg
import orjson
import pytest

from hatchet_engine.domain.definition import TaskDefinition
from hatchet_engine.domain.states import Status
from hatchet_engine.observe import event_query, events, run_query, runs
from hatchet_engine.observe.event_query import EventQuery
from hatchet_engine.observe.pieces import statements
from hatchet_engine.observe.pool import open_read_pool
from hatchet_engine.observe.roles import roles_of
from hatchet_engine.observe.run_query import RunQuery, Statement
from hatchet_engine.observe.times import ids_after, ids_from
from tests.support.rows import NOW_MS, Rows, at

RUNS = 60_000
HOUR_MS = 3_600_000
PAGES_8_KIB_MAX = 1_500  # read for one page of 50 rows; the history here has about 4,000
HISTORY = ("task_p", "outcome_p", "task_event_p", "task_log_p", "event_p")

# Whether a run has begun is looked up in its members: some 50 pages for each run in each queue.
DAG_PAGES_8_KIB_MAX = 8_000  # the history here and its indexes have about 15,000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


async def explain(connection: asyncpg.Connection, statement: Statement) -> tuple[list[str], int]:
    """Scans of whole history tables, and how many pages were read."""
    text = await connection.fetchval(
        f"explain (analyze, buffers, format json) {statement.text}", *statement.arguments
    )
    [answer] = orjson.loads(text)
    plan = answer["Plan"]
    scans = [
        node["Relation Name"]
        for node in nodes(plan)
        if node["Node Type"] == "Seq Scan"
        and node["Relation Name"].startswith(HISTORY)
        and node["Actual Loops"] > 0
        and node["Actual Rows"] + node.get("Rows Removed by Filter", 0) > 0
    ]
    return scans, plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


async def test_pages_of_runs_use_indexes(database: str) -> None:
    rows = await Rows.open(database)
    usual = await rows.workflow("usual")
    rare = await rows.workflow("rare", [TaskDefinition(name="step", action="rare:step")])
    await rows.many(usual, RUNS, span_ms=6 * HOUR_MS, failed_each=500)
    for n in range(20):
        created_ms = NOW_MS - n * HOUR_MS // 10
        await rows.run(rare, Status(n % 5), created_ms=created_ms, idempotency_key=f"key {n}")
    tenant, since = rows.tenant_id, at(NOW_MS - 24 * HOUR_MS)
    selections: dict[str, dict[str, Any]] = {
        "newest": {},
        "last hour": {"since": at(NOW_MS - HOUR_MS)},
        "failed": {"statuses": [Status.FAILED]},
        "failed and cancelled": {"statuses": [Status.FAILED, Status.CANCELLED]},
        "completed": {"statuses": [Status.COMPLETED]},
        "queued": {"statuses": [Status.QUEUED]},
        "running": {"statuses": [Status.RUNNING]},
        "alive": {"statuses": [Status.QUEUED, Status.RUNNING]},
        "rare workflow": {"workflow_ids": [rare.id]},
        "rare workflow, failed": {"workflow_ids": [rare.id], "statuses": [Status.FAILED]},
        "usual workflow": {"workflow_ids": [usual.id]},
        "both workflows": {"workflow_ids": [usual.id, rare.id]},
        "metadata": {"metadata": [("user", "77")]},
        "children": {"parent_task_id": rows.ids.new(NOW_MS)},
        "runs of keys": {"idempotency_keys": ["key 0", "key 19"]},
        "tasks of keys": {"idempotency_keys": ["key 0", "key 19"], "only_tasks": True},
        "runs of an event": {"event_id": rows.ids.new(NOW_MS)},
        "tasks of an event": {"event_id": rows.ids.new(NOW_MS), "only_tasks": True},
        "tasks": {"only_tasks": True},
        "tasks, queued": {"only_tasks": True, "statuses": [Status.QUEUED]},
        "tasks of a rare workflow": {"only_tasks": True, "workflow_ids": [rare.id]},
    }
    for name, selection in selections.items():
        query = RunQuery(tenant, **{"since": since, **selection})
        scans, pages = await explain(rows.connection, run_query.page(query, 0, 50))
        assert scans == [], name
        assert pages <= PAGES_8_KIB_MAX, f"{name}: {pages} pages"

    await rows.close()


async def test_rows_of_a_page_are_fetched_by_id(database: str) -> None:
    rows = await Rows.open(database)
    workflow = await rows.workflow()
    await rows.many(workflow, RUNS, span_ms=6 * HOUR_MS, failed_each=500)
    async with await open_read_pool(database, connections_max=2) as pool:
        ids = await runs.run_ids(pool, RunQuery(rows.tenant_id), 50)
    arguments = [rows.tenant_id, ids, min(ids), max(ids), True]
    statement = Statement(
        statements("read_runs")["run_rows"].replace("{keys}", statements("read_runs")["run_keys"]),
        arguments,
    )
    scans, pages = await explain(rows.connection, statement)
    assert scans == []
    assert pages <= PAGES_8_KIB_MAX
    await rows.close()


WAITING = {
    "without a key": "insert into queue_item (queue_id, rank, task_id, {columns})"
    " select $1, -1, t.id, {values} from task t",
    "in turns of keys": "insert into queue_item (queue_id, rank, round, task_id, {columns})"
    " select $1, -1, 1 + row_number() over (order by md5(t.id::text)), t.id, {values} from task t",
    "for places": "insert into parked_item (line, rank, task_id, {columns})"
    " select 'c' || $1::bigint || ':' || md5(t.id::text), -1, t.id, {values} from task t",
}
COLUMNS = (
    "tenant_id, version_id, step, attempt, app_retries, internal_retries, queued_ms,"
    " schedule_timeout_ms"
)


@pytest.mark.parametrize(
    ("how", "only_tasks"),
    [
        ("without a key", False),
        ("in turns of keys", False),
        ("for places", False),
        ("for places", True),
    ],
)
async def test_a_backlog_does_not_slow_down_the_list_of_what_waits(
    database: str, how: str, only_tasks: bool
) -> None:
    rows = await Rows.open(database)
    workflow = await rows.workflow()
    await rows.many(workflow, RUNS, span_ms=6 * HOUR_MS, failed_each=500)
    statement = WAITING[how].format(
        columns=COLUMNS, values="t.tenant_id, t.version_id, 0, 0, 0, 0, 0, 0"
    )
    await rows.connection.execute(statement, workflow.queue_ids[0])
    await rows.connection.execute("delete from outcome")
    await rows.connection.execute("vacuum analyze queue_item, parked_item, outcome")
    query = RunQuery(rows.tenant_id, statuses=[Status.QUEUED], only_tasks=only_tasks)
    async with await open_read_pool(database, connections_max=2) as pool:
        assert len(await runs.run_ids(pool, query, 50)) == 50
    scans, pages = await explain(rows.connection, run_query.page(query, 0, 50))
    assert scans == []
    assert pages <= PAGES_8_KIB_MAX
    await rows.close()


DAGS = 12_000
STEPS = [
    TaskDefinition(name="load", action="dag:load"),
    TaskDefinition(name="beside", action="dag:beside"),
    TaskDefinition(name="store", action="dag:store", parents=["load"]),
    TaskDefinition(name="mail", action="dag:mail", parents=["store"]),
]


async def test_a_backlog_of_dag_runs_does_not_slow_down_lists(database: str) -> None:
    rows = await Rows.open(database)
    workflow = await rows.workflow("dag", STEPS)
    await rows.many_dags(workflow, DAGS, span_ms=6 * HOUR_MS)
    running, [member, *_] = await rows.dag(workflow, {0: {"status": Status.RUNNING}})
    tenant, event = rows.tenant_id, rows.ids.new(NOW_MS)
    async with await open_read_pool(database, connections_max=2) as pool:
        roles = await roles_of(pool, tenant)
        newest = await runs.run_ids(pool, RunQuery(tenant), 50)
    selections: dict[str, dict[str, Any]] = {
        "newest": {},
        "queued": {"statuses": [Status.QUEUED]},
        "failed": {"statuses": [Status.FAILED]},
        "by workflow": {"workflow_ids": [workflow.id]},
        "tasks": {"only_tasks": True},
        "tasks by workflow": {"workflow_ids": [workflow.id], "only_tasks": True},
        "queued tasks": {"statuses": [Status.QUEUED], "only_tasks": True},
        "runs of an event": {"event_id": event},
        "tasks of an event": {"event_id": event, "only_tasks": True},
        "children": {"parent_task_id": member},
    }
    for name, selection in selections.items():
        query = RunQuery(tenant, **selection)
        scans, pages = await explain(rows.connection, run_query.page(query, 0, 50, roles))
        assert scans == [], name
        assert pages <= DAG_PAGES_8_KIB_MAX, f"{name}: {pages} pages"
    assert running in newest
    pieces = statements("read_runs")
    after = [ids_after(run) for run in newest]
    members = Statement(
        pieces["run_rows"].replace("{keys}", pieces["run_keys_members"]),
        [tenant, newest, ids_from(min(newest)), max(after), True, after],
    )
    scans, pages = await explain(rows.connection, members)
    assert scans == []
    assert pages <= DAG_PAGES_8_KIB_MAX
    await rows.close()


async def test_pages_of_events_use_indexes(database: str) -> None:
    rows = await Rows.open(database)
    await rows.many_events(RUNS, span_ms=6 * HOUR_MS)
    workflow = await rows.workflow("dag", STEPS)
    await rows.many_dags(workflow, DAGS, span_ms=6 * HOUR_MS)
    tenant, since = rows.tenant_id, at(NOW_MS - 24 * HOUR_MS)
    selections: dict[str, dict[str, Any]] = {
        "newest": {},
        "last minute": {"since": at(NOW_MS - 60_000)},
        "key": {"keys": ["key:7"]},
        "keys": {"keys": ["key:7", "key:8", "nothing"]},
        "scope": {"scopes": ["scope:9"]},
        "scopes": {"scopes": ["scope:9", "scope:12"]},
        "key and scope": {"keys": ["key:9"], "scopes": ["scope:9", "scope:12"]},
        "metadata": {"metadata": [("user", "77")]},
        "key and metadata": {"keys": ["key:27"], "metadata": [("user", "77")]},
    }
    for name, selection in selections.items():
        query = EventQuery(tenant, **{"since": since, **selection})
        scans, pages = await explain(rows.connection, event_query.page(query, 0, 50))
        assert scans == [], name
        assert pages <= PAGES_8_KIB_MAX, f"{name}: {pages} pages"
    async with await open_read_pool(database, connections_max=2) as pool:
        query = EventQuery(tenant, since)
        newest = [row.id for row in (await events.event_list(pool, query, offset=0, limit=50)).rows]
    pieces = statements("read_events")
    for statement in (
        Statement(pieces["event_rows"], [tenant, newest, min(newest), max(newest)]),
        Statement(pieces["event_runs"], [tenant, newest, [ids_after(id) for id in newest], 1_000]),
        Statement(pieces["event_keys"], [tenant, ids_from(min(newest)), 1_000]),
    ):
        scans, pages = await explain(rows.connection, statement)
        assert scans == []
        assert pages <= PAGES_8_KIB_MAX
    await rows.close()


async def test_reads_are_planned_for_their_values(database: str) -> None:
    """Plans without values read everything for a limit; after five uses Postgres would take one."""
    async with await open_read_pool(database, connections_max=1) as pool:
        assert await pool.fetchval("show plan_cache_mode") == "force_custom_plan"
