"""Workflows, workers, metrics, the tenant and the server itself."""

from __future__ import annotations

from uuid import uuid4

import pytest

from hatchet import ConcurrencyLimitStrategy
from hatchet.clients.rest.models.workflow_version import WorkflowVersion
from hatchet_engine.domain.definition import ConcurrencyRule, TaskDefinition
from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.domain.states import Status
from hatchet_engine.turn.commands import DeleteWorkflow, Pause, PauseKind, Resume
from tests.support.rest import Api, Live
from tests.support.rows import NOW_MS, at

TENANT = "/api/v1/tenants/{tenant}"
SINCE = at(NOW_MS - 3_600_000).isoformat()


async def test_workflow_list(api: Api) -> None:
    made = [str((await api.rows.workflow(name)).id) for name in ("mail", "mail-2", "My_Mail")]
    page = await api.get(f"{TENANT}/workflows", "WorkflowList")
    assert [row["metadata"]["id"] for row in page["rows"]] == made[::-1]
    assert page["pagination"] == {"current_page": 1, "next_page": 1, "num_pages": 1}
    page = await api.get(f"{TENANT}/workflows", "WorkflowList", name="mail")
    assert [row["name"] for row in page["rows"]] == ["mail", "My_Mail", "mail-2"]
    page = await api.get(f"{TENANT}/workflows", "WorkflowList", name="_MAIL")
    assert [row["name"] for row in page["rows"]] == ["My_Mail"]
    page = await api.get(f"{TENANT}/workflows", "WorkflowList", limit=2, offset=2)
    assert [row["name"] for row in page["rows"]] == ["mail"]
    assert page["pagination"] == {"current_page": 2, "next_page": 2, "num_pages": 2}
    page = await api.get(f"{TENANT}/workflows", "WorkflowList", offset=10)
    assert page["rows"] == []
    assert page["pagination"]["num_pages"] == 1


async def test_workflow_and_its_versions(api: Api) -> None:
    task = TaskDefinition(name="step", action="w:step")
    workflow = await api.rows.workflow(
        "w", [task], input_json_schema='{"type": "object"}', event_triggers=["user:created"]
    )
    first = workflow.version_id
    await api.rows.version(workflow, 2)
    shown = await api.get(f"/api/v1/workflows/{workflow.id}", "Workflow")
    [version] = shown["versions"]
    assert version["metadata"]["id"] == str(workflow.version_id)
    assert version["order"] == 2
    newest = await api.get(f"/api/v1/workflows/{workflow.id}/versions", "WorkflowVersion")
    assert newest["metadata"]["id"] == str(workflow.version_id)
    assert newest["workflowConfig"]["name"] == "w"
    assert newest["inputJsonSchema"] == {"type": "object"}
    assert newest["scheduleTimeout"] == "5m"
    assert newest["triggers"]["events"][0]["event_key"] == "user:created"
    older = await api.get(
        f"/api/v1/workflows/{workflow.id}/versions", "WorkflowVersion", version=str(first)
    )
    assert older["metadata"]["id"] == str(first)
    for path in (
        f"/api/v1/workflows/{uuid4()}",
        f"/api/v1/workflows/{uuid4()}/versions",
        f"/api/v1/workflows/{workflow.id}/versions?version={uuid4()}",
    ):
        assert (await api.refused("GET", path))[0] == 404


@pytest.mark.parametrize(
    ("strategy", "official"),
    [
        ("GROUP_ROUND_ROBIN", "GROUP_ROUND_ROBIN"),
        ("CANCEL_IN_PROGRESS", "CANCEL_IN_PROGRESS"),
        ("CANCEL_NEWEST", "DROP_NEWEST"),
        ("CANCEL_QUEUED_EXCEPT_NEWEST", "QUEUE_NEWEST"),
        ("CANCEL_QUEUED_EXCEPT_OLDEST", "QUEUE_NEWEST"),
    ],
)
async def test_concurrency_rules_have_names_that_official_models_know_and_their_own(
    api: Api, strategy: str, official: str
) -> None:
    assert strategy in set(ConcurrencyLimitStrategy)
    of_task = ConcurrencyRule("input.k", 2, strategy)
    of_run = ConcurrencyRule(
        "'all'", 1, strategy, "gpu", tenant_scoped=True, max_runs_expression="input.n"
    )
    task = TaskDefinition(name="step", action="w:step", concurrency=[of_task])
    workflow = await api.rows.workflow("w", [task], concurrency=[of_run])
    path = f"/api/v1/workflows/{workflow.id}/versions"
    version = await api.get(path, "WorkflowVersion")  # parsed by the official SDK's model, too
    assert version["v1Concurrency"] == [
        {
            "maxRuns": 1,
            "limitStrategy": official,
            "expression": "'all'",
            "scope": "WORKFLOW",
            "strategy": strategy,
            "maxRunsExpression": "input.n",
            "name": "gpu",
            "tenantScoped": True,
        },
        {
            "maxRuns": 2,
            "limitStrategy": official,
            "expression": "input.k",
            "stepReadableId": "step",
            "scope": "TASK",
            "strategy": strategy,
            "tenantScoped": False,
        },
    ]
    read = WorkflowVersion.model_validate(version).v1_concurrency
    assert read is not None
    assert [rule.strategy for rule in read] == [strategy, strategy]
    assert [rule.max_runs_expression for rule in read] == ["input.n", None]
    del version["v1Concurrency"][1]["strategy"], version["v1Concurrency"][1]["tenantScoped"]
    assert WorkflowVersion.model_validate(version)  # as an official engine answers


async def test_workflow_delete(api: Api) -> None:
    workflow = await api.rows.workflow()
    api.engine.answers[DeleteWorkflow] = True
    response = await api.client.delete(f"/api/v1/workflows/{workflow.id}")
    assert (response.status_code, response.content) == (204, b"")
    assert api.engine.commands == [DeleteWorkflow(api.tenant, workflow.id)]
    api.engine.answers[DeleteWorkflow] = False
    assert (await api.refused("DELETE", f"/api/v1/workflows/{workflow.id}"))[0] == 404


async def test_worker_list(api: Api) -> None:
    old = NOW_MS - 6_000
    runtime = {"sdk_version": "1.2", "language": "GO", "os": "linux"}
    active = await api.rows.worker("active", labels={"zone": "a", "n": 5}, runtime=runtime)
    paused = await api.rows.worker("paused", heartbeat_ms=old)
    await api.rows.pause(PauseKind.WORKER, str(paused))
    draining = await api.rows.worker("draining", draining=True, heartbeat_ms=old)
    await api.rows.worker("silent", draining=True, heartbeat_ms=old)
    gone = await api.rows.worker("gone", left_ms=NOW_MS - 1_000)
    await api.rows.worker("long gone", left_ms=old, heartbeat_ms=NOW_MS - 90_000_000)
    await api.rows.connection.execute(
        "update worker set left_at = last_heartbeat_at where name = 'long gone'"
    )
    deaf = await api.rows.worker("deaf")
    api.engine.live[active] = Live()
    api.engine.live[deaf] = Live(listening=False)  # heartbeats alone bring no work
    api.engine.live[draining] = Live()
    api.engine.live[paused] = Live()  # the live heartbeat is newer than the stored one
    page = await api.get(f"{TENANT}/worker", "WorkerList")
    assert {row["name"]: row["status"] for row in page["rows"]} == {
        "active": "ACTIVE",
        "paused": "PAUSED",
        "draining": "PAUSED",
        "silent": "INACTIVE",
        "gone": "INACTIVE",
        "deaf": "INACTIVE",
    }
    assert page["rows"][1]["metadata"]["id"] == str(gone)
    row = page["rows"][-1]
    assert row["slotConfig"] == {"default": {"available": 97, "limit": 100}}
    assert [(label["key"], label["value"]) for label in row["labels"]] == [
        ("n", "5"),
        ("zone", "a"),
    ]
    assert row["runtimeInfo"]["language"] == "GOLANG"
    page = await api.get(f"{TENANT}/worker", "WorkerList", labels=["zone:a", "n:5"])
    assert [row["name"] for row in page["rows"]] == ["active"]
    page = await api.get(f"{TENANT}/worker", "WorkerList", statuses=["INACTIVE"], limit=1, offset=1)
    assert [row["metadata"]["id"] for row in page["rows"]] == [str(gone)]
    assert page["pagination"] == {"current_page": 2, "next_page": 3, "num_pages": 3}
    page = await api.get(f"{TENANT}/worker", "WorkerList", labels=["absent:None"])
    assert page["rows"] == []
    assert (await api.refused("GET", f"{TENANT}/worker?labels=zone"))[0] == 400


async def test_worker_get_and_pause(api: Api) -> None:
    workflow = await api.rows.workflow("Mail", [TaskDefinition(name="send", action="mail:send")])
    worker = await api.rows.worker(actions=["Mail:Send"])
    shown = await api.get(f"/api/v1/workers/{worker}", "Worker")
    assert shown["actions"] == ["Mail:Send"]
    assert shown["registeredWorkflows"] == [{"id": str(workflow.id), "name": "Mail"}]
    assert shown["recentStepRuns"] == []
    response = await api.client.patch(f"/api/v1/workers/{worker}", json={"isPaused": True})
    assert response.status_code == 200
    api.keep(response, "Worker", "object")
    assert api.engine.commands.pop() == Pause(api.tenant, PauseKind.WORKER, str(worker))
    await api.rows.pause(PauseKind.WORKER, str(worker), by="ops", reason="disk")
    await api.client.patch(f"/api/v1/workers/{worker}", json={"isPaused": True})
    assert api.engine.commands == []  # so that who and why stay
    await api.client.patch(f"/api/v1/workers/{worker}", json={"isPaused": False})
    assert api.engine.commands == [Resume(api.tenant, PauseKind.WORKER, str(worker))]
    unknown = f"/api/v1/workers/{uuid4()}"
    assert (await api.refused("GET", unknown))[0] == 404
    assert (await api.refused("PATCH", unknown, json={"isPaused": False}))[0] == 404
    api.engine.answers[Pause] = Refused(Code.NOT_FOUND, "no such worker")
    assert (await api.refused("PATCH", unknown, json={"isPaused": True}))[0] == 404


async def test_counts(api: Api) -> None:
    workflow = await api.rows.workflow()
    for n, status in enumerate(Status):
        for _ in range(n + 1):
            await api.rows.run(workflow, status, metadata={"k": status.name})
    await api.rows.run(workflow, Status.QUEUED, delayed=True, attempt=1)
    path = "/api/v1/stable/tenants/{tenant}/task-metrics"
    counts = await api.get(path, "V1TaskRunMetric", "list", since=SINCE)
    assert [(entry["status"], entry["count"]) for entry in counts] == [
        ("CANCELLED", 5),
        ("COMPLETED", 3),
        ("FAILED", 4),
        ("QUEUED", 2),
        ("RUNNING", 2),
    ]
    assert counts[4]["runningDetailCount"] == {"evicted": 0, "onWorker": 2}
    counts = await api.get(path, since=SINCE, additional_metadata=["k:FAILED", "k:RUNNING"])
    assert [entry["count"] for entry in counts] == [0, 0, 4, 0, 2]
    counts = await api.get(path, since=at(NOW_MS + 1).isoformat(), workflow_ids=[str(workflow.id)])
    assert [entry["count"] for entry in counts] == [0] * 5

    queues = await api.get(f"{TENANT}/step-run-queue-metrics", "TenantStepRunQueueMetrics")
    assert queues == {"queues": {"simple:step": 1}}
    stats = await api.get(
        f"{TENANT}/task-stats", "TaskStat", "map", taskNames=["other, step", "more"]
    )
    assert set(stats) == {"step", "other", "more"}
    assert stats["step"]["queued"]["total"] == 2
    assert stats["step"]["queued"]["oldest"] == "2025-06-15T15:06:40Z"
    assert stats["step"]["running"]["total"] == 2
    assert stats["step"]["running"]["queues"] == {"simple:step": 2}
    assert stats["other"] == {"queued": {"total": 0}, "running": {"total": 0}}

    points = await api.get(
        "/api/v1/stable/tenants/{tenant}/task-point-metrics",
        "V1TaskPointMetrics",
        createdAfter=at(NOW_MS - 600_000).isoformat(),
        finishedBefore=at(NOW_MS + 60_000).isoformat(),
    )
    assert len(points["results"]) == 12  # steps of a minute
    [full] = [point for point in points["results"] if point["SUCCEEDED"]]
    assert full == {"time": "2025-06-15T15:06:00Z", "SUCCEEDED": 3, "FAILED": 4}

    worker = await api.rows.worker('a"b')
    api.engine.live[worker] = Live()
    response = await api.client.get(f"{TENANT}/prometheus-metrics".format(tenant=api.tenant))
    assert response.headers["content-type"].startswith("text/plain")
    assert f'queue_size{{tenant_id="{api.tenant}",queue="simple:step"}} 1' in response.text
    assert 'worker_name="a\\"b"} 97' in response.text
    assert 'hatchet_lane_waiting{lane="streams"} 3\n' in response.text
    assert 'hatchet_lane_dropped{lane="logs"} 1234\n' in response.text


async def test_tenant_and_server(api: Api) -> None:
    tenant = await api.get(TENANT, "Tenant")
    assert tenant["version"] == "V1"
    assert tenant["serverUrl"] == "http://localhost:8080"
    meta = await api.get("/api/v1/meta", "APIMeta")
    assert meta["auth"] == {"schemes": []}
    version = await api.get("/api/v1/version", "InfoGetVersion200Response")
    assert version["version"] == "v0.114.2"
    flag = {"featureFlagId": "trace-minimap-enabled", "isEnabledIfNoPosthog": "true"}
    found = await api.get(f"{TENANT}/feature-flags", "FeatureFlagEvaluationResult", **flag)
    assert found == {"isEnabled": True}
    oss = await api.get("/api/v1/cloud/metadata", "APIErrors")
    assert oss["errors"][0]["description"] == "oss"
    for path in ("/api/ready", "/api/live"):
        response = await api.client.get(path)
        assert (response.status_code, response.content) == (200, b"")
    api.engine.ready = False
    assert (await api.refused("GET", "/api/ready"))[0] == 500


async def test_without_a_database_nothing_hangs(api: Api) -> None:
    await api.engine.read_pool.close()
    assert (await api.refused("GET", "/api/ready"))[0] == 500
    assert (await api.refused("GET", TENANT))[0] == 503
    page = await api.client.get("/")
    assert page.status_code == 200
    assert "The database does not answer." in page.text
