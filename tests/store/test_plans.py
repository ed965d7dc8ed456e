"""Hot statements use their index and touch a bounded number of pages, however much there is.

The plans are those of the writer's connection: generic, and made while the tables were small.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from hatchet_engine.store import partitions
from hatchet_engine.store.migrate import migrate
from hatchet_engine.store.partitions import DAY_MS
from hatchet_engine.store.sql import load
from hatchet_engine.turn.connection import prepare_writer
from tests.support.plans import Plan, Prepared
from tests.support.postgres import dsn_of

NOW_MS = 1_767_225_600_000
TENANT = UUID("707d0855-80ab-4e1f-a156-f1c4546cbf52")
QUEUED = 100_000
TASKS_PER_DAY = 70_000
DAYS = 3
ASSIGNED = 5_000

# The n-th task of a day; the same in SQL and in Python.
_ID = "(lpad(to_hex({start} + n), 12, '0') || '7000800000000000' || lpad('0', 4, '0'))::uuid"

pytestmark = pytest.mark.slow


def task_id(day: int, number: int) -> UUID:
    at_ms = NOW_MS + day * DAY_MS + number
    return UUID(hex=f"{at_ms:012x}" + "7000800000000000" + "0000")


def _id(day: int) -> str:
    return _ID.format(start=NOW_MS + day * DAY_MS)


async def fill(connection: asyncpg.Connection) -> None:
    await partitions.create_ahead(connection, NOW_MS)
    for day in range(DAYS):
        await connection.execute(
            "insert into task (tenant_id, id, run_id, kind, workflow_id, version_id, step, "
            "priority, created_at, input) "
            f"select $1, {_id(day)}, {_id(day)}, 0, $1, $1, 0, 1, now(), '{{}}' "
            f"from generate_series(0, {TASKS_PER_DAY - 1}) as n",
            TENANT,
        )
        await connection.execute(
            "insert into outcome (tenant_id, id, status, kind, attempt, finished_at, output) "
            f"select $1, {_id(day)}, 2, 0, 0, now(), '{{}}' "
            f"from generate_series(0, {TASKS_PER_DAY - 1}) as n where n % 2 = 0",
            TENANT,
        )
    await connection.execute(
        "insert into queue_item "
        f"select 1 + n % 3, -1 - n % 3, {_id(0)}, $1, $1, 0, 0, 0, 0, 0, $2::bigint + n "
        f"from generate_series(0, {QUEUED - 1}) as n",
        TENANT,
        NOW_MS,
    )
    await connection.execute(
        "insert into delayed_item "
        f"select {_id(1)}, $2::bigint + n, 1, $1, $1, 0, 1, 1, 0 "
        f"from generate_series(0, {QUEUED - 1}) as n",
        TENANT,
        NOW_MS,
    )
    await connection.execute(
        "insert into idempotency_key "
        f"select $1, $1, 'key ' || n, {_id(0)}, n % 2 = 0, $2::bigint + n "
        f"from generate_series(0, {QUEUED - 1}) as n",
        TENANT,
        NOW_MS,
    )
    await connection.execute(
        "insert into assignment (task_id, tenant_id, queue_id, version_id, step, attempt, "
        "worker_id, app_retries, internal_retries, assigned_ms, deadline_ms) "
        f"select {_id(2)}, $1, 1, $1, 0, 0, $1, 0, 0, 0, 0 "
        f"from generate_series(0, {ASSIGNED - 1}) as n",
        TENANT,
    )


@pytest.fixture(scope="module")
def filled(postgres_dsn: str) -> str:
    """DSN of a database with much in it, shared by the tests of this module: none commits."""
    import asyncio

    async def make() -> None:
        admin = await asyncpg.connect(dsn_of(postgres_dsn, "postgres"))
        await admin.execute("create database plans")
        await admin.close()
        await migrate(dsn_of(postgres_dsn, "plans"))
        connection = await asyncpg.connect(dsn_of(postgres_dsn, "plans"))
        await fill(connection)
        await connection.execute("vacuum analyze")
        await connection.close()

    asyncio.run(make())
    return dsn_of(postgres_dsn, "plans")


@pytest.fixture
async def writer(filled: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(filled)
    await prepare_writer(connection)
    yield connection
    await connection.close()


async def explain(connection: asyncpg.Connection, statement: str, *arguments: object) -> Plan:
    """Run the statement as the writer does, with its generic plan, and take it back."""
    return await (await Prepared.make(connection, statement)).explain(*arguments)


KEYS = load("idempotency")
QUEUE = load("queue")
TASKS = load("tasks")
OUTCOMES = load("outcomes")
ASSIGNMENTS = load("assignments")


@pytest.mark.parametrize("after", [(-32_768, UUID(int=0)), (-2, task_id(0, 50_000))])
async def test_window_reads_its_rows_and_no_more(
    writer: asyncpg.Connection, after: tuple[int, UUID]
) -> None:
    plan = await explain(writer, QUEUE["queue_item_window"], 2, *after, 1_000)
    assert plan.uses("queue_item_pkey")
    assert plan.scanned == []
    assert not any(node["Node Type"] == "Sort" for node in plan.nodes)
    assert plan.pages <= 1_000 + 20


async def test_delete_of_placed_items_goes_by_key(writer: asyncpg.Connection) -> None:
    # Queue 1 + n % 3 and rank -1 - n % 3 go together in this data.
    chosen = [task_id(0, number) for number in range(0, 300, 3)]
    plan = await explain(writer, QUEUE["queue_item_delete_rank"], 1, -1, chosen)
    assert plan.uses("queue_item_pkey")
    assert plan.scanned == []
    assert plan.pages <= 100 * 8
    keys = [[1] * 100, [-1] * 100, chosen]
    plan = await explain(writer, QUEUE["queue_item_delete_many"], *keys)
    assert plan.uses("queue_item_pkey")
    assert plan.scanned == []
    assert plan.pages <= 100 * 8


async def test_queued_tasks_are_found_by_id(writer: asyncpg.Connection) -> None:
    chosen = [task_id(0, number) for number in range(0, 300, 3)]
    plan = await explain(writer, QUEUE["queue_item_find_many"], [1] * 100, chosen)
    assert plan.uses("queue_item_pkey")
    assert plan.scanned == []
    assert plan.pages <= 100 * 4 * 5  # four ranks each


async def test_due_schedule_timeouts_are_read_in_order(writer: asyncpg.Connection) -> None:
    plan = await explain(writer, QUEUE["queue_item_timed_out"], NOW_MS + 99_999, 100)
    assert plan.uses("queue_item_schedule_timeout")
    assert plan.scanned == []
    assert plan.pages <= 200


async def test_due_backoffs_are_read_in_order(writer: asyncpg.Connection) -> None:
    plan = await explain(writer, QUEUE["delayed_item_due"], NOW_MS + 99_999, 100)
    assert plan.uses("delayed_item_due")
    assert plan.scanned == []
    assert plan.pages <= 200


@pytest.mark.parametrize(
    ("name", "arguments", "index"),
    [
        ("queue_item_next_timeout_after", (NOW_MS + 50_000,), "queue_item_schedule_timeout"),
        ("delayed_item_next_due", (), "delayed_item_due"),
        ("delayed_item_next_due_after", (NOW_MS + 50_000,), "delayed_item_due"),
    ],
)
async def test_next_due_time_is_one_look(
    writer: asyncpg.Connection, name: str, arguments: tuple[int, ...], index: str
) -> None:
    plan = await explain(writer, QUEUE[name], *arguments)
    assert plan.uses(index)
    assert plan.pages <= 6


@pytest.mark.parametrize("name", ["delayed_item_find_many", "delayed_item_delete_many"])
async def test_backoffs_go_by_id(writer: asyncpg.Connection, name: str) -> None:
    plan = await explain(writer, QUEUE[name], [task_id(1, number) for number in range(100)])
    assert plan.uses("delayed_item_pkey")
    assert plan.scanned == []
    assert plan.pages <= 100 * 8


@pytest.mark.parametrize("name", ["task_get_many", "task_existing"])
@pytest.mark.parametrize("days", [(1,), (0, 1, 2)])
async def test_tasks_are_read_by_id_in_their_partitions_only(
    writer: asyncpg.Connection, name: str, days: tuple[int, ...]
) -> None:
    chosen = [task_id(day, number) for day in days for number in range(0, 3_000, 100)]
    plan = await explain(writer, TASKS[name], TENANT, chosen, min(chosen), max(chosen))
    assert plan.uses("_pkey")
    assert plan.scanned == []
    tables = {node["Relation Name"] for node in plan.nodes if "Relation Name" in node}
    assert tables == {f"task_p2026010{1 + day}" for day in days}
    assert plan.pages <= len(chosen) * len(days) * 5


@pytest.mark.parametrize("name", ["outcome_get_many", "outcome_results"])
async def test_outcomes_are_read_by_id_in_their_partition_only(
    writer: asyncpg.Connection, name: str
) -> None:
    chosen = [task_id(1, number) for number in range(0, 3_000, 100)]
    plan = await explain(writer, OUTCOMES[name], TENANT, chosen, min(chosen), max(chosen))
    assert plan.uses("_pkey")
    assert plan.scanned == []
    tables = {node["Relation Name"] for node in plan.nodes if "Relation Name" in node}
    assert tables <= {"outcome_p20260102", "task_p20260102"}
    assert plan.pages <= len(chosen) * 10


async def test_sizes_of_outcomes_are_told_without_reading_them(writer: asyncpg.Connection) -> None:
    chosen = [task_id(1, number) for number in range(0, 3_000, 100)]
    plan = await explain(
        writer, OUTCOMES["outcome_sizes"], TENANT, chosen, min(chosen), max(chosen)
    )
    assert plan.uses("_pkey")
    assert plan.scanned == []
    assert plan.pages <= len(chosen) * 10


async def test_outcome_is_deleted_by_id(writer: asyncpg.Connection) -> None:
    chosen = [task_id(1, number) for number in range(0, 200, 2)]
    plan = await explain(
        writer, OUTCOMES["outcome_delete_many"], [TENANT] * 100, chosen, min(chosen), max(chosen)
    )
    assert plan.scanned == []
    assert plan.pages <= 100 * 8


async def test_outcome_insert_touches_its_own_pages(writer: asyncpg.Connection) -> None:
    chosen = [task_id(1, number) for number in range(1, 201, 2)]
    plan = await explain(
        writer,
        OUTCOMES["outcome_insert_completed"],
        TENANT,
        "2026-01-02 00:00:00+00",
        chosen,
        [0] * 100,
        [0] * 100,
        [NOW_MS] * 100,
        [None] * 100,
        [TENANT] * 100,
        ["{}"] * 100,
    )
    assert plan.pages <= 100 * 12


async def test_assignments_go_by_id(writer: asyncpg.Connection) -> None:
    chosen = [task_id(2, number) for number in range(0, 5_000, 50)]
    rows = [chosen, [NOW_MS] * 100, [NOW_MS] * 100, [True] * 100]
    for name, arguments in (
        ("assignment_delete_many", [chosen]),
        ("assignment_set_many", rows),
        ("assignment_exists", [chosen[0], 0]),
    ):
        plan = await explain(writer, ASSIGNMENTS[name], *arguments)
        assert plan.uses("assignment_pkey"), name
        assert plan.scanned == [], name
        assert plan.pages <= 100 * 12, name


async def test_assignment_list_reads_each_task_by_key(writer: asyncpg.Connection) -> None:
    plan = await explain(writer, ASSIGNMENTS["assignment_list"])
    assert "task_p20260103" not in plan.scanned
    assert plan.pages <= ASSIGNED * 30


async def test_idempotency_keys_go_by_key_and_by_run(writer: asyncpg.Connection) -> None:
    keys = [f"key {number}" for number in range(0, 1_000, 10)]
    runs = [task_id(0, number) for number in range(0, 1_000, 10)]
    plan = await explain(writer, KEYS["idempotency_key_holders"], [TENANT] * 100, keys)
    assert plan.uses("idempotency_key_pkey")
    assert plan.scanned == []
    assert plan.pages <= 100 * 5
    plan = await explain(writer, KEYS["idempotency_key_free"], runs)
    assert plan.uses("idempotency_key_run")
    assert plan.scanned == []
    assert plan.pages <= 100 * 5
    rows = [[TENANT] * 100, [TENANT] * 100, keys, runs, [True] * 100, [NOW_MS] * 100]
    plan = await explain(writer, KEYS["idempotency_key_claim"], *rows)
    assert plan.pages <= 100 * 40  # three indexes


async def test_expired_idempotency_keys_are_read_in_order(filled: str) -> None:
    """By upkeep, whose connection has the usual settings."""
    connection = await asyncpg.connect(filled)
    plan = await explain(connection, KEYS["idempotency_key_sweep"], NOW_MS + 50_000, 100)
    await connection.close()
    assert plan.uses("idempotency_key_expires")
    assert plan.scanned == []
    assert plan.pages <= 100 * 12


async def test_repeats_read_the_newest_runs_only(writer: asyncpg.Connection) -> None:
    seconds, newest = 5, TASKS_PER_DAY - 1
    since = task_id(DAYS - 1, newest - seconds * 1_000)  # a run each millisecond
    plan = await explain(writer, TASKS["task_by_origin"], TENANT, since, [7, 8, 9])
    assert plan.uses("_pkey")
    assert plan.scanned == []
    assert plan.pages <= seconds * 1_000 / 5
