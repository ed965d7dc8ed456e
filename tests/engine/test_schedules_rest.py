"""Crons and scheduled runs over REST, on a real engine (CR-*, SC-*). Each answer is parsed by the
official SDK's models, too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from hatchet_engine.transports.rest.app import create_app
from hatchet_engine.transports.rest.settings import RestSettings
from hatchet_engine.turn.schedule_commands import ScheduleRuns
from tests.support.dags import step
from tests.support.engine import START_MS, TENANT, Harness
from tests.support.rest import FakeAuthenticator, FakeEngine, OfficialModels, official_models

__all__ = ["official_models"]

WORKFLOWS = f"/api/v1/tenants/{TENANT}/workflows"
CRONS = f"{WORKFLOWS}/crons"
SCHEDULED = f"{WORKFLOWS}/scheduled"
MINUTE = 60_000
HOUR = 3_600_000


def at(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Client:
    def __init__(self, client: httpx.AsyncClient, models: OfficialModels) -> None:
        self._client = client
        self._models = models

    async def call(
        self, method: str, path: str, body: Any = None, *, model: str = "", **query: Any
    ) -> Any:
        response = await self._client.request(method, path, json=body, params=query)
        assert response.status_code in (200, 204), response.text
        if model:
            assert self._models.check((model, "object", response.text)) == "ok"
        return response.json() if response.content else None

    async def refused(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Status and description."""
        response = await self._client.request(method, path, json=body, params=query)
        [error] = response.json()["errors"]
        return response.status_code, error["description"]

    async def raw(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return await self._client.request(method, path, json=body)


@pytest.fixture
async def rest(h: Harness, official_models: OfficialModels) -> AsyncIterator[Client]:
    engine = FakeEngine(h.pool)
    engine.submit = h.engine.submit  # type: ignore[method-assign]
    engine.clock = h.clock  # type: ignore[assignment]
    settings = RestSettings("http://localhost:8080", body_bytes_max=1_000_000)
    app = create_app(engine, settings, FakeAuthenticator())
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {TENANT}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers=headers
    ) as client:
        yield Client(client, official_models)


def cron_body(**more: Any) -> dict[str, Any]:
    return {
        "input": {"n": 1},
        "additionalMetadata": {"k": "v"},
        "cronName": "c",
        "cronExpression": "* * * * *",
        **more,
    }


async def new_cron(rest: Client, **more: Any) -> Any:
    return await rest.call(
        "POST", f"{WORKFLOWS}/hello/crons", cron_body(**more), model="CronWorkflows"
    )


async def new_scheduled(rest: Client, due_ms: int, **more: Any) -> Any:
    body = {"input": {}, "additionalMetadata": {}, "triggerAt": at(due_ms), **more}
    return await rest.call("POST", f"{WORKFLOWS}/hello/scheduled", body, model="ScheduledWorkflows")


async def test_what_is_refused_names_its_field(h: Harness, rest: Client) -> None:
    await h.put()
    for options, field, words in (
        ({"zone": "Mars"}, "zone", "error creating cron trigger: zone: 'Mars' is no time zone"),
        ({"jitterMs": -1}, "jitter", "error creating cron trigger: jitter: must be"),
        ({"catchUpMax": 1001}, "catchupmax", "catch_up_max: must be between 1 and 1000"),
        ({"cronExpression": "61 * * * *"}, "cronexpression", "cronExpression: minute: 61"),
        ({"cronName": ""}, "cronname", "cron name is required"),
    ):
        response = await rest.raw("POST", f"{WORKFLOWS}/hello/crons", cron_body(**options))
        [error] = response.json()["errors"]
        assert (response.status_code, error["field"]) == (400, field)
        assert words in error["description"]
    response = await rest.raw("GET", f"{CRONS}/preview?expression=*+*+*+*+*&zone=Mars")
    assert response.json()["errors"][0]["field"] == "zone"


async def test_cr_2_create_get_and_list(h: Harness, rest: Client) -> None:
    made = await h.put_dag("hello", step("hello"), cron_triggers=["0 * * * *"])
    shown = await new_cron(rest, priority=2)
    assert shown["workflowName"] == "hello"
    assert shown["workflowVersionId"] == str(made.version_id)
    assert (shown["cron"], shown["name"], shown["priority"]) == ("* * * * *", "c", 2)
    assert (shown["input"], shown["additionalMetadata"]) == ({"n": 1}, {"k": "v"})
    assert (shown["enabled"], shown["method"]) == (True, "API")
    assert (shown["zone"], shown["overlap"], shown["catchUp"]) == ("UTC", "ALLOW", "SKIP")
    assert shown["nextRunAt"] == at(START_MS + MINUTE)
    path = f"{CRONS}/{shown['metadata']['id']}"
    assert await rest.call("GET", path, model="CronWorkflows") == shown
    page = await rest.call("GET", CRONS, model="CronWorkflowsList")
    assert [row["method"] for row in page["rows"]] == ["API", "DEFAULT"]
    assert page["pagination"] == {"current_page": 1, "next_page": 1, "num_pages": 1}

    async def names(**query: Any) -> list[str]:
        return [row["name"] for row in (await rest.call("GET", CRONS, **query))["rows"]]

    assert await names(orderByField="name", orderByDirection="ASC") == ["", "c"]  # CR-12
    assert await names(cronName="c") == ["c"]
    assert await names(workflowName="other") == []
    assert await names(workflowId=str(made.workflow_id), limit=1, offset=1) == [""]
    assert await names(additionalMetadata="k:v") == ["c"]
    assert await names(additionalMetadata=["k:v", "a:b"]) == []
    assert (await rest.refused("GET", CRONS, additionalMetadata="k:v:w"))[0] == 400


async def test_cr_2_what_is_refused(h: Harness, rest: Client) -> None:
    await h.put()
    path = f"{WORKFLOWS}/hello/crons"
    for more, words in (
        ({"cronName": ""}, "cron name is required"),
        ({"cronExpression": "@daily"}, "error creating cron trigger"),
        ({"cronExpression": "* * * * 7"}, "day of week: 7"),
        ({"zone": "Mars"}, "no time zone"),
        ({"catchUpMax": 0}, "catch_up_max"),
        ({"priority": 4}, "priority must be between 1 and 3"),
        ({"input": {"a": "\x00"}}, "null character"),
        ({"overlap": "never"}, "overlap"),
    ):
        status, description = await rest.refused("POST", path, cron_body(**more))
        assert status == 400
        assert words in description
    status, description = await rest.refused("POST", f"{WORKFLOWS}/other/crons", cron_body())
    assert (status, description[:18]) == (400, "workflow not found")
    await new_cron(rest)
    assert await rest.refused("POST", path, cron_body()) == (
        400,
        "cron trigger with that name-expression pair already exists",
    )


async def test_options_beyond_the_official_ones(h: Harness, rest: Client) -> None:
    await h.put()
    shown = await new_cron(
        rest,
        zone="Asia/Kolkata",
        catchUp="ALL",
        catchUpMax=5,
        overlap="QUEUE",
        jitterMs=1_000,
        startAt=at(START_MS + HOUR),
        endAt=at(START_MS + 9 * HOUR),
    )
    assert (shown["zone"], shown["catchUpMax"], shown["jitterMs"]) == ("Asia/Kolkata", 5, 1_000)
    assert shown["nextRunAt"][:19] == at(START_MS + HOUR)[:19]  # and up to a second of jitter
    assert (shown["startAt"], shown["endAt"]) == (at(START_MS + HOUR), at(START_MS + 9 * HOUR))
    shown = await new_cron(rest, cronExpression="OVERLAP=SKIP TZ=Asia/Kolkata 0 3 * * *")
    assert (shown["zone"], shown["overlap"]) == ("Asia/Kolkata", "SKIP")


async def test_cr_4_and_5_enable_trigger_delete(h: Harness, rest: Client) -> None:
    await h.put()
    cron_id = (await new_cron(rest))["metadata"]["id"]
    path = f"{CRONS}/{cron_id}"
    assert await rest.call("PATCH", path, {"enabled": False}) is None
    assert (await rest.call("GET", path))["enabled"] is False
    await h.advance(MINUTE)
    assert await h.count("task") == 0
    run = await rest.call("POST", path, {})
    assert str((await h.fetch("select id from task"))[0]["id"]) == run["externalId"]
    await rest.call("PATCH", path, {})
    assert await rest.call("DELETE", path) is None
    for method, body in (("GET", None), ("PATCH", {}), ("PATCH", {"enabled": True}), ("POST", {})):
        assert (await rest.refused(method, path, body))[0] == 404
    assert (await rest.refused("DELETE", path))[0] == 404


async def test_what_the_last_tick_did_is_shown(h: Harness, rest: Client) -> None:
    await h.put()
    path = f"{CRONS}/{(await new_cron(rest))['metadata']['id']}"
    await h.advance(MINUTE)
    shown = await rest.call("GET", path)
    assert shown["lastTickAt"] == at(START_MS + MINUTE)
    assert shown["lastRunId"] == str((await h.fetch("select id from task"))[0]["id"])


async def test_preview(h: Harness, rest: Client) -> None:
    page = await rest.call("GET", f"{CRONS}/preview", expression="*/20 * * * *", count=2)
    assert page == {
        "zone": "UTC",
        "ticks": [at(START_MS + 20 * MINUTE), at(START_MS + 40 * MINUTE)],
    }
    page = await rest.call(
        "GET", f"{CRONS}/preview", expression="0 3 * * *", zone="Europe/Berlin", after="2026-07-01"
    )
    assert page["ticks"][0] == "2026-07-01T01:00:00Z"
    assert len(page["ticks"]) == 5
    page = await rest.call(
        "GET", f"{CRONS}/preview", expression="END=2026-01-01T00:00:00Z * * * * *"
    )
    assert page["ticks"] == []
    for query in ({"expression": "* * *"}, {"expression": "* * * * *", "zone": "X"}):
        assert (await rest.refused("GET", f"{CRONS}/preview", **query))[0] == 400
    for count in (0, 1_001):
        query = {"expression": "* * * * *", "count": count}
        assert (await rest.refused("GET", f"{CRONS}/preview", **query))[0] == 400
    page = await rest.call("GET", f"{CRONS}/preview", expression="* * * * *", count=1_000)
    assert len(page["ticks"]) == 1_000


async def test_sc_11_scheduled_runs_from_their_making_to_their_end(
    h: Harness, rest: Client
) -> None:
    made = await h.put()
    worker = await h.worker()
    shown = await new_scheduled(rest, START_MS + 1_000, additionalMetadata={"k": "v"}, priority=3)
    assert (shown["method"], shown["priority"]) == ("API", 3)
    assert "workflowRunId" not in shown
    await new_scheduled(rest, START_MS + HOUR)

    async def ids(**query: Any) -> list[str]:
        page = await rest.call("GET", SCHEDULED, model="ScheduledWorkflowsList", **query)
        return [row["metadata"]["id"] for row in page["rows"]]

    first = shown["metadata"]["id"]
    assert (await ids())[1] == first
    assert (await ids(orderByDirection="ASC"))[0] == first
    assert (await ids(orderByField="createdAt", orderByDirection="ASC"))[0] == first
    assert await ids(additionalMetadata="k:v") == [first]
    assert await ids(workflowId=str(uuid4())) == []
    assert await ids(parentWorkflowRunId=str(uuid4()), parentStepRunId=str(uuid4())) == []
    assert len(await ids(workflowId=str(made.workflow_id), statuses="SCHEDULED")) == 2
    await h.advance(1_000)
    (task,) = await worker.next()
    assert await ids(statuses="RUNNING") == [first]
    await worker.complete(task)
    shown = await rest.call("GET", f"{SCHEDULED}/{first}", model="ScheduledWorkflows")
    assert shown["workflowRunStatus"] == "SUCCEEDED"
    assert shown["workflowRunId"] == str(task.run_id)
    assert await ids(statuses=["SUCCEEDED", "FAILED"]) == [first]
    assert (await rest.refused("PATCH", f"{SCHEDULED}/{first}", {"triggerAt": at(START_MS)})) == (
        400,
        "Scheduled workflow run has already been triggered",
    )
    assert (await rest.refused("POST", f"{SCHEDULED}/{first}", {}))[0] == 400


async def test_status_of_scheduled_graphs(h: Harness, rest: Client) -> None:
    await h.put_dag("hello", step("a"), step("b", "a"))
    worker = await h.worker("a", "b")
    path = f"{SCHEDULED}/{(await new_scheduled(rest, START_MS))['metadata']['id']}"
    await h.settle()
    (task,) = await worker.next()
    assert (await rest.call("GET", path))["workflowRunStatus"] == "RUNNING"
    await worker.fail(task, should_not_retry=True)
    await h.settle()
    assert (await rest.call("GET", path))["workflowRunStatus"] == "FAILED"


async def test_sc_1_what_is_refused(h: Harness, rest: Client) -> None:
    await h.put()
    body = {"input": {}, "additionalMetadata": {}, "triggerAt": at(START_MS)}
    status, description = await rest.refused("POST", f"{WORKFLOWS}/other/scheduled", body)
    assert (status, description[:18]) == (400, "workflow not found")
    for more in ({"priority": 0}, {"triggerAt": "soon"}, {"input": {"a": "\x00"}}):
        path = f"{WORKFLOWS}/hello/scheduled"
        assert (await rest.refused("POST", path, {**body, **more}))[0] == 400
    unknown = f"{SCHEDULED}/{uuid4()}"
    assert await rest.refused("GET", unknown) == (404, "scheduled workflow run not found")
    assert (await rest.refused("PATCH", unknown, {"triggerAt": at(START_MS)}))[0] == 404
    assert (await rest.refused("DELETE", unknown))[0] == 404
    assert (await rest.refused("POST", unknown, {}))[0] == 404


async def test_sc_7_and_8_move_and_delete(h: Harness, rest: Client) -> None:
    await h.put()
    path = f"{SCHEDULED}/{(await new_scheduled(rest, START_MS + HOUR))['metadata']['id']}"
    body = {"triggerAt": at(START_MS + 2 * HOUR)}
    shown = await rest.call("PATCH", path, body, model="ScheduledWorkflows")
    assert shown["triggerAt"] == at(START_MS + 2 * HOUR)
    assert await rest.call("DELETE", path) is None
    made = await h.engine.submit(
        ScheduleRuns(TENANT, "hello", (START_MS + HOUR,), declarative=True)
    )
    by_code = f"{SCHEDULED}/{made.ids[0]}"
    assert (await rest.call("GET", by_code))["method"] == "DEFAULT"
    assert (await rest.refused("PATCH", by_code, body))[0] == 403
    response = await rest.raw("DELETE", by_code)
    assert response.status_code == 403
    assert "created by code" in response.json()["description"]


async def test_sc_7_and_8_many_at_once(h: Harness, rest: Client) -> None:
    made = await h.put()
    ids = [(await new_scheduled(rest, START_MS + HOUR))["metadata"]["id"] for _ in range(3)]
    unknown = str(uuid4())
    code = await h.engine.submit(
        ScheduleRuns(TENANT, "hello", (START_MS + HOUR,), declarative=True)
    )
    by_code = str(code.ids[0])
    updates = [{"id": id_, "triggerAt": at(START_MS + MINUTE)} for id_ in (ids[0], unknown)]
    page = await rest.call(
        "POST",
        f"{SCHEDULED}/bulk-update",
        {"updates": updates},
        model="ScheduledWorkflowsBulkUpdateResponse",
    )
    assert page["updatedIds"] == [ids[0]]
    assert page["errors"] == [{"id": unknown, "error": "Scheduled workflow not found."}]
    path = f"{SCHEDULED}/bulk-delete"
    page = await rest.call(
        "POST",
        path,
        {"scheduledWorkflowRunIds": [ids[0], unknown]},
        model="ScheduledWorkflowsBulkDeleteResponse",
    )
    assert page["deletedIds"] == [ids[0]]
    assert len(page["errors"]) == 1
    chosen = {"workflowId": str(made.workflow_id)}
    page = await rest.call("POST", path, {"filter": chosen})
    assert sorted(page["deletedIds"]) == sorted(ids[1:])
    assert [error["id"] for error in page["errors"]] == [by_code]
    page = await rest.call("POST", path, {"filter": {"additionalMetadata": ["a:b"]}})
    assert page == {"deletedIds": [], "errors": []}
    for body in (
        {},
        {"filter": {}},
        {"scheduledWorkflowRunIds": []},
        {"scheduledWorkflowRunIds": [unknown] * 501},
        {"scheduledWorkflowRunIds": [unknown], "filter": chosen},
    ):
        assert (await rest.refused("POST", path, body))[0] == 400
    for updates in ([], [{"id": unknown, "triggerAt": at(0)}] * 501):
        assert (await rest.refused("POST", f"{SCHEDULED}/bulk-update", {"updates": updates}))[
            0
        ] == 400


async def test_a_filter_deletes_more_than_one_step(h: Harness, rest: Client) -> None:
    made = await h.put()
    await h.engine.submit(ScheduleRuns(TENANT, "hello", [START_MS + HOUR] * 1_001))
    await h.engine.submit(ScheduleRuns(TENANT, "hello", [START_MS + HOUR], declarative=True))
    chosen = {"workflowId": str(made.workflow_id)}
    page = await rest.call("POST", f"{SCHEDULED}/bulk-delete", {"filter": chosen})
    assert (len(page["deletedIds"]), len(page["errors"])) == (1_001, 1)
