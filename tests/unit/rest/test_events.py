"""Events and event filters over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.domain.states import Status
from hatchet_engine.observe import events
from hatchet_engine.turn.commands import (
    CancelTasks,
    ChangeFilter,
    CreateFilter,
    DeleteFilter,
    Filter,
    PushedEvent,
    PushEvents,
)
from tests.support.rest import Api
from tests.support.rows import NOW_MS, at

EVENTS = "/api/v1/stable/tenants/{tenant}/events"
OLD = "/api/v1/tenants/{tenant}/events"
FILTERS = "/api/v1/stable/tenants/{tenant}/filters"


async def test_list_and_get(api: Api) -> None:
    workflow = await api.rows.workflow()
    await api.rows.pushed("old", seen_ms=NOW_MS)
    event = await api.rows.pushed(
        "user:created",
        scope="s",
        payload='{"big": 123456789012345678901}',
        metadata={"k": "v"},
        source="hook",
    )
    filter_id = await api.rows.filter(workflow)
    trigger = {"event_id": str(event), "event_key": "user:created", "filter_id": str(filter_id)}
    run = await api.rows.run(workflow, Status.COMPLETED, trigger=trigger)
    page = await api.get(EVENTS, "V1EventList")
    assert page["pagination"] == {"current_page": 1, "next_page": 1, "num_pages": 1}
    row, old = page["rows"]
    assert row["metadata"]["id"] == str(event)
    assert (row["key"], row["scope"], row["triggeringWebhookName"]) == ("user:created", "s", "hook")
    assert (row["payload"], row["additionalMetadata"]) == (
        {"big": 123456789012345678901},
        {"k": "v"},
    )
    assert row["seenAt"] == "2025-06-15T15:06:40Z"
    assert row["triggeredRuns"] == [{"workflowRunId": str(run), "filterId": str(filter_id)}]
    assert row["workflowRunSummary"] == {
        "running": 0,
        "queued": 0,
        "succeeded": 1,
        "failed": 0,
        "cancelled": 0,
    }
    assert (old["triggeredRuns"], old["payload"]) == ([], {"a": 1})
    assert "scope" not in old
    assert await api.get(f"{EVENTS}/{event}", "V1Event") == row
    found = await api.get(f"{EVENTS}/{old['metadata']['id']}", "V1Event")
    assert found["triggeringWebhookName"] == ""
    assert (await api.get(f"/api/v1/events/{event}"))["key"] == "user:created"
    for path in (f"/api/v1/events/{event}/data", f"{OLD}/{event}/data"):
        assert await api.get(path, "EventData") == {"data": '{"big": 123456789012345678901}'}
    assert (await api.refused("GET", f"{EVENTS}/{uuid4()}"))[0] == 404
    for path in (f"{EVENTS}/keys", f"{OLD}/keys"):
        assert (await api.get(path, "EventKeyList"))["rows"] == ["old", "user:created"]


async def test_filters_of_the_list(api: Api) -> None:
    workflow = await api.rows.workflow()
    first = await api.rows.pushed("a", scope="x", metadata={"k": "v", "n": "1"})
    second = await api.rows.pushed("b", metadata={"k": "v"})
    await api.rows.run(workflow, Status.FAILED, trigger={"event_id": str(first)})

    async def found(**query: Any) -> list[UUID]:
        return [UUID(row["metadata"]["id"]) for row in (await api.get(EVENTS, **query))["rows"]]

    assert await found() == [second, first]
    assert await found(keys=["a", "z"]) == [first]
    assert await found(scopes="x") == [first]
    assert await found(eventIds=str(second)) == [second]
    assert await found(additionalMetadata=["k:v", "n:1"]) == [first]
    assert await found(workflowIds=str(workflow.id)) == [first]
    assert await found(workflowRunStatuses=["FAILED", "NONSENSE"]) == [first]
    assert await found(workflowRunStatuses="RUNNING") == []
    assert await found(workflowRunStatuses="NONSENSE") == []
    assert await found(until=at(NOW_MS - 1).isoformat()) == []
    assert await found(since=at(NOW_MS + 1).isoformat()) == []
    page = await api.get(EVENTS, limit=1)
    assert page["pagination"] == {"current_page": 1, "next_page": 2, "num_pages": 2}
    query = {"additionalMetadata": "k"}
    status, _, field = await api.refused("GET", EVENTS, params=query)
    assert (status, field) == (400, "additionalmetadata")


async def test_push(api: Api) -> None:
    made = [await api.rows.pushed(key) for key in ("a", "b")]
    api.engine.answers[PushEvents] = lambda command: [
        PushedEvent(id, NOW_MS, []) for id in made[: len(command.events)]
    ]
    body = {
        "key": "a",
        "data": {"big": 123456789012345678901},
        "additionalMetadata": {"k": "v"},
        "priority": 2,
        "scope": "s",
    }
    for path in (EVENTS, OLD):
        assert (await api.post(path, body, "V1Event"))["metadata"]["id"] == str(made[0])
    [one] = api.engine.commands[0].events
    assert (one.key, one.payload, one.metadata) == (
        "a",
        '{"big":123456789012345678901}',
        '{"k":"v"}',
    )
    assert (one.priority, one.scope) == (2, "s")
    answer = await api.post(f"{OLD}/bulk", {"events": [body, {"key": "b", "data": {}}]})
    assert [row["metadata"]["id"] for row in answer["events"]] == [str(id) for id in made]
    assert (await api.post(f"{EVENTS}/bulk", {"events": []}))["events"] == []
    count = len(api.engine.commands)
    for wrong, field in (
        ({"data": {}}, "key"),
        ({"key": "", "data": {}}, "key"),
        ({"key": "a\x00", "data": {}}, "key"),
        ({"key": "a", "data": [1]}, "data"),
    ):
        status, _, named = await api.refused("POST", EVENTS, json=wrong)
        assert (status, named) == (400, field)
    assert len(api.engine.commands) == count
    api.engine.answers[PushEvents] = Refused(Code.INVALID_ARGUMENT, "key: too long", field="key")
    assert (await api.refused("POST", EVENTS, json=body))[1] == "key: too long"


async def test_replay_and_cancel_by_event(api: Api) -> None:
    workflow = await api.rows.workflow()
    event = await api.rows.pushed("a", scope="s", metadata={"k": "v"})
    trigger = {"event_id": str(event)}
    running = await api.rows.run(workflow, Status.RUNNING, trigger=trigger)
    await api.rows.run(workflow, Status.FAILED, trigger=trigger)
    body = {"eventIds": [str(event), str(uuid4())]}
    assert await api.post(f"{OLD}/cancel", body) == {"workflowRunIds": [str(running)]}
    assert api.engine.commands == [CancelTasks(api.tenant, ids=[running])]
    again = await api.rows.pushed("a")
    api.engine.answers[PushEvents] = [PushedEvent(again, NOW_MS, [])]
    answer = await api.post(f"{OLD}/replay", body, "V1EventList")
    assert [row["metadata"]["id"] for row in answer["rows"]] == [str(again)]
    [one] = api.engine.commands[-1].events
    assert (one.key, one.payload, one.metadata, one.scope) == ("a", '{"a": 1}', '{"k": "v"}', "s")
    count = len(api.engine.commands)
    assert (await api.post(f"{EVENTS}/replay", {"eventIds": [str(uuid4())]}))["rows"] == []
    assert (await api.post(f"{EVENTS}/cancel", {"eventIds": []}))["workflowRunIds"] == []
    assert len(api.engine.commands) == count


async def test_an_event_of_more_runs_than_are_read(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelling some of them and saying nothing would be worse than a refusal."""
    monkeypatch.setattr(events, "RUNS_PER_EVENT_MAX", 2)
    workflow = await api.rows.workflow()
    event = await api.rows.pushed("a")
    body = {"eventIds": [str(event)]}
    trigger = {"event_id": str(event)}
    run = await api.rows.run(workflow, Status.RUNNING, trigger=trigger)
    assert (await api.post(f"{EVENTS}/cancel", body))["workflowRunIds"] == [str(run)]
    await api.rows.run(workflow, Status.RUNNING, trigger=trigger)
    status, text, field = await api.refused("POST", f"{EVENTS}/cancel", json=body)
    assert (status, field) == (400, "eventids")
    assert f"event {event} has started 2 runs or more" in text
    assert len(api.engine.commands) == 1


async def test_event_filters(api: Api) -> None:
    workflow = await api.rows.workflow()
    made = [await api.rows.filter(workflow, scope, payload='{"a": 1}') for scope in ("x", "y")]
    page = await api.get(FILTERS, "V1FilterList")
    assert page["pagination"] == {"current_page": 0, "next_page": 1, "num_pages": 1}
    assert [row["metadata"]["id"] for row in page["rows"]] == [str(one) for one in made[::-1]]
    row = page["rows"][1]
    assert (row["scope"], row["expression"], row["payload"]) == ("x", "true", {"a": 1})
    assert (row["workflowId"], row["isDeclarative"]) == (str(workflow.id), False)
    assert await api.get(f"{FILTERS}/{made[0]}", "V1Filter") == row
    for query in ({"scopes": "x"}, {"offset": 1, "limit": 1}):
        assert (await api.get(FILTERS, workflowIds=str(workflow.id), **query))["rows"] == [row]
    for limit in (0, 20_001):
        assert (await api.refused("GET", FILTERS, params={"limit": limit}))[2] == "limit"
    assert (await api.refused("GET", f"{FILTERS}/{uuid4()}"))[0] == 404


async def test_changing_event_filters(api: Api) -> None:
    workflow = await api.rows.workflow()
    id = api.rows.ids.new(NOW_MS)
    stored = Filter(id, api.tenant, workflow.id, "x", "true", "{}", False, NOW_MS, NOW_MS)
    api.engine.answers = {CreateFilter: stored, ChangeFilter: stored, DeleteFilter: stored}
    body = {"workflowId": str(workflow.id), "scope": "x", "expression": "true"}
    created = await api.post(FILTERS, body, "V1Filter")
    assert created["metadata"]["id"] == str(id)
    await api.post(FILTERS, {**body, "payload": {"n": 12345678901234567890123}})
    path = f"{FILTERS}/{id}".format(tenant=api.tenant)
    response = await api.client.patch(path, json={"expression": "false"})
    assert response.status_code == 200
    api.keep(response, "V1Filter", "object")
    await api.client.patch(path, json={"payload": {}, "scope": "y"})
    response = await api.client.delete(path)
    assert response.status_code == 200
    api.keep(response, "V1Filter", "object")
    assert api.engine.commands == [
        CreateFilter(api.tenant, workflow.id, "x", "true", "{}"),
        CreateFilter(api.tenant, workflow.id, "x", "true", '{"n":12345678901234567890123}'),
        ChangeFilter(api.tenant, id, None, "false", None),
        ChangeFilter(api.tenant, id, "y", None, "{}"),
        DeleteFilter(api.tenant, id),
    ]
    assert (await api.refused("POST", FILTERS, json={**body, "workflowId": "x"}))[0] == 400
    api.engine.answers[CreateFilter] = Refused(Code.NOT_FOUND, "workflow: not found")
    assert (await api.refused("POST", FILTERS, json=body))[0] == 404
