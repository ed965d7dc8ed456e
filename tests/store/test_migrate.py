"""Migrations, the committed schema, and the partitions of history."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from hatchet_engine.domain import ids
from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.store import partitions
from hatchet_engine.store.migrate import Migration, migrate, migrations
from hatchet_engine.store.partitions import DAY_MS, DAYS_AHEAD, TABLES, Day

NOW_MS = 1_767_225_600_000  # 2026-01-01
ROOT = Path(__file__).parents[2]


def dump_schema() -> ModuleType:
    """The script, as a module."""
    spec = importlib.util.spec_from_file_location("dump_schema", ROOT / "scripts/dump_schema.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def query(dsn: str, text: str, *arguments: object) -> list[Any]:
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(row) for row in await connection.fetch(text, *arguments)]
    finally:
        await connection.close()


async def versions(dsn: str) -> list[Any]:
    return await query(dsn, "select number, name from schema_version order by number")


async def test_empty_database_gets_all_migrations(empty_database: str) -> None:
    await migrate(empty_database)
    assert await versions(empty_database) == [(one.number, one.name) for one in migrations()]


async def test_second_migration_changes_nothing(empty_database: str) -> None:
    await migrate(empty_database)
    before = await query(empty_database, "select oid, relname from pg_class order by oid")
    await migrate(empty_database)
    assert await query(empty_database, "select oid, relname from pg_class order by oid") == before


async def test_several_nodes_may_migrate_at_once(empty_database: str) -> None:
    await asyncio.gather(*[migrate(empty_database) for _ in range(5)])
    assert await versions(empty_database) == [(one.number, one.name) for one in migrations()]


async def test_newer_database_is_refused(empty_database: str) -> None:
    await migrate(empty_database)
    await query(empty_database, "insert into schema_version values (9999, 'from the future')")
    with pytest.raises(Refused) as caught:
        await migrate(empty_database)
    assert caught.value.code is Code.FAILED_PRECONDITION
    assert "9999" in caught.value.message


@pytest.mark.parametrize("digest", ["'0'", "null"])
async def test_database_of_other_migrations_is_refused(empty_database: str, digest: str) -> None:
    """None: of a build that did not note them."""
    await migrate(empty_database)
    await query(empty_database, f"update schema_version set digest = {digest} where number = 2")
    with pytest.raises(Refused, match=r"migration 2 \(.*begin with an empty database") as caught:
        await migrate(empty_database)
    assert caught.value.code is Code.FAILED_PRECONDITION


def test_digest_is_that_of_what_a_migration_does() -> None:
    one = Migration(1, "a", "create table a (\n  id int -- its id\n);")
    assert one.digest == Migration(1, "a", "-- A table.\n\ncreate table a ( id int );").digest
    assert one.digest != Migration(1, "a", "create table a (\n  id bigint\n);").digest


async def test_failing_migration_leaves_nothing_behind(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hatchet_engine.store import migrate as module

    last = len(migrations())
    broken = module.Migration(last + 1, "broken", "create table half (id int); select 1/0")
    monkeypatch.setattr(module, "migrations", lambda: [*migrations(), broken])
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty_database)
    assert len(await versions(empty_database)) == last
    assert await query(empty_database, "select to_regclass('half')::text") == [(None,)]
    monkeypatch.undo()
    await migrate(empty_database)  # the lock was given back


async def test_schema_snapshot_is_that_of_the_migrations(empty_database: str) -> None:
    """On a difference run scripts/dump_schema.py and look at the change."""
    await migrate(empty_database)
    script = dump_schema()
    connection = await asyncpg.connect(empty_database)
    try:
        await partitions.create_ahead(connection, NOW_MS)  # partitions are not part of it
        text = await script.dump(connection)
    finally:
        await connection.close()
    assert text == script.FILE.read_text("utf-8")


# ------------------------------------------------------------ partitions


@pytest.fixture
async def connection(database: str) -> Any:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def names(connection: asyncpg.Connection) -> set[str]:
    rows = await connection.fetch(
        "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid "
        "where c.relkind = 'r'"
    )
    return {row["relname"] for row in rows}


def expected(first_ms: int, days: range) -> set[str]:
    today = first_ms // DAY_MS
    return {f"{table}_p{Day(today + number).suffix}" for table in TABLES for number in days}


def test_day_suffix_and_bounds() -> None:
    day = Day(NOW_MS // DAY_MS)
    assert day.suffix == "20260101"
    assert Day.of("20260101") == day
    lower, upper = day.bounds
    assert ids.time_ms(UUID(lower)) == NOW_MS
    assert ids.time_ms(UUID(upper)) == NOW_MS + DAY_MS


async def test_partitions_are_made_from_yesterday_to_a_week_ahead(
    connection: asyncpg.Connection,
) -> None:
    until_ms = await partitions.create_ahead(connection, NOW_MS + 5)
    assert until_ms == NOW_MS + (DAYS_AHEAD + 1) * DAY_MS
    assert await names(connection) == expected(NOW_MS, range(-1, DAYS_AHEAD + 1))
    assert await partitions.create_ahead(connection, NOW_MS + DAY_MS - 1) == until_ms


async def test_partitions_are_made_by_several_nodes_at_once(
    database: str, connection: asyncpg.Connection
) -> None:
    others = [await asyncpg.connect(database) for _ in range(3)]
    await asyncio.gather(*[partitions.create_ahead(other, NOW_MS) for other in others])
    for other in others:
        await other.close()
    assert await names(connection) == expected(NOW_MS, range(-1, DAYS_AHEAD + 1))


async def test_partitions_before_the_retention_are_dropped(connection: asyncpg.Connection) -> None:
    await partitions.create_ahead(connection, NOW_MS)
    dropped = await partitions.drop_before(connection, NOW_MS + 2 * DAY_MS + 1)
    assert set(dropped) == expected(NOW_MS, range(-1, 2))
    assert await names(connection) == expected(NOW_MS, range(2, DAYS_AHEAD + 1))
    assert await partitions.drop_before(connection, NOW_MS + 2 * DAY_MS) == []


LIVE = {
    "queue_item": "insert into queue_item values (1, -1, $1, $2, $2, 0, 0, 0, 0, 0, 0)",
    "delayed_item": "insert into delayed_item values ($1, 0, 1, $2, $2, 0, 0, 0, 0)",
    "assignment": "insert into assignment values ($1, $2, 1, $2, 0, 0, $2, 0, 0, 0, 0)",
}


@pytest.mark.parametrize("table", list(LIVE))
@pytest.mark.parametrize("offset_ms", [0, DAY_MS // 2, DAY_MS - 1])
async def test_partition_with_a_live_task_is_kept(
    connection: asyncpg.Connection, table: str, offset_ms: int
) -> None:
    await partitions.create_ahead(connection, NOW_MS)
    task_id = ids.lowest(NOW_MS + offset_ms)
    await connection.execute(LIVE[table], task_id, UUID(int=1))
    dropped = await partitions.drop_before(connection, NOW_MS + 2 * DAY_MS)
    kept = {f"{name}_p20260101" for name in ("task", "outcome")}
    assert set(dropped) == expected(NOW_MS, range(-1, 2)) - kept
    assert kept <= await names(connection)
    await connection.execute(f"delete from {table}")
    assert set(await partitions.drop_before(connection, NOW_MS + 2 * DAY_MS)) == kept


async def test_partition_that_is_being_read_is_left_for_later(
    database: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "LOCK_TIMEOUT_MS", 20)
    await partitions.create_ahead(connection, NOW_MS)
    reader = await asyncpg.connect(database)
    try:
        async with reader.transaction():
            await reader.fetch("select 1 from task_p20260101")
            dropped = await partitions.drop_before(connection, NOW_MS + 2 * DAY_MS)
        assert "task_p20260101" not in dropped
        assert "outcome_p20260101" not in dropped
        assert "task_p20260101" in await partitions.drop_before(connection, NOW_MS + 2 * DAY_MS)
    finally:
        await reader.close()
