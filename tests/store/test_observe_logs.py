"""The log lane: order, bounds, bad lines, lost connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from hatchet_engine.observe import logs
from hatchet_engine.observe.logs import LogLane, LogLine, storable
from tests.support.rows import NOW_MS, Rows, at


@pytest.fixture
async def lane(database: str) -> AsyncIterator[LogLane]:
    lane = LogLane(database, lambda: NOW_MS)
    await lane.start()
    yield lane
    await lane.stop()


def line(message: str, level: str = "INFO", metadata: str = "") -> LogLine:
    return LogLine(uuid4(), 1, NOW_MS - 5, level, message, metadata)


async def stored(rows: Rows) -> list[str]:
    found = await rows.connection.fetch(
        "select message from task_log where tenant_id = $1 order by id", rows.tenant_id
    )
    return [row["message"] for row in found]


async def drained(lane: LogLane) -> None:
    async with asyncio.timeout(10):
        while lane.waiting:
            await asyncio.sleep(0.005)


async def test_lines_are_stored_in_their_order_of_arrival(lane: LogLane, rows: Rows) -> None:
    for start in range(0, 12_000, 1_000):
        lane.put(rows.tenant_id, [line(str(start + n)) for n in range(1_000)])
    await drained(lane)
    assert await stored(rows) == [str(n) for n in range(12_000)]
    assert (lane.stored, lane.dropped) == (12_000, 0)


async def test_a_line_as_it_is_stored(lane: LogLane, rows: Rows) -> None:
    lane.put(rows.tenant_id, [line("one", "warning", '{"a": 1}'), line("two", "?", "[1]")])
    await drained(lane)
    first, second = await rows.connection.fetch("select * from task_log order by id")
    assert (first["level"], first["metadata"]) == ("WARN", '{"a": 1}')
    assert (first["at"], first["attempt"]) == (at(NOW_MS - 5), 1)
    assert (second["level"], second["metadata"]) == ("INFO", None)


async def test_what_postgres_cannot_hold_is_replaced_or_left_out(lane: LogLane, rows: Rows) -> None:
    bad = LogLine(uuid4(), 2**40, NOW_MS, "INFO", "an attempt that is no integer of Postgres")
    nul = line("metadata with a null character", metadata='{"n": "\\u0000"}')
    lines = [line(str(n)) for n in range(20)]
    lane.put(rows.tenant_id, [*lines[:7], bad, line("nul \x00, half \ud800"), nul, *lines[7:]])
    await drained(lane)
    messages = await stored(rows)
    assert len(messages) == 22
    assert "nul \ufffd, half ?" in messages
    assert nul.message in messages
    assert lane.dropped == 1


def test_storable_keeps_good_text() -> None:
    for text in ("", "plain", "ä \U0001f600"):
        assert storable(text) == text


async def test_what_comes_too_fast_is_dropped_and_counted(
    lane: LogLane, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "QUEUE_LINES_MAX", 10)
    lane.put(rows.tenant_id, [line(str(n)) for n in range(15)])
    assert (lane.waiting, lane.dropped) == (10, 5)
    await drained(lane)
    assert await stored(rows) == [str(n) for n in range(10)]
    monkeypatch.setattr(logs, "QUEUE_CHARS_MAX", 100)
    lane.put(rows.tenant_id, [line("x" * 60), line("y" * 60), line("z" * 40)])
    await drained(lane)
    assert await stored(rows) == [*(str(n) for n in range(10)), "x" * 60, "z" * 40]
    assert lane.dropped == 6


async def test_long_messages_are_cut(
    lane: LogLane, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MESSAGE_CHARS_MAX", 5)
    lane.put(rows.tenant_id, [line("123456789")])
    await drained(lane)
    assert await stored(rows) == ["12345"]


async def test_a_lost_connection_loses_nothing(lane: LogLane, rows: Rows) -> None:
    for n in range(5):
        lane.put(rows.tenant_id, [line(f"{n}.{m}") for m in range(100)])
        await rows.connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'hatchet logs' and datname = current_database()"
        )
        await asyncio.sleep(0.01)
    await drained(lane)
    assert len(await stored(rows)) == 500
    assert lane.dropped == 0


async def test_stop_stores_what_waits(database: str, rows: Rows) -> None:
    lane = LogLane(database, lambda: NOW_MS)
    await lane.start()
    lane.put(rows.tenant_id, [line(str(n)) for n in range(100)])
    await lane.stop()
    assert len(await stored(rows)) == 100
    lane.put(rows.tenant_id, [line("late")])
    assert lane.dropped == 1


async def test_stop_ends_in_time_without_a_database(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "STOP_TIMEOUT_S", 0.1)
    lane = LogLane("postgresql://127.0.0.1:1/none", lambda: NOW_MS)
    await lane.start()
    lane.put(rows.tenant_id, [line("lost")])
    await lane.stop()
    assert (lane.dropped, lane.waiting) == (1, 0)
