"""A history of many days, as the benchmark of reads fills it, but smaller: which index each list
and count uses, and that what it reads does not grow with the history.

The statements are planned as the read pool has them planned. Ten million runs are measured by
``python -m benchmarks.history``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson
import pytest
from benchmarks.history.fill import TENANT, History, fill

from hatchet_engine.domain.states import Status
from hatchet_engine.observe import metrics, range_counts, run_query, runs
from hatchet_engine.observe.pool import open_read_pool
from hatchet_engine.observe.roles import roles_of
from hatchet_engine.observe.run_query import RunQuery, Statement
from hatchet_engine.observe.times import exact_bounds, from_ms
from hatchet_engine.store.migrate import migrate
from hatchet_engine.store.partitions import DAY_MS
from tests.support.plans import Plan
from tests.support.postgres import dsn_of

RUNS = 200_000
DAYS = 4
END_MS = 1_767_225_600_000 + 13 * 3_600_000
HISTORY = History(RUNS, DAYS, END_MS)
PAGE_READS_MAX = 1_500  # pages of 8 KiB for one page of 50; the history has some 25,000
WORKFLOWS = HISTORY.workflow_ids

# For index-only reads of a whole day of runs: some 80 entries stand on a page, and a little more.
DAY_READS_MAX = RUNS // DAYS // 60

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def filled(postgres_dsn: str) -> Iterator[str]:
    """DSN of the filled database; no test changes it."""

    async def make() -> None:
        admin = await asyncpg.connect(dsn_of(postgres_dsn, "postgres"))
        await admin.execute("create database history")
        await admin.close()
        await migrate(dsn_of(postgres_dsn, "history"))
        await fill(dsn_of(postgres_dsn, "history"), runs=RUNS, days=DAYS, end_ms=END_MS)

    async def drop() -> None:
        admin = await asyncpg.connect(dsn_of(postgres_dsn, "postgres"))
        await admin.execute("drop database history with (force)")
        await admin.close()

    asyncio.run(make())
    yield dsn_of(postgres_dsn, "history")
    asyncio.run(drop())


@pytest.fixture
async def pool(filled: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_read_pool(filled, connections_max=2) as pool:
        yield pool


async def explain(pool: asyncpg.Pool, statement: Statement) -> Plan:
    text = await pool.fetchval(
        f"explain (analyze, buffers, format json) {statement.text}", *statement.arguments
    )
    return Plan.of(orjson.loads(text)[0]["Plan"])


@dataclass(frozen=True)
class Case:
    """``index``: columns of the index that finds the page; a part of its name in partitions."""

    name: str
    index: str
    selection: dict[str, Any]
    all_days: bool = False
    count_max: int = 100  # pages read for the total


def _workflow(name: str) -> dict[str, Any]:
    return {"workflow_ids": [WORKFLOWS[name]]}


_CUSTOMER = {"metadata": [("customer", "77")]}
CASES = [
    Case("newest", "_pkey", {}),
    Case("newest of all days", "_pkey", {}, all_days=True),
    Case("failed", "status_id", {"statuses": [Status.FAILED]}),
    Case("failed, all days", "status_id", {"statuses": [Status.FAILED]}, True, count_max=200),
    Case("cancelled, all days", "status_id", {"statuses": [Status.CANCELLED]}, True, count_max=200),
    Case("a large workflow", "workflow_id_id", _workflow("mail")),
    Case("a rare workflow, all days", "workflow_id_id", _workflow("audit"), True),
    Case("DAG runs", "workflow_id_id", _workflow("order")),
    Case(
        "failed ones of a workflow",
        "workflow_id_id",
        {**_workflow("refund"), "statuses": [Status.FAILED]},
    ),
    Case("metadata", "metadata", _CUSTOMER),
    Case("children", "parent_task_id", {"parent_task_id": HISTORY.id_of(100_000)}, True),
    Case("runs of an event", "expr", {"event_id": HISTORY.event_of(100_000)}, True),
    Case("tasks", "_pkey", {"only_tasks": True}),
    Case("tasks of a DAG", "run_id", {"only_tasks": True, **_workflow("order")}, True),
    Case("failed tasks", "status_id", {"only_tasks": True, "statuses": [Status.FAILED]}),
]


def query_of(case: Case) -> RunQuery:
    since_ms = HISTORY.start_ms if case.all_days else END_MS - DAY_MS
    return RunQuery(TENANT, from_ms(since_ms), **case.selection)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_pages_are_found_in_an_index(pool: asyncpg.Pool, case: Case) -> None:
    roles = await roles_of(pool, TENANT)
    plan = await explain(pool, run_query.page(query_of(case), 0, 50, roles))
    assert plan.read(case.index), plan.indexes_read
    assert plan.scanned_history == []
    assert plan.pages <= PAGE_READS_MAX


@pytest.mark.parametrize(
    "case", [case for case in CASES if "status_id" in case.index], ids=lambda case: case.name
)
async def test_totals_of_what_failed_need_no_task(pool: asyncpg.Pool, case: Case) -> None:
    plan = await explain(pool, run_query.count(query_of(case), 20_000))
    assert plan.read("status_id")
    assert plan.scanned_history == []
    assert not plan.touches("task_p")
    assert plan.pages <= case.count_max


@pytest.mark.parametrize("statuses", [[Status.QUEUED], [Status.QUEUED, Status.RUNNING]])
async def test_what_waits_is_sought_in_queues_of_the_workflow(
    pool: asyncpg.Pool, statuses: list[Status]
) -> None:
    query = RunQuery(TENANT, from_ms(END_MS - DAY_MS), statuses=statuses, **_workflow("audit"))
    roles = await roles_of(pool, TENANT)
    plan = await explain(pool, run_query.count(query, 20_000, roles))
    assert plan.scanned_history == []
    # The backlog has some 600 items, in queues of other workflows.
    assert plan.rows_of("queue_item") <= 50


async def test_a_workflow_without_single_tasks_is_not_searched_for_them(
    pool: asyncpg.Pool,
) -> None:
    query = RunQuery(TENANT, from_ms(HISTORY.start_ms), only_tasks=True, **_workflow("order"))
    plan = await explain(pool, run_query.page(query, 0, 50))
    assert plan.rows <= 50 * 4


async def test_a_workflow_without_dag_runs_is_not_searched_for_them(pool: asyncpg.Pool) -> None:
    query = RunQuery(TENANT, from_ms(HISTORY.start_ms), only_tasks=True, **_workflow("mail"))
    plan = await explain(pool, run_query.page(query, 0, 50))
    assert plan.rows <= 50 * 4


@pytest.mark.parametrize("ranges", [1, 48])
async def test_counts_by_status_read_indexes_alone(pool: asyncpg.Pool, ranges: int) -> None:
    first, last = exact_bounds(from_ms(END_MS - DAY_MS), from_ms(END_MS))
    step = DAY_MS // ranges
    inner = [exact_bounds(from_ms(END_MS - DAY_MS + n * step), None)[0] for n in range(1, ranges)]
    statement = await range_counts.statement(pool, TENANT, [first, *inner, last])
    plan = await explain(pool, statement)
    assert plan.scanned_history == []
    assert plan.read("workflow_id_id")
    assert plan.read("status_id")
    # Beyond the indexes: tasks of what is on workers, members of DAG runs that wait.
    assert plan.pages <= DAY_READS_MAX + 10_000


@pytest.mark.parametrize("names", [(), ("mail",), ("order", "refund")])
@pytest.mark.parametrize("hours", [(24, 0), (50, 26), (DAYS * 24, 0)])
async def test_counts_by_status_are_those_of_lists(
    pool: asyncpg.Pool, names: tuple[str, ...], hours: tuple[int, int]
) -> None:
    since, until = (from_ms(END_MS - hour * 3_600_000) for hour in hours)
    workflows = [WORKFLOWS[name] for name in names]
    query = RunQuery(TENANT, since, until, workflow_ids=workflows)
    counts = await metrics.status_counts(pool, query)
    for status in Status:
        listed = RunQuery(TENANT, since, until, workflow_ids=workflows, statuses=[status])
        assert counts[status] == await runs.run_count(pool, listed, RUNS), status.name
    assert sum(counts.values()) == await runs.run_count(pool, query, RUNS)


async def test_chart_adds_up_to_the_counts(pool: asyncpg.Pool) -> None:
    since, until = from_ms(END_MS - DAY_MS), from_ms(END_MS)
    axis = metrics.buckets(since, until, END_MS)
    points = await metrics.run_points(pool, TENANT, axis, until)
    counts = await metrics.status_counts(pool, RunQuery(TENANT, axis.start, until))
    assert len(points) == axis.count
    assert sum(completed for completed, _ in points) == counts[Status.COMPLETED]
    assert sum(failed for _, failed in points) == counts[Status.FAILED]
