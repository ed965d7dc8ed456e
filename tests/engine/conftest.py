"""An engine for each test; when the test is over, the invariants must hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
import structlog

from hatchet_engine.observe import definitions
from tests.support.clean import clear
from tests.support.engine import Harness, running_engine
from tests.support.invariants import check_all
from tests.support.postgres import TEMPLATE, dsn_of

DATABASE = "engine_rules"


@pytest.fixture(autouse=True)
def quiet_log() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


@pytest.fixture(scope="session")
def shared_database(template_dsn: str) -> str:
    """One database for all tests of rules: each begins by emptying it."""

    async def create() -> None:
        admin = await asyncpg.connect(dsn_of(template_dsn, "postgres"))
        await admin.execute(f'create database "{DATABASE}" template "{TEMPLATE}"')
        await admin.close()

    asyncio.run(create())
    return dsn_of(template_dsn, DATABASE)


@pytest.fixture
async def clean_database(shared_database: str) -> str:
    connection = await asyncpg.connect(shared_database)
    await clear(connection)
    await connection.close()
    return shared_database


@pytest.fixture
async def h(clean_database: str) -> AsyncIterator[Harness]:
    async with running_engine(clean_database) as harness:
        yield harness
        await harness.settle()
        await check_all(harness.engine, harness.pool)


@pytest.fixture
def forget_definitions() -> None:
    """Ids of versions are unique in the world, but not among these tests."""
    definitions._cache.clear()
