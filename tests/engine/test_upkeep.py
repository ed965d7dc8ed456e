"""What is done beside the turns."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from hatchet_engine.sessions.subscriptions import Subscriptions
from hatchet_engine.sessions.watchers import RunWatchers
from hatchet_engine.shards import lease as leases
from hatchet_engine.turn.clock import SystemClock
from hatchet_engine.turn.engine import Engine
from hatchet_engine.upkeep.loop import Upkeep


async def test_a_clock_that_was_set_is_followed_and_changes_no_lease(
    clean_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await asyncpg.connect(clean_database)
    await connection.execute("update shard set lease_until = null, owner = null")
    lease = await leases.take(connection, uuid4(), "node")
    assert lease is not None
    clock = SystemClock()
    sent_s = clock.host_s()
    clock.compare(await leases.database_now(connection), sent_s, clock.host_s())
    assert abs(clock.offset_ms) < 1_000

    monkeypatch.setattr(clock, "host_s", lambda: time.time() + 3_600)
    monkeypatch.setattr(leases, "RENEW_S", 0.01)
    engine = Engine(clock=clock, waiters=Subscriptions(), watchers=RunWatchers())
    upkeep = asyncio.create_task(Upkeep(engine, clean_database, lease).run())
    async with asyncio.timeout(10):
        while clock.offset_ms > -3_599_000:
            until = await connection.fetchval("select lease_until from shard")
            left = until - await leases.database_now(connection)
            assert timedelta(0) < left <= timedelta(seconds=leases.LEASE_S)
    upkeep.cancel()
    await asyncio.gather(upkeep, return_exceptions=True)
    await connection.close()
