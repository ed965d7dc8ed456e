"""Who may call, what isn't there, headers, pages, and inputs made to break things."""

from __future__ import annotations

import random
from typing import Any
from uuid import uuid4

import pytest

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.domain.states import Status
from hatchet_engine.turn.commands import (
    BulkProgress,
    CancelTasks,
    ChangeFilter,
    CreateFilter,
    DeleteFilter,
    DeleteWorkflow,
    Filter,
    PushedEvent,
    PushEvents,
    ReplayTasks,
    StartBulk,
    TriggerRuns,
)
from hatchet_engine.turn.schedule_commands import (
    Changed,
    CreateCron,
    DeleteScheduled,
    RescheduleRuns,
    Scheduled,
    ScheduleRuns,
    TriggerCron,
    TriggerScheduled,
)
from tests.support.rest import BODY_BYTES_MAX, Api
from tests.support.rows import NOW_MS, Rows

TENANT = "/api/v1/tenants/{tenant}"
STABLE = "/api/v1/stable/tenants/{tenant}"


async def test_no_valid_token_is_403(api: Api) -> None:
    for token in ("Bearer nonsense", "Basic x", f"Bearer {uuid4()}"):
        headers = {"authorization": token}
        status, text, _ = await api.refused("GET", TENANT, headers=headers)
        assert (status, text) == (403, "Please provide valid credentials")
    status, text, _ = await api.refused("GET", TENANT, headers={"authorization": ""})
    assert status == 403
    assert "Authorization: Bearer" in text
    # The token counts before the parameters do: strangers learn nothing.
    status, _, _ = await api.refused(
        "GET", f"{STABLE}/workflow-runs", headers={"authorization": "Bearer x"}
    )
    assert status == 403
    assert (await api.refused("GET", "/api/v1/tenants/nonsense"))[0] == 400


async def test_things_of_other_tenants_are_not_found(api: Api, database: str) -> None:
    other = await Rows.open(database)
    workflow = await other.workflow()
    event = await other.pushed()
    run, worker = await other.run(workflow, Status.COMPLETED), await other.worker()
    for path in (
        f"/api/v1/stable/workflow-runs/{run}",
        f"/api/v1/stable/workflow-runs/{run}/status",
        f"/api/v1/stable/workflow-runs/{run}/task-events",
        f"/api/v1/stable/workflow-runs/{run}/task-timings",
        f"/api/v1/events/{event}",
        f"/api/v1/stable/tasks/{run}",
        f"/api/v1/stable/tasks/{run}/task-events",
        f"/api/v1/workflows/{workflow.id}",
        f"/api/v1/workflows/{workflow.id}/versions",
        f"/api/v1/workers/{worker}",
    ):
        assert (await api.refused("GET", path))[0] == 404, path
    logs = await api.get(f"/api/v1/stable/tasks/{run}/logs", "V1LogLineList")
    assert logs["rows"] == []
    path = f"/api/v1/tenants/{other.tenant_id}/workflows"
    assert (await api.refused("GET", path))[0] == 403
    await other.close()


@pytest.mark.parametrize(
    "path",
    [
        f"{STABLE}/webhooks/some-name",
        f"{STABLE}/traces",
        f"{STABLE}/durable-tasks/branch",
        "/api/v1/users/current",
        f"{TENANT}/members",
        f"{TENANT}/api-tokens",
    ],
)
async def test_what_is_not_offered_yet_says_so(api: Api, path: str) -> None:
    for method in ("GET", "POST"):
        if method == "GET" and path.endswith("/branch"):
            continue
        status, text, _ = await api.refused(method, path)
        assert status == 501
        assert "not offered by this engine yet" in text


async def test_deprecated_and_unknown_routes(api: Api) -> None:
    for path in (
        f"{TENANT}/queue-metrics",
        f"{TENANT}/workflows/runs",
        f"{TENANT}/workflow-runs/{uuid4()}/shape",
        f"/api/v1/workflows/{uuid4()}/metrics",
    ):
        assert (await api.refused("GET", path))[0] == 400
    assert (await api.refused("GET", "/api/v1/nothing"))[0] == 404
    assert (await api.refused("DELETE", "/api/v1/version"))[0] == 405


async def test_headers(api: Api) -> None:
    for path in ("/", "/api/v1/version", "/api/v1/nothing", TENANT.format(tenant=uuid4())):
        headers = (await api.client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "object-src 'none'" in headers["content-security-policy"]
        assert headers["access-control-allow-origin"] == "*"
    response = await api.client.options("/api/v1/version", headers={"origin": "http://elsewhere"})
    assert response.status_code == 200
    assert "PATCH" in response.headers["access-control-allow-methods"]


async def test_bodies_and_addresses_out_of_bounds(api: Api) -> None:
    path = f"{STABLE}/tasks/cancel".format(tenant=api.tenant)
    large = b'{"externalIds": ["' + b"x" * BODY_BYTES_MAX + b'"]}'

    async def stream() -> Any:
        for start in range(0, len(large), 10_000):
            yield large[start : start + 10_000]

    headers = {"content-type": "application/json"}
    assert (await api.refused("POST", path, content=large, headers=headers))[0] == 413
    assert (await api.refused("POST", path, content=stream(), headers=headers))[0] == 413
    assert (await api.refused("GET", f"{TENANT}/workflows?name=a%00b"))[0] == 400
    assert (await api.refused("GET", "/api/v1/workflows/%00"))[0] == 400
    deep = b"[" * 30_000
    assert (await api.refused("POST", path, content=deep, headers=headers))[0] == 400
    trigger = f"{STABLE}/workflow-runs/trigger"
    for name in (b"\\ud800", b"\\u0000"):
        body = b'{"workflowName": "' + name + b'", "input": {}}'
        answer = await api.refused("POST", trigger, content=body, headers=headers)
        assert (answer[0], answer[2]) == (400, "workflowname")
        body = b'{"filter": {"since": "2025-01-01", "additionalMetadata": ["a:' + name + b'"]}}'
        assert (await api.refused("POST", path, content=body, headers=headers))[0] == 400
    body = b'{"workflowName": "x", "input": {"a": "\\ud800"}}'
    api.engine.answers[TriggerRuns] = Refused(Code.INVALID_ARGUMENT, "no: \ud800")
    assert (await api.refused("POST", trigger, content=body, headers=headers))[1] == "no: ?"


async def test_pages_for_people(api: Api) -> None:
    page = await api.client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert "<script" not in page.text
    assert "simple:&lt;step&gt;" in page.text
    assert "1,234,567" in page.text
    assert '<td>streams</td><td class="number">3</td><td class="number">0</td>' in page.text
    assert "PostgreSQL 18.4, embedded" in page.text
    assert 'http-equiv="refresh"' in page.text
    docs = await api.client.get("/api/docs")
    assert "/api/v1/stable/tenants/{tenant}/workflow-runs" in docs.text
    assert '<a href="#V1TaskSummaryList">V1TaskSummaryList</a>' in docs.text
    # What a body takes stands on the page too.
    _, found, cancel = docs.text.partition('id="V1CancelTaskRequest"')
    assert found
    fields = cancel.partition("</details>")[0]
    assert "<td>externalIds</td><td>uuid[]</td>" in fields
    assert "<td>filter</td><td>V1TaskFilter</td>" in fields
    assert "<td>since (required)</td><td>date-time</td>" in docs.text
    assert "QUEUED, RUNNING, COMPLETED, CANCELLED, FAILED" in docs.text
    description = (await api.client.get("/api/openapi.json")).json()
    assert "V1WorkflowRunDetails" in description["components"]["schemas"]


async def test_no_input_makes_the_server_fail(api: Api) -> None:
    """Every operation of our own description, with values that often break things."""
    run = await api.rows.run(await api.rows.workflow(), Status.COMPLETED)
    found = Filter(run, api.tenant, run, "s", "true", "{}", False, NOW_MS, NOW_MS)
    api.engine.answers = {
        TriggerRuns: [run],
        CancelTasks: [],
        ReplayTasks: [],
        DeleteWorkflow: True,
        StartBulk: BulkProgress(await api.rows.bulk(), 1, 0, 0),
        PushEvents: [PushedEvent(await api.rows.pushed(), NOW_MS, [])],
        CreateFilter: found,
        ChangeFilter: found,
        DeleteFilter: found,
        CreateCron: run,
        TriggerCron: run,
        ScheduleRuns: Scheduled(run, run, 1, NOW_MS, [run]),
        RescheduleRuns: Changed([run], []),
        DeleteScheduled: Changed([], [(run, "no")]),
        TriggerScheduled: run,
    }
    dice = random.Random(7)
    nasty = [
        "", "0", "-1", "1", "true", "null", "ä\U0001f600", "%", "'; --", "a:b", "a:1e400", ":",
        "x" * 5_000, "99999999999",
        str(2**31), str(2**63), str(-(2**63)), "1e309", "NaN", str(run), str(uuid4()), "[]", "{}",
        "2025-06-15T15:06:40Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "-1e18",
        "FAILED", "RUNNING", "QUEUED", "EVICTED", "AND", "DESC", "INFO",
        "a:" + "9" * 400,
    ]  # fmt: skip
    bodies: list[Any] = [
        None, {}, [], 1, "x", {"externalIds": [str(run)]}, {"filter": {"since": -1}},
        {"workflowName": "\x00", "input": {"\x00": "\x00"}}, {"isPaused": "maybe"},
        {"workflowName": "x", "input": {"a": 1e308}, "additionalMetadata": {"a": None}},
        {"filter": {"since": "0001-01-01T00:00:00Z", "until": "9999-12-31T23:59:59Z"}},
        {"key": "k", "data": {"a": 1}, "priority": -1}, {"eventIds": [str(run)]}, {"events": [{}]},
        {"workflowId": str(run), "scope": "", "expression": "", "payload": {"a": 1e308}},
        {"cronName": "c", "cronExpression": "x", "jitterMs": 10**30, "startAt": "0001-01-01"},
        {"triggerAt": "9999-12-31T23:59:59-23:59", "input": {"a": 1e308}, "enabled": True},
        {"updates": [{"id": str(run), "triggerAt": "0001-01-01T00:00:00Z"}]},
        {"scheduledWorkflowRunIds": [str(run)]}, {"filter": {"additionalMetadata": [":"]}},
        {"kind": "REPLAY", "filter": {"since": "2025-06-15T15:06:40Z"}, "reason": ""},
    ]  # fmt: skip
    description = (await api.client.get("/api/openapi.json")).json()
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            for _ in range(12):
                target, query = path, []
                for parameter in operation.get("parameters", ()):
                    value = dice.choice(nasty)
                    if parameter["in"] == "path":
                        known = api.tenant if parameter["name"] == "tenant" else run
                        value = str(known) if dice.random() < 0.9 else "x"
                        target = target.replace(f"{{{parameter['name']}}}", value)
                    elif parameter.get("required") or dice.random() < 0.5:
                        if parameter["name"] in ("since", "only_tasks") and dice.random() < 0.8:
                            good = {"only_tasks": "true", "since": "2025-06-15T15:06:40Z"}
                            value = good[parameter["name"]]
                        query.append((parameter["name"], value))
                response = await api.client.request(
                    method, target, params=query, json=dice.choice(bodies)
                )
                assert response.status_code < 500, (method, target, query, response.text)


async def test_health_checks_without_a_body(api: Api) -> None:
    """Load balancers ask with HEAD as well (rest.md §7.2)."""
    for path in ("/api/ready", "/api/live"):
        assert (await api.client.head(path)).status_code == 200
    api.engine.ready = False
    assert (await api.client.head("/api/ready")).status_code == 500
