"""DAG runs, spawned runs, reruns and bulk operations over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from hatchet_engine.domain.definition import TaskDefinition
from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.domain.states import Status
from hatchet_engine.transports.rest import bulk
from hatchet_engine.transports.rest.schemas.runs import REASON_LENGTH_MAX, BulkOperationKind
from hatchet_engine.turn.commands import (
    BulkProgress,
    CancelTasks,
    ReplayTasks,
    StartBulk,
    TriggerRuns,
)
from tests.support.rest import Api
from tests.support.rows import NOW_MS, Workflow, at

STABLE = "/api/v1/stable/tenants/{tenant}"
RUNS = f"{STABLE}/workflow-runs"
RUN = "/api/v1/stable/workflow-runs"
SINCE = at(NOW_MS - 3_600_000).isoformat().replace("+00:00", "Z")


async def pipeline(api: Api) -> Workflow:
    steps = [
        TaskDefinition(name="load", action="p:load"),
        TaskDefinition(name="store", action="p:store", parents=["load"]),
    ]
    return await api.rows.workflow("p", steps)


async def test_detail_of_a_young_dag(api: Api) -> None:
    run, [load, store] = await api.rows.dag(await pipeline(api), metadata={"k": "v"})
    detail = await api.get(f"{RUN}/{run}", "V1WorkflowRunDetails")
    assert detail["run"]["status"] == "QUEUED"
    assert (detail["run"]["input"], detail["run"]["output"]) == ({"n": 1}, {})
    assert "startedAt" not in detail["run"]
    first, second = detail["shape"]
    assert (first["taskExternalId"], second["taskExternalId"]) == (str(load), str(store))
    assert (first["childrenStepIds"], second["childrenStepIds"]) == ([second["stepId"]], [])
    assert [task["status"] for task in detail["tasks"]] == ["QUEUED", "QUEUED"]
    assert [task["stepId"] for task in detail["tasks"]] == [first["stepId"], second["stepId"]]
    types = [(event["taskId"], event["eventType"]) for event in detail["taskEvents"]]
    assert sorted(types) == [
        (str(load), "CREATED"),
        (str(load), "QUEUED"),
        (str(store), "CREATED"),
    ]
    assert await api.get(f"{RUN}/{run}/status") == "QUEUED"


async def test_detail_of_a_dag_that_ended(api: Api) -> None:
    workflow = await pipeline(api)
    run, [load, store] = await api.rows.dag(
        workflow,
        {
            0: {"status": Status.COMPLETED, "output": '{"a": 1}'},
            1: {"status": Status.COMPLETED, "skipped": True},
        },
        status=Status.COMPLETED,
    )
    for _ in range(2):
        await api.rows.run(workflow, parent_task_id=load)
    detail = await api.get(f"{RUN}/{run}", "V1WorkflowRunDetails")
    assert detail["run"]["output"] == {"load": {"a": 1}, "store": {"skipped": True}}
    assert detail["run"]["duration"] == 10
    assert [task["numSpawnedChildren"] for task in detail["tasks"]] == [2, 0]
    assert [task["isSkipped"] for task in detail["tasks"]] == [False, True]
    assert detail["tasks"][1]["output"] == {"skipped": True}
    assert detail["tasks"][1]["input"] == {"n": 1}
    page = await api.get(
        RUNS, "V1TaskSummaryList", since=SINCE, only_tasks=False, include_payloads=True
    )
    row = page["rows"][-1]
    assert [child["taskExternalId"] for child in row["children"]] == [str(load), str(store)]
    assert (row["taskId"], row["actionId"], row["type"]) == (0, "", "DAG")
    assert row["output"] == detail["run"]["output"]
    assert (row["numSpawnedChildren"], row["children"][0]["numSpawnedChildren"]) == (2, 2)
    assert {child["type"] for child in row["children"]} == {"TASK"}
    await api.get(f"{RUN}/{run}/task-events", "V1TaskEventList")
    await api.get(f"/api/v1/stable/tasks/{store}/task-events", "V1TaskEventList")


async def test_a_task_tells_what_it_waits_for(api: Api) -> None:
    workflow = await pipeline(api)
    run, [load, store] = await api.rows.dag(
        workflow, {0: {"status": Status.COMPLETED}, 1: {"blocked": True}}
    )
    await api.rows.wait(workflow, store, run, 1, position=0, due_ms=NOW_MS)
    await api.rows.wait(workflow, store, run, 1, position=1, event_key="go", met=True)
    task = await api.get(f"/api/v1/stable/tasks/{store}", "V1TaskSummary")
    assert task["parents"] == [
        {
            "taskExternalId": str(load),
            "taskName": "load",
            "status": "COMPLETED",
            "isSkipped": False,
        }
    ]
    assert task["waitsFor"] == [
        {"dueAt": "2025-06-15T15:06:40Z", "met": False},
        {"eventKey": "go", "met": True},
    ]
    assert task["workflowRunExternalId"] == str(run)
    assert (await api.refused("GET", f"/api/v1/stable/tasks/{run}"))[0] == 404


async def test_tasks_of_several_dags(api: Api) -> None:
    workflow = await pipeline(api)
    made = [await api.rows.dag(workflow) for _ in range(2)]
    path = "/api/v1/stable/dags/tasks"
    ids = [str(run) for run, _ in made]
    rows = await api.get(path, "V1DagChildren", "list", dag_ids=ids, tenant=str(api.tenant))
    assert [row["dagId"] for row in rows] == ids
    found = [[UUID(task["taskExternalId"]) for task in row["children"]] for row in rows]
    assert found == [tasks for _, tasks in made]
    query = {"dag_ids": ids, "tenant": str(uuid4())}
    assert (await api.refused("GET", path, params=query))[0] == 403
    query = {"dag_ids": [str(uuid4())] * 1_001, "tenant": str(api.tenant)}
    assert (await api.refused("GET", path, params=query))[0] == 400


async def test_timings(api: Api) -> None:
    workflow = await pipeline(api)
    run, [load, store] = await api.rows.dag(workflow, {0: {"status": Status.RUNNING}})
    child = await api.rows.run(await api.rows.workflow("one"), parent_task_id=load)
    path = f"{RUN}/{run}/task-timings"
    answer = await api.get(path, "V1TaskTimingList", depth=1)
    assert answer["pagination"] == {}
    assert [(row["taskExternalId"], row["depth"]) for row in answer["rows"]] == [
        (str(load), 0),
        (str(child), 1),
        (str(store), 0),
    ]
    assert answer["rows"][1]["parentTaskExternalId"] == str(load)
    assert "queuedAt" not in answer["rows"][2]
    assert len((await api.get(path))["rows"]) == 2
    for depth in (-1, 11):
        status, _, field = await api.refused("GET", path, params={"depth": depth})
        assert (status, field) == (400, "depth")
    assert (await api.refused("GET", f"{RUN}/{load}/task-timings"))[0] == 404


async def test_rerun_takes_from_the_run_what_is_not_given(api: Api) -> None:
    workflow = await pipeline(api)
    big = '{"n": 123456789012345678901}'
    run, _ = await api.rows.dag(workflow, input=big, metadata={"a": "b", "c": 1})
    api.engine.answers[TriggerRuns] = [run]
    path = f"{RUNS}/{run}/rerun"
    await api.post(path, {}, "V1WorkflowRunDetails")
    body = {"input": {"x": 1}, "additionalMetadata": {"c": 2}, "priority": 3}
    await api.post(path, body, "V1WorkflowRunDetails")
    [[same], [edited]] = [command.items for command in api.engine.commands]
    assert (same.workflow, same.input, same.priority) == ("p", big, 1)
    assert same.metadata == f'{{"a":"b","c":1,"hatchet__rerun_of":"{run}"}}'
    assert (edited.input, edited.priority) == ('{"x":1}', 3)
    assert edited.metadata == f'{{"a":"b","c":2,"hatchet__rerun_of":"{run}"}}'
    status, _, field = await api.refused("POST", path, json={"priority": 4})
    assert (status, field) == (400, "priority")
    api.engine.answers[TriggerRuns] = Refused(Code.NOT_FOUND, "workflow names not found: simple")
    status, text, _ = await api.refused("POST", path, json={})
    assert (status, text) == (400, "workflow names not found: simple")
    assert (await api.refused("POST", f"{RUNS}/{uuid4()}/rerun", json={}))[0] == 404


async def test_children_are_cancelled_on_demand(api: Api) -> None:
    run, _ = await api.rows.dag(await pipeline(api))
    api.engine.answers[CancelTasks] = []
    path = f"{STABLE}/tasks/cancel"
    await api.post(path, {"externalIds": [str(run)]}, "V1CancelledTasks")
    await api.post(path, {"externalIds": [str(run)], "includeChildren": True})
    assert [command.children for command in api.engine.commands] == [False, True]


@pytest.mark.parametrize(
    ("verb", "command"),
    [("cancel", CancelTasks), ("replay", ReplayTasks)],
    ids=["cancel", "replay"],
)
async def test_filters_that_select_too_much_become_bulk_operations(
    api: Api, monkeypatch: pytest.MonkeyPatch, verb: str, command: type
) -> None:
    kind = BulkOperationKind(verb.upper())
    monkeypatch.setitem(bulk.AT_ONCE_MAX, kind, 3)
    workflow = await api.rows.workflow()
    for _ in range(3):
        await api.rows.run(workflow, Status.FAILED)
    operation = await api.rows.bulk(kind.value)
    api.engine.answers = {command: [], StartBulk: BulkProgress(operation, 4, 0, 0)}
    path = f"{STABLE}/tasks/{verb}"
    body: dict[str, Any] = {"filter": {"since": SINCE, "statuses": ["FAILED"]}}
    model = "V1CancelledTasks" if verb == "cancel" else "V1ReplayedTasks"
    assert await api.post(path, body, model) == {"ids": []}
    assert isinstance(api.engine.commands[-1], command)

    await api.rows.run(workflow, Status.FAILED)
    answer = await api.post(path, body, model)
    assert answer["ids"] == []
    assert answer["bulkOperation"]["id"] == str(operation)
    [started] = [one for one in api.engine.commands if isinstance(one, StartBulk)]
    assert (started.kind, started.filter.statuses) == (kind.value, [Status.FAILED])
    assert not started.children
    if verb == "cancel":
        await api.post(path, {**body, "includeChildren": True}, model)
        assert api.engine.commands[-1].children


async def test_bulk_operations(api: Api) -> None:
    workflow = str(uuid4())
    first = await api.rows.bulk(
        "CANCEL",
        reason="wrong release",
        statuses=[Status.QUEUED, Status.FAILED],
        workflow_ids=[workflow],
        metadata=[["a", "b:c"]],
    )
    second = await api.rows.bulk(
        "REPLAY", reason="of no use", finished_at=at(NOW_MS + 5), error="RuntimeError: no"
    )
    path = f"{STABLE}/bulk-operations"
    page = await api.get(path)
    assert page["pagination"]["num_pages"] == 1
    assert [row["id"] for row in page["rows"]] == [str(second), str(first)]
    assert page["rows"][0]["error"] == "RuntimeError: no"
    times = {"since": "2025-06-15T15:06:39Z", "until": "2025-06-15T15:06:40Z"}
    assert page["rows"][0]["filter"] == times  # what it does not say is not there
    assert "reason" not in page["rows"][0]
    assert await api.get(f"{path}/{first}") == {
        "id": str(first),
        "kind": "CANCEL",
        "filter": {
            **times,
            "statuses": ["QUEUED", "FAILED"],
            "workflowIds": [workflow],
            "additionalMetadata": ["a:b:c"],
        },
        "includeChildren": False,
        "reason": "wrong release",
        "total": 5,
        "done": 2,
        "changed": 1,
        "createdAt": "2025-06-15T15:06:40Z",
    }
    assert (await api.get(path, limit=1, offset=1))["rows"][0]["id"] == str(first)
    assert (await api.refused("GET", f"{path}/{uuid4()}"))[0] == 404
    api.engine.answers[StartBulk] = BulkProgress(first, 5, 0, 0)
    body: dict[str, Any] = {"kind": "CANCEL", "filter": {"since": SINCE}, "reason": "stop"}
    assert (await api.post(path, body))["id"] == str(first)
    await api.post(path, {"kind": "CANCEL", "filter": {"since": SINCE}, "includeChildren": True})
    assert [command.children for command in api.engine.commands] == [False, True]
    assert [command.reason for command in api.engine.commands] == ["stop", "Cancelled by user"]
    assert api.engine.commands[0].filter.since_ms == NOW_MS - 3_600_000
    body = {"kind": "CANCEL", "filter": {"since": SINCE}, "reason": "x" * REASON_LENGTH_MAX}
    assert (await api.post(path, body))["id"] == str(first)
    body["reason"] += "x"
    assert (await api.refused("POST", path, json=body))[::2] == (400, "reason")
    body = {"kind": "PAUSE", "filter": {"since": SINCE}}
    assert (await api.refused("POST", path, json=body))[2] == "kind"
    api.engine.answers[StartBulk] = Refused(Code.INVALID_ARGUMENT, "too many", field="filter")
    body = {"kind": "REPLAY", "filter": {"since": SINCE}}
    assert (await api.refused("POST", path, json=body))[0] == 400
