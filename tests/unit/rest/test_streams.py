"""Streams over REST: by position, and as server-sent events."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from hatchet_engine.domain.ids import IdSource
from hatchet_engine.domain.states import Status
from hatchet_engine.store import streams
from hatchet_engine.store.streams import Chunk
from hatchet_engine.transports.rest import event_source
from hatchet_engine.transports.rest.event_source import EventSource
from hatchet_engine.turn.deliveries import RunEvent
from tests.support.rest import Api
from tests.support.rows import NOW_MS

PATH = "/api/v1/stable/tenants/{tenant}/streams/"
_ids = IdSource(lambda count: bytes(count))


async def store(api: Api, run_id: UUID, *data: bytes, first: int = 0) -> list[Chunk]:
    chunks = [
        Chunk(api.tenant, run_id, run_id, 1, index, one, _ids.new(NOW_MS))
        for index, one in enumerate(data, first)
    ]
    await streams.insert_many(api.rows.connection, chunks)
    return chunks


async def test_chunks_by_position(api: Api) -> None:
    run_id = await api.rows.run(await api.rows.workflow(), Status.COMPLETED)
    await store(api, run_id, b"a", b"b", b"\xff\x00", "€".encode(), "\ufffd".encode())
    found = await api.get(f"{PATH}{run_id}")
    assert (found["next"], found["ended"]) == (5, True)
    assert [row["data"] for row in found["rows"]] == ["a", "b", "\ufffd\x00", "€", "\ufffd"]
    assert [row["position"] for row in found["rows"]] == [1, 2, 3, 4, 5]
    first, _, third, _, fifth = found["rows"]
    assert (first["taskExternalId"], first["retryCount"], first["index"]) == (str(run_id), 1, 0)
    assert first["createdAt"].startswith("2025-06-15T15:06:40")
    assert b64decode(third["base64"]) == b"\xff\x00"
    assert "base64" not in first
    assert "base64" not in fifth


@pytest.mark.parametrize(
    ("after", "limit", "seen", "ended"),
    [
        (0, 2, "ab", False),
        (2, 2, "cd", False),
        (2, 3, "cd", True),
        (3, 1, "d", False),
        (4, 1, "", True),
        (9, 1, "", True),
    ],
)
async def test_pages(api: Api, after: int, limit: int, seen: str, ended: bool) -> None:
    run_id = await api.rows.run(await api.rows.workflow(), Status.FAILED)
    await store(api, run_id, b"a", b"b", b"c", b"d")
    found = await api.get(f"{PATH}{run_id}", after=after, limit=limit)
    assert "".join(row["data"] for row in found["rows"]) == seen
    assert (found["next"], found["ended"]) == (after + len(seen), ended)


async def test_a_run_that_goes_on_has_not_ended(api: Api) -> None:
    workflow = await api.rows.workflow()
    run_id = await api.rows.run(workflow, Status.RUNNING)
    assert await api.get(f"{PATH}{run_id}") == {"rows": [], "next": 0, "ended": False}
    # Nor has one whose last chunks are on their way to the table.
    run_id = await api.rows.run(workflow, Status.COMPLETED)
    api.engine.streams.waiting.add(run_id)
    assert (await api.get(f"{PATH}{run_id}"))["ended"] is False


@pytest.mark.parametrize(
    ("query", "field"),
    [({"after": -1}, "after"), ({"limit": 0}, "limit"), ({"limit": 1_001}, "limit")],
)
async def test_bad_positions(api: Api, query: dict[str, int], field: str) -> None:
    status, _, named = await api.refused("GET", f"{PATH}{uuid4()}", params=query)
    assert (status, named) == (400, field)


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_unknown_runs_are_not_found(api: Api, accept: str) -> None:
    headers = {"accept": accept}
    status, text, _ = await api.refused("GET", f"{PATH}{uuid4()}", headers=headers)
    assert status == 404
    assert "not found" in text
    status, _, _ = await api.refused("GET", f"/api/v1/stable/tenants/{uuid4()}/streams/{uuid4()}")
    assert status == 403


@pytest.mark.parametrize("path", ["topics", "payloads"])
async def test_stream_topics_are_not_offered(api: Api, path: str) -> None:
    status, text, _ = await api.refused("GET", f"{PATH}{path}")
    assert (status, text) == (501, "stream topics: not offered by this engine yet")


def events(text: str) -> list[tuple[str, str, Any]]:
    """Id, name and data of server-sent events."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] != ":")
        if fields:
            found.append((fields.get("id", ""), fields["event"], orjson.loads(fields["data"])))
    return found


@pytest.mark.parametrize(
    ("headers", "query", "seen"),
    [
        ({}, {}, ["1", "2", "3"]),
        ({}, {"after": "1"}, ["2", "3"]),
        ({"last-event-id": "2"}, {"after": "1"}, ["3"]),
        ({"last-event-id": "3"}, {}, []),
    ],
)
async def test_events_of_a_run_that_has_ended(
    api: Api, headers: dict[str, str], query: dict[str, str], seen: list[str]
) -> None:
    run_id = await api.rows.run(await api.rows.workflow(), Status.CANCELLED)
    await store(api, run_id, b"a", b"two\nlines", b"c")
    response = await api.client.get(
        f"{PATH.format(tenant=api.tenant)}{run_id}",
        headers={"accept": "text/event-stream", **headers},
        params=query,
    )
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    told = events(response.text)
    assert [id for id, name, _ in told if name == "chunk"] == seen
    assert told[-1] == ("", "end", {"status": "CANCELLED"})
    assert api.engine.streams.settled == [run_id]
    if not query:
        assert not headers or told[0][1] == ("chunk" if seen else "end")


async def test_a_bad_event_id_is_refused(api: Api) -> None:
    headers = {"accept": "text/event-stream", "last-event-id": "x"}
    status, _, field = await api.refused("GET", f"{PATH}{uuid4()}", headers=headers)
    assert (status, field) == (400, "last-event-id")


async def until(lines: AsyncIterator[bytes], text: str) -> str:
    found = ""
    async with asyncio.timeout(10):
        while text not in found:
            found += (await anext(lines)).decode()
    return found


async def test_live_events_until_the_end(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_source, "KEEP_ALIVE_S", 0.01)
    monkeypatch.setattr(event_source, "STRAGGLERS_S", 0.01)
    run_id = await api.rows.run(await api.rows.workflow(), Status.RUNNING)
    watchers = api.engine.watchers
    await store(api, run_id, b"a", b"b")
    source = EventSource(api.engine, api.tenant, run_id, 1)
    lines = source.lines()
    assert [one[0] for one in events(await until(lines, '"b"'))] == ["2"]
    assert ": still here" in await until(lines, ": still here")
    watchers.deliver_chunks(await store(api, run_id, b"c", first=2))
    assert [one[0] for one in events(await until(lines, '"c"'))] == ["3"]
    watchers.deliver([RunEvent(run_id, run_id, "FAILED", "x", 0, None, NOW_MS)])
    watchers.deliver([RunEvent(run_id, None, "RUN_FAILED", "", 0, None, NOW_MS)])
    watchers.deliver_chunks(await store(api, run_id, b"late", first=3))
    told = events(await until(lines, "event: end"))
    assert [(id, name) for id, name, _ in told] == [("4", "chunk"), ("", "end")]
    with pytest.raises(StopAsyncIteration):
        await anext(lines)
    assert not watchers.active


async def test_a_client_that_goes_is_forgotten(api: Api) -> None:
    run_id = await api.rows.run(await api.rows.workflow(), Status.RUNNING)
    await store(api, run_id, b"a")
    lines = EventSource(api.engine, api.tenant, run_id, 0).lines()
    await until(lines, '"a"')
    assert api.engine.watchers.active
    await lines.aclose()  # type: ignore[attr-defined]
    assert not api.engine.watchers.active
