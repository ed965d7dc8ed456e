"""Task endpoints: get, events, cancel, replay, restore; and the logs of a task."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.domain.states import EventKind, Status, TaskKind
from hatchet_engine.turn.commands import CancelTasks, ReplayTasks, RunFilter
from tests.support.rest import Api
from tests.support.rows import NOW_MS, at

TASK = "/api/v1/stable/tasks"
TASKS = "/api/v1/stable/tenants/{tenant}/tasks"


async def test_task_with_its_attempts(api: Api) -> None:
    run = await api.rows.run(
        await api.rows.workflow(), Status.COMPLETED, attempt=1, output='{"a": 1}'
    )
    times = {"assigned_ms": NOW_MS + 1, "started_ms": NOW_MS + 2}
    await api.rows.event(run, EventKind.ATTEMPT_FAILED, 0, NOW_MS + 7, "boom", times)
    await api.rows.event(run, EventKind.RETRYING, 1, NOW_MS + 7)
    latest = await api.get(f"{TASK}/{run}", "V1TaskSummary")
    assert (latest["attempt"], latest["status"], latest["output"]) == (2, "COMPLETED", {"a": 1})
    assert latest["workflowConfig"]["tasks"][0]["name"] == "step"
    assert latest["numSpawnedChildren"] == 0
    first = await api.get(f"{TASK}/{run}", "V1TaskSummary", attempt=1)
    assert (first["attempt"], first["status"], first["output"]) == (1, "FAILED", {})
    assert (first["errorMessage"], first["duration"]) == ("boom", 5)
    assert (await api.refused("GET", f"{TASK}/{run}?attempt=3"))[0] == 404
    status, _, field = await api.refused("GET", f"{TASK}/{run}?attempt=0")
    assert (status, field) == (400, "attempt")

    events = await api.get(f"{TASK}/{run}/task-events", "V1TaskEventList")
    assert [event["eventType"] for event in events["rows"]] == [
        "FINISHED",
        "STARTED",
        "ASSIGNED",
        "RETRYING",
        "FAILED",
        "STARTED",
        "ASSIGNED",
        "QUEUED",
        "CREATED",
    ]
    failed = events["rows"][4]
    assert (failed["errorMessage"], failed["attempt"]) == ("boom", 1)
    assert failed["taskId"] == str(run)
    page = await api.get(f"{TASK}/{run}/task-events", "V1TaskEventList", limit=2, offset=1)
    assert page["rows"] == events["rows"][1:3]


async def test_a_dag_run_is_no_task(api: Api) -> None:
    run = await api.rows.run(await api.rows.workflow(), kind=TaskKind.DAG)
    for path in (f"{TASK}/{run}", f"{TASK}/{run}/task-events"):
        assert (await api.refused("GET", path))[0] == 404


async def test_cancel_by_ids_answers_the_ids(api: Api) -> None:
    one, two = uuid4(), uuid4()
    api.engine.answers[CancelTasks] = [one]
    body = {"externalIds": [str(one), str(two), str(one)]}
    assert await api.post(f"{TASKS}/cancel", body, "V1CancelledTasks") == {
        "ids": [str(one), str(two)]
    }
    assert api.engine.commands == [CancelTasks(api.tenant, ids=[one, two])]
    assert await api.post(f"{TASKS}/cancel", {}, "V1CancelledTasks") == {"ids": []}
    assert len(api.engine.commands) == 1


async def test_cancel_and_replay_by_filter(api: Api) -> None:
    found, workflow = uuid4(), uuid4()
    api.engine.answers[CancelTasks] = api.engine.answers[ReplayTasks] = [found]
    body = {
        "filter": {
            "since": at(NOW_MS).isoformat(),
            "until": at(NOW_MS + 5).isoformat(),
            "statuses": ["RUNNING"],
            "workflowIds": [str(workflow)],
            "additionalMetadata": ["a:b:c"],
        }
    }
    expected = RunFilter(
        since_ms=NOW_MS,
        until_ms=NOW_MS + 5,
        statuses=[Status.RUNNING],
        workflow_ids=[workflow],
        metadata=[("a", "b:c")],
    )
    for name, model in (("cancel", "V1CancelledTasks"), ("replay", "V1ReplayedTasks")):
        assert await api.post(f"{TASKS}/{name}", body, model) == {"ids": [str(found)]}
        assert api.engine.commands[-1].filter == expected


async def test_refused_selections(api: Api) -> None:
    since = at(NOW_MS).isoformat()
    for body, field in (
        ({"externalIds": [str(uuid4())], "filter": {"since": since}}, "filter"),
        ({"externalIds": ["nope"]}, "externalids.0"),
        ({"filter": {}}, "filter.since"),
        ({"filter": {"since": since, "additionalMetadata": ["x"]}}, "additionalmetadata"),
        ({"filter": {"since": since, "statuses": ["NONSENSE"]}}, "filter.statuses.0"),
    ):
        for name in ("cancel", "replay"):
            status, text, named = await api.refused("POST", f"{TASKS}/{name}", json=body)
            assert (status, named) == (400, field), text
    assert api.engine.commands == []
    api.engine.answers[CancelTasks] = Refused(Code.RESOURCE_EXHAUSTED, "overloaded")
    body = {"externalIds": [str(uuid4())]}
    assert (await api.refused("POST", f"{TASKS}/cancel", json=body))[0] == 429


async def test_restore(api: Api) -> None:
    run = await api.rows.run(await api.rows.workflow())
    path = f"{TASK}/{run}/restore"
    assert await api.post(path, None, "V1RestoreTaskResponse") == {"requeued": True}
    assert (await api.refused("POST", f"{TASK}/{uuid4()}/restore"))[0] == 404


async def test_logs(api: Api) -> None:
    run = await api.rows.run(await api.rows.workflow())
    levels = ("INFO", "WARN", "ERROR", "DEBUG")
    await api.rows.connection.executemany(
        "insert into task_log (tenant_id, id, task_id, attempt, at, level, message, metadata)"
        " values ($1,$2,$3,$4,$5,$6,$7,$8)",
        [
            (
                api.tenant,
                api.rows.ids.new(NOW_MS + n),
                run,
                n // 4,
                at(NOW_MS + n),
                levels[n % 4],
                f"Line {n} 100%_\\",
                '{"n": 1}' if n else None,
            )
            for n in range(8)
        ],
    )
    path = f"{TASK}/{run}/logs"

    async def found(target: str = path, **query: Any) -> list[int]:
        page = await api.get(target, "V1LogLineList", **query)
        assert page["pagination"] == {"current_page": 0, "next_page": 0, "num_pages": 0}
        return [int(row["message"].split()[1]) for row in page["rows"]]

    assert await found() == list(range(8))
    assert await found(order_by_direction="DESC", limit=3) == [7, 6, 5]
    assert await found(levels=["WARN", "DEBUG"]) == [1, 3, 5, 7]
    assert await found(attempt=2) == [4, 5, 6, 7]
    assert await found(search="LINE 3") == [3]
    assert await found(search="%_\\") == list(range(8))
    assert await found(search="0_%") == []
    since, until = at(NOW_MS + 2).isoformat(), at(NOW_MS + 6).isoformat()
    assert await found(since=since, until=until) == [3, 4, 5]
    rows = (await api.get(path, "V1LogLineList"))["rows"]
    assert rows[0]["metadata"] == {}
    assert rows[1]["metadata"] == {"n": 1}
    assert rows[0]["taskDisplayName"] == f"step-{NOW_MS}"
    for query, field in (
        (f"limit={10_001}", "limit"),
        ("limit=0", "limit"),
        ("levels=X", "levels"),
    ):
        status, _, named = await api.refused("GET", f"{path}?{query}")
        assert (status, named) == (400, field)

    tenant_path = "/api/v1/stable/tenants/{tenant}/logs"
    task = await api.get(f"{TASK}/{run}")
    assert await found(tenant_path) == list(range(8))
    assert await found(tenant_path, since=since, until=until) == [3, 4, 5]
    assert await found(tenant_path, taskExternalIds=[str(uuid4())]) == []
    assert await found(tenant_path, taskExternalIds=[str(run)], levels=["INFO"]) == [0, 4]
    assert await found(tenant_path, workflow_ids=[task["workflowId"]], attempt=1) == [0, 1, 2, 3]
    assert await found(tenant_path, workflow_ids=[str(uuid4())]) == []
    assert await found(tenant_path, step_ids=[task["stepId"]]) == list(range(8))
    assert await found(tenant_path, step_ids=[str(uuid4())]) == []

    points = await api.get(
        "/api/v1/stable/tenants/{tenant}/log-point-metrics", "V1LogsPointMetrics"
    )
    assert sum(point["WARN"] for point in points["results"]) == 2
    assert len(points["results"]) == 49  # a day in steps of half an hour
