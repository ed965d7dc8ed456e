"""One Postgres for the whole test session, and a fresh database per test in milliseconds.

    async def test_something(database: str) -> None:
        connection = await asyncpg.connect(database)

The cluster is the product's own embedded one with fsync off. The template is migrated once; each
test gets a copy of it. Nothing is started for sessions in which no test asks for a database.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from hatchet_engine.app.embedded import EmbeddedPostgres

TEMPLATE = "template_hatchet"

# A directory in memory makes databases five times faster; taken if there is room enough.
MEMORY_DIR = Path("/dev/shm")
MEMORY_BYTES_MIN = 2 * 1024**3

_numbers = itertools.count(1)


def dsn_of(dsn: str, database: str) -> str:
    """The same server as `dsn`, another database."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """DSN of the session's Postgres (its maintenance database)."""
    # Not pytest's tmp_path: that is closed to other users, and as root Postgres runs as another.
    data_dir = Path(tempfile.mkdtemp(prefix="hatchet-test-", dir=_fast_dir()))
    if os.geteuid() == 0:
        data_dir.chmod(0o711)
    postgres = EmbeddedPostgres(data_dir, durable=False)
    try:
        yield asyncio.run(postgres.start(supervise=False))
    finally:
        asyncio.run(postgres.stop())
        shutil.rmtree(data_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def template_dsn(postgres_dsn: str) -> str:
    """DSN of the migrated template. Leave no connection open: Postgres copies only idle ones."""
    asyncio.run(_make_template(postgres_dsn))
    return dsn_of(postgres_dsn, TEMPLATE)


@pytest.fixture
async def database(template_dsn: str) -> AsyncIterator[str]:
    """DSN of a fresh, migrated database that is dropped after the test."""
    name = f"test_{next(_numbers)}"
    admin = await asyncpg.connect(dsn_of(template_dsn, "postgres"))
    try:
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{TEMPLATE}" STRATEGY file_copy')
        yield dsn_of(template_dsn, name)
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await admin.close()


@pytest.fixture
async def empty_database(postgres_dsn: str) -> AsyncIterator[str]:
    """DSN of a database without any table, for tests of the migrations themselves."""
    name = f"empty_{next(_numbers)}"
    admin = await asyncpg.connect(dsn_of(postgres_dsn, "postgres"))
    try:
        await admin.execute(f'CREATE DATABASE "{name}"')
        yield dsn_of(postgres_dsn, name)
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await admin.close()


def _fast_dir() -> Path | None:
    """Where the session's cluster goes; None for the usual directory of temporary files."""
    if os.access(MEMORY_DIR, os.W_OK) and shutil.disk_usage(MEMORY_DIR).free > MEMORY_BYTES_MIN:
        return MEMORY_DIR
    return None


@pytest.fixture
def empty_database_url(postgres_dsn: str) -> Iterator[str]:
    """As `empty_database`, for tests that are not coroutines (commands run their own loop)."""
    name = f"empty_{next(_numbers)}"
    admin = dsn_of(postgres_dsn, "postgres")
    asyncio.run(_execute(admin, f'CREATE DATABASE "{name}"'))
    yield dsn_of(postgres_dsn, name)
    asyncio.run(_execute(admin, f'DROP DATABASE "{name}" WITH (FORCE)'))


async def _execute(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def _make_template(postgres_dsn: str) -> None:
    from hatchet_engine.store.migrate import migrate

    admin = await asyncpg.connect(dsn_of(postgres_dsn, "postgres"))
    try:
        await admin.execute(f'CREATE DATABASE "{TEMPLATE}"')
        await migrate(dsn_of(postgres_dsn, TEMPLATE))
    finally:
        await admin.close()
