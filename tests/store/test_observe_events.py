"""Events and filters against real tables."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from hatchet_engine.domain.definition import TaskDefinition
from hatchet_engine.domain.errors import Refused
from hatchet_engine.domain.states import Status
from hatchet_engine.observe import events, filters
from hatchet_engine.observe.event_query import EventQuery
from hatchet_engine.observe.events import EventRun
from tests.support.rows import NOW_MS, Rows, at

SINCE = at(NOW_MS - 86_400_000)


async def found(pool: asyncpg.Pool, rows: Rows, **selection: Any) -> list[UUID]:
    query = EventQuery(rows.tenant_id, **{"since": SINCE, **selection})
    page = await events.event_list(pool, query, offset=0, limit=50)
    assert page.total == len(page.rows)
    return [row.id for row in page.rows]


async def test_filters_of_the_list(rows: Rows, pool: asyncpg.Pool) -> None:
    first = await rows.pushed("a", scope="x", metadata={"team": "1", "n": 5})
    second = await rows.pushed("b", scope="y", metadata={"team": "1"})
    third = await rows.pushed("c")
    everything = [third, second, first]
    assert await found(pool, rows) == everything
    assert await found(pool, rows, keys=["a"]) == [first]
    assert await found(pool, rows, keys=["a", "c", "a", "z"]) == [third, first]
    assert await found(pool, rows, scopes=["x"]) == [first]
    assert await found(pool, rows, scopes=["x", "y"]) == [second, first]
    assert await found(pool, rows, keys=["a", "b"], scopes=["y", "x"]) == [second, first]
    assert await found(pool, rows, keys=["a", "b"], scopes=["y"]) == [second]
    assert await found(pool, rows, keys=["b"], scopes=["x", "y"]) == [second]
    assert await found(pool, rows, ids=[third, first], keys=["a", "c"]) == [third, first]
    assert await found(pool, rows, metadata=[("team", "1")]) == [second, first]
    assert await found(pool, rows, metadata=[("team", "1"), ("n", "5")]) == [first]
    assert await found(pool, rows, metadata=[("team", "2")]) == []


async def test_the_window_is_inclusive_to_the_millisecond(rows: Rows, pool: asyncpg.Pool) -> None:
    made = [await rows.pushed(seen_ms=NOW_MS + n) for n in range(5)]
    window = {"since": at(NOW_MS + 1), "until": at(NOW_MS + 3)}
    assert await found(pool, rows, **window) == made[1:4][::-1]
    half = timedelta(microseconds=500)
    window = {"since": at(NOW_MS + 1) + half, "until": at(NOW_MS + 3) - half}
    assert await found(pool, rows, **window) == [made[2]]
    assert await found(pool, rows, since=at(0)) == made[::-1]
    assert await found(pool, rows, until=at(0)) == []


async def test_pages(rows: Rows, pool: asyncpg.Pool) -> None:
    made = [await rows.pushed("ab"[n % 2]) for n in range(9)]
    for selection in ({}, {"keys": ["a", "b"]}):
        query = EventQuery(rows.tenant_id, SINCE, **selection)
        seen = []
        for offset in range(0, 12, 4):
            page = await events.event_list(pool, query, offset=offset, limit=4)
            assert page.total == 9
            seen += [row.id for row in page.rows]
        assert seen == made[::-1]


async def test_events_show_their_runs(rows: Rows, pool: asyncpg.Pool) -> None:
    steps = [TaskDefinition(name="a", action="d:a"), TaskDefinition(name="b", action="d:b")]
    single, dag = await rows.workflow("single"), await rows.workflow("dag", steps)
    quiet = await rows.pushed("quiet")
    event = await rows.pushed("loud", scope="s", metadata={"k": "v"}, source="hook")
    trigger = {"event_id": str(event), "event_key": "loud"}
    filter_id = str(await rows.filter(single))
    made = {
        status: await rows.run(single, status, trigger={**trigger, "filter_id": filter_id})
        for status in Status
    }
    running, _ = await rows.dag(dag, {0: {"status": Status.RUNNING}}, trigger=trigger)
    queued, _ = await rows.dag(dag, trigger=trigger)
    row = await events.event_get(pool, rows.tenant_id, event)
    assert row is not None
    assert row.runs == [
        *(EventRun(run, filter_id, status) for status, run in made.items()),
        EventRun(running, None, Status.RUNNING),
        EventRun(queued, None, Status.QUEUED),
    ]
    assert (row.key, row.scope, row.source) == ("loud", "s", "hook")
    assert (row.payload, row.metadata, row.seen_at) == ('{"a": 1}', '{"k": "v"}', at(NOW_MS))
    empty = await events.event_get(pool, rows.tenant_id, quiet)
    assert empty is not None
    assert empty.runs == []
    for status in Status:
        assert await found(pool, rows, statuses=[status]) == [event]
    assert await found(pool, rows, workflow_ids=[dag.id], statuses=[Status.FAILED]) == []
    assert await found(pool, rows, workflow_ids=[dag.id, single.id], keys=["loud"]) == [event]
    assert await found(pool, rows, workflow_ids=[dag.id], keys=["quiet"]) == []
    assert await found(pool, rows, workflow_ids=[dag.id], metadata=[("k", "v")]) == [event]


async def test_keys(rows: Rows, pool: asyncpg.Pool) -> None:
    for key in ("b", "a", "b", "", "c"):
        await rows.pushed(key)
    tenant = rows.tenant_id
    assert await events.event_keys(pool, tenant, NOW_MS - 10) == ["", "a", "b", "c"]
    assert await events.event_keys(pool, tenant, NOW_MS + 10) == []


async def test_other_tenants_do_not_exist(rows: Rows, database: str, pool: asyncpg.Pool) -> None:
    other = await Rows.open(database)
    event, filter_id = await other.pushed(), await other.filter(await other.workflow())
    assert await found(pool, rows) == []
    assert await events.event_get(pool, rows.tenant_id, event) is None
    assert await events.event_keys(pool, rows.tenant_id, 0) == []
    assert await filters.filter_get(pool, rows.tenant_id, filter_id) is None
    await other.close()


async def test_filters(rows: Rows, pool: asyncpg.Pool) -> None:
    one, two = await rows.workflow("one"), await rows.workflow("two")
    first = await rows.filter(one, "x", "input.a == 1", '{"b": 2}')
    second = await rows.filter(two, "x")
    third = await rows.filter(two, "y")

    async def listed(offset: int = 0, limit: int = 50, **selection: Any) -> list[UUID]:
        wanted = {"workflow_ids": (), "scopes": (), **selection}
        page, total = await filters.filter_list(
            pool, rows.tenant_id, offset=offset, limit=limit, **wanted
        )
        assert total >= len(page)
        return [one.id for one in page]

    assert await listed() == [third, second, first]
    assert await listed(workflow_ids=[two.id]) == [third, second]
    assert await listed(scopes=["x"], workflow_ids=[two.id, one.id]) == [second, first]
    assert await listed(offset=1, limit=1) == [second]
    stored = await filters.filter_get(pool, rows.tenant_id, first)
    assert stored is not None
    assert (stored.expression, stored.payload) == ("input.a == 1", '{"b": 2}')
    assert (stored.created_ms, stored.declarative) == (NOW_MS, False)


async def test_a_page_of_large_events(
    rows: Rows, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read in pieces, in the same order; more than the server may hold is refused."""
    workflow = await rows.workflow()
    pushed = [await rows.pushed("a", metadata={"k": "v"}) for _ in range(5)]
    for _ in range(2):
        await rows.run(workflow, Status.COMPLETED, trigger={"event_id": str(pushed[0])})
    whole = await events.event_rows(pool, rows.tenant_id, pushed)
    assert [row.id for row in whole] == pushed[::-1]
    monkeypatch.setattr(events, "ROWS_PER_READ", 2)
    size = sum(len(row.payload) + len(row.metadata or "") for row in whole) + 2 * events.RUN_CHARS
    monkeypatch.setattr(events, "PAGE_CHARS_MAX", size)
    assert await events.event_rows(pool, rows.tenant_id, [*pushed, pushed[0]]) == whole
    monkeypatch.setattr(events, "PAGE_CHARS_MAX", size - 1)
    with pytest.raises(Refused, match=f"larger than {size - 1} characters; ask for fewer"):
        await found(pool, rows)
