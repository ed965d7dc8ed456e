"""Run endpoints: shapes, filters, pages, trigger."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from hatchet_engine.domain.definition import TaskDefinition
from hatchet_engine.domain.errors import Code, KeyCollision, Refused
from hatchet_engine.domain.states import Status, TaskKind
from hatchet_engine.turn.commands import TriggerRuns
from tests.support.rest import Api
from tests.support.rows import NOW_MS, at

RUNS = "/api/v1/stable/tenants/{tenant}/workflow-runs"
RUN = "/api/v1/stable/workflow-runs"
SINCE = at(NOW_MS - 3_600_000).isoformat().replace("+00:00", "Z")


async def test_list_of_runs_of_every_status(api: Api) -> None:
    workflow = await api.rows.workflow()
    for status in Status:
        await api.rows.run(workflow, status, output='{"a": 1}', error="e", metadata={"k": "v"})
    page = await api.get(RUNS, "V1TaskSummaryList", since=SINCE, only_tasks=False)
    assert page["pagination"] == {"current_page": 1, "next_page": 2, "num_pages": 1}
    assert [row["status"] for row in page["rows"]] == [
        status.name for status in sorted(Status, reverse=True)
    ]
    failed = page["rows"][1]
    assert failed["type"] == "DAG"
    assert failed["metadata"]["id"] == failed["taskExternalId"] == failed["workflowRunExternalId"]
    assert failed["createdAt"] == "2025-06-15T15:06:40Z"
    assert failed["duration"] == 10
    assert failed["input"] == failed["output"] == {}
    assert failed["additionalMetadata"] == {"k": "v"}
    assert (failed["displayName"], failed["workflowName"]) == (f"step-{NOW_MS}", "simple")
    assert (failed["retryCount"], failed["attempt"], failed["errorMessage"]) == (0, 1, "e")
    queued = page["rows"][-1]
    assert "finishedAt" not in queued
    assert "duration" not in queued


async def test_payloads_are_passed_on_as_they_were_sent(api: Api) -> None:
    workflow = await api.rows.workflow()
    big = '{"z": 123456789012345678901234567890, "a": 1.10, "null": null}'
    run = await api.rows.run(workflow, Status.COMPLETED, input=big, output=big)
    response = await api.client.get(f"{RUN}/{run}")
    assert response.text.count(big) >= 4
    await api.rows.run(workflow, Status.COMPLETED, output="[1]")
    page = await api.get(
        RUNS, "V1TaskSummaryList", since=SINCE, only_tasks=True, include_payloads=True
    )
    assert [row["output"] == {} for row in page["rows"]] == [True, False]
    assert page["rows"][0]["input"] == {"n": 1}
    assert page["rows"][0]["type"] == "TASK"


async def test_pages_and_totals(api: Api) -> None:
    workflow = await api.rows.workflow()
    made = [str(await api.rows.run(workflow, created_ms=NOW_MS + n)) for n in range(7)]
    found = []
    for offset in (0, 3, 6):
        page = await api.get(RUNS, since=SINCE, only_tasks=False, offset=offset, limit=3)
        found += [row["metadata"]["id"] for row in page["rows"]]
        number = offset // 3 + 1
        assert page["pagination"] == {
            "current_page": number,
            "next_page": number + 1,
            "num_pages": 3,
        }
    assert found == made[::-1]
    page = await api.get(
        RUNS, since=SINCE, only_tasks=False, limit=0, offset=-5, include_num_pages=False
    )
    assert len(page["rows"]) == 7
    assert page["pagination"]["num_pages"] == 0
    assert await api.get(f"{RUNS}/count", since=SINCE, only_tasks=False) == {"count": 7}


async def test_filters_of_the_list(api: Api) -> None:
    one, two = await api.rows.workflow("one"), await api.rows.workflow("two")
    first = await api.rows.run(one, Status.FAILED, metadata={"team": "a", "n": 1})
    second = await api.rows.run(two, Status.RUNNING, metadata={"team": "b"}, parent_task_id=first)

    async def found(**query: Any) -> list[UUID]:
        query = {"since": SINCE, "only_tasks": False, **query}
        page = await api.get(RUNS, **query)
        return [UUID(row["metadata"]["id"]) for row in page["rows"]]

    assert await found(statuses=["FAILED", "CANCELLED"]) == [first]
    assert await found(statuses=["NONSENSE"]) == []
    assert await found(statuses=["NONSENSE", "RUNNING"]) == [second]
    assert await found(workflow_ids=[str(two.id)]) == [second]
    assert await found(additional_metadata=["team:a", "no colon"]) == [first]
    assert await found(additional_metadata=["team:a", "team:b"]) == [second, first]
    both = {"additional_metadata": ["team:a", "n:1"], "additional_metadata_operator": "AND"}
    assert await found(**both) == [first]
    assert await found(parent_task_external_id=str(first)) == [second]
    assert await found(parent_task_external_id=str(first), only_tasks=True) == [second, first]
    assert await found(worker_id=str(uuid4())) == [second, first]
    assert await found(worker_id=str(uuid4()), only_tasks=True) == []
    assert await found(running_filter="EVICTED") == [first]
    assert await found(running_filter="ON_WORKER", statuses=["RUNNING"]) == [second]
    assert await found(running_filter="EVICTED", statuses=["RUNNING"]) == []
    assert await found(idempotency_keys=["k"]) == []
    assert await found(since=at(NOW_MS + 1).isoformat()) == []
    assert await found(until="2020-01-01T00:00:00.123456789+02:00") == []


async def test_runs_by_their_idempotency_keys(api: Api) -> None:
    simple = await api.rows.workflow()
    graph = await api.rows.workflow(
        "graph", [TaskDefinition(name=name, action=f"graph:{name}") for name in "ab"]
    )
    alone = await api.rows.run(simple, idempotency_key="one")
    dag = await api.rows.run(graph, kind=TaskKind.DAG, idempotency_key="two")
    member = await api.rows.run(graph, kind=TaskKind.MEMBER, run_id=dag)
    await api.rows.run(simple)

    async def found(**query: Any) -> dict[str, str | None]:
        page = await api.get(RUNS, "V1TaskSummaryList", since=SINCE, **query)
        return {row["taskExternalId"]: row.get("idempotencyKey") for row in page["rows"]}

    wanted = {"idempotency_keys": ["one", "two", "three"]}
    assert await found(only_tasks=False, **wanted) == {str(alone): "one", str(dag): "two"}
    assert await found(only_tasks=True, **wanted) == {str(alone): "one", str(member): None}


async def test_detail_of_a_standalone_run(api: Api) -> None:
    workflow = await api.rows.workflow()
    run = str(await api.rows.run(workflow, Status.COMPLETED, output='{"a": 1}'))
    detail = await api.get(f"{RUN}/{run}", "V1WorkflowRunDetails")
    assert detail["run"]["output"] == {"a": 1}
    assert detail["run"]["input"] == {"n": 1}
    assert detail["run"]["metadata"]["id"] == run
    assert detail["run"]["duration"] == 10
    assert detail["taskEvents"] == []
    [task] = detail["tasks"]
    assert task["taskExternalId"] == run
    assert task["isDurable"] is False
    [step] = detail["shape"]
    assert (step["taskExternalId"], step["taskName"]) == (run, "step")
    assert step["stepId"] == task["stepId"]
    assert detail["workflowConfig"]["name"] == "simple"
    assert await api.get(f"{RUN}/{run}/status") == "COMPLETED"
    assert await api.get(f"{RUN}/{run}/task-events", "V1TaskEventList") == {
        "pagination": {},
        "rows": [],
    }


async def test_external_ids_and_names(api: Api) -> None:
    workflow = await api.rows.workflow()
    run = str(await api.rows.run(workflow, Status.FAILED))
    path = f"{RUNS}/external-ids"
    assert await api.get(path, since=SINCE) == [run]
    assert await api.get(path, since=SINCE, statuses=["RUNNING", "QUEUED"]) == []
    assert await api.get(path, since=at(NOW_MS).isoformat()) == []  # exclusive
    names = await api.get(
        f"{RUNS}/display-names",
        "V1WorkflowRunDisplayNameList",
        external_ids=[run, str(uuid4())],
    )
    assert [row["displayName"] for row in names["rows"]] == [f"step-{NOW_MS}"]


async def test_trigger_passes_the_json_on_and_answers_the_run(api: Api) -> None:
    workflow = await api.rows.workflow()
    run = await api.rows.run(workflow)
    api.engine.answers[TriggerRuns] = [run]
    body = {
        "workflowName": "simple",
        "input": {"big": 123456789012345678901234567890, "text": "ä"},
        "additionalMetadata": {"k": "v"},
        "priority": 2,
    }
    detail = await api.post(f"{RUNS}/trigger", body, "V1WorkflowRunDetails")
    assert detail["run"]["metadata"]["id"] == str(run)
    [command] = api.engine.commands
    [item] = command.items
    assert command.tenant_id == api.tenant
    assert item.workflow == "simple"
    assert item.input == '{"big":123456789012345678901234567890,"text":"\\u00e4"}'
    assert (item.metadata, item.priority) == ('{"k":"v"}', 2)


async def test_refused_triggers(api: Api) -> None:
    path = f"{RUNS}/trigger"
    body: dict[str, Any] = {"workflowName": "nope", "input": {}}
    status, text, field = await api.refused("POST", path, json={**body, "priority": 4})
    assert (status, field) == (400, "priority")
    status, text, field = await api.refused("POST", path, json={"workflowName": "x", "input": [1]})
    assert (status, field) == (400, "input")
    status, text, field = await api.refused("POST", path, json={"input": {}})
    assert (status, field) == (400, "workflowname")
    for kind in ("application/json; charset=utf-8", "text/plain"):
        status, text, field = await api.refused(
            "POST", path, content=b"{not json", headers={"content-type": kind}
        )
        assert (status, field) == (400, None)
        assert "JSON" in text
    assert api.engine.commands == []
    api.engine.answers[TriggerRuns] = Refused(Code.NOT_FOUND, "workflow 'nope' is not registered")
    status, text, field = await api.refused("POST", path, json=body)
    assert (status, text) == (400, "workflow 'nope' is not registered")
    api.engine.answers[TriggerRuns] = Refused(Code.UNAVAILABLE, "not ready")
    assert (await api.refused("POST", path, json=body))[0] == 503


async def test_id_3_a_trigger_whose_idempotency_key_is_taken(api: Api) -> None:
    """409 instead of the 500 of the engine it is compatible with, and the holder is named."""
    holder = uuid4()
    api.engine.answers[TriggerRuns] = KeyCollision([uuid4()], {0: holder})
    body = {"workflowName": "simple", "input": {}}
    status, text, _ = await api.refused("POST", f"{RUNS}/trigger", json=body)
    assert (status, text) == (409, f"idempotency key collision: held by run {holder}")


async def test_bad_parameters_are_named(api: Api) -> None:
    for query, name in (
        ({"only_tasks": "false"}, "since"),
        ({"since": SINCE}, "only_tasks"),
        ({"since": "yesterday", "only_tasks": "false"}, "since"),
        ({"since": SINCE, "only_tasks": "perhaps"}, "only_tasks"),
        ({"since": SINCE, "only_tasks": "true", "workflow_ids": "x"}, "workflow_ids"),
        ({"since": SINCE, "only_tasks": "true", "limit": "many"}, "limit"),
        ({"since": SINCE, "only_tasks": "true", "limit": "20001"}, "limit"),
        ({"since": SINCE, "only_tasks": "true", "offset": str(2**80)}, "offset"),
    ):
        status, text, field = await api.refused("GET", RUNS, params=query)
        assert (status, field) == (400, name)
        assert text.startswith(f"Invalid format for parameter {name}: ")
    assert (await api.refused("GET", f"{RUN}/not-a-uuid"))[0] == 400


async def test_far_times_are_harmless(api: Api) -> None:
    await api.rows.run(await api.rows.workflow())
    for since, until in (
        ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
        ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"),
        ("1969-01-01T00:00:00", "2200-01-01T00:00:00"),
    ):
        page = await api.get(RUNS, since=since, until=until, only_tasks=False)
        assert len(page["rows"]) == 1
