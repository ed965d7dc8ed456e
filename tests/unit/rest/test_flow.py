"""Rate limits, pauses and concurrency keys over REST (rest.md 2.4, 2.5, 2.9, 3.2)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from hatchet_engine.domain.definition import ConcurrencyRule, TaskDefinition
from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.domain.rates import WINDOWS, window_end_ms
from hatchet_engine.domain.states import EventKind, Status, TaskKind
from hatchet_engine.turn.commands import (
    DeleteRateLimit,
    Pause,
    PausedThing,
    PauseKind,
    PutRateLimit,
    Resume,
)
from tests.support.rest import Api
from tests.support.rows import NOW_MS, Rows, Workflow, at

TENANT = "/api/v1/tenants/{tenant}"
STABLE = "/api/v1/stable/tenants/{tenant}"
LIMITS = f"{TENANT}/rate-limits"
PAUSES = f"{STABLE}/pauses"
KEYS = f"{STABLE}/concurrency-keys"
RUNS = f"{STABLE}/workflow-runs"
SINCE = at(NOW_MS - 3_600_000).isoformat().replace("+00:00", "Z")


# ---------------------------------------------------------------- rate limits


async def test_rate_limits_are_shown_with_what_is_left(api: Api) -> None:
    await api.rows.rate_limit("api", 10, "MINUTE", remaining=3, began_ms=NOW_MS - 59_999)
    await api.rows.rate_limit("mail", 5, "SECOND", remaining=0, began_ms=NOW_MS - 1_000)
    await api.rows.rate_limit("never-put", None)
    for key, until_ms in (("paused", NOW_MS + 1), ("paused-for-ever", None)):
        await api.rows.rate_limit(key, 2, "HOUR")
        await api.rows.pause(PauseKind.RATE_LIMIT, key, until_ms=until_ms)
    other = await Rows.open(api.dsn)
    await other.rate_limit("other", 1)
    await other.close()
    page = await api.get(LIMITS, "RateLimitList")
    assert page["pagination"] == {"current_page": 1, "next_page": 1, "num_pages": 1}
    assert [
        (row["key"], row["limitValue"], row["value"], row["window"]) for row in page["rows"]
    ] == [
        ("api", 10, 3, "1 MINUTE"),
        ("mail", 5, 5, "1 SECOND"),  # its window is over: full, though nobody has asked since
        ("never-put", 0, 0, "1 MINUTE"),
        ("paused", 2, 2, "1 HOUR"),
        ("paused-for-ever", 2, 2, "1 HOUR"),
    ]
    paused = {row["key"]: row.get("pausedUntil") for row in page["rows"] if row["isPaused"]}
    assert paused == {"paused": "2025-06-15T15:06:40.001000Z", "paused-for-ever": None}
    assert {row["tenantId"] for row in page["rows"]} == {str(api.tenant)}
    # The list does not change what it shows.
    stored = await api.rows.connection.fetchval(
        "select remaining from rate_limit where key = 'mail' and tenant_id = $1", api.tenant
    )
    assert stored == 0


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("began", ["2024-01-31T10:00:00", "2024-02-29T23:59:59.999", "2025-06-15"])
async def test_windows_end_as_the_engine_says(api: Api, window: str, began: str) -> None:
    start = datetime.fromisoformat(began).replace(tzinfo=UTC)
    start_ms = round(start.timestamp() * 1_000)
    await api.rows.rate_limit("k", 9, window, remaining=1, began_ms=start_ms)
    end_ms = window_end_ms(start_ms, window)
    for now_ms, left in ((end_ms - 1, 1), (end_ms, 9)):
        api.engine.clock.ms = now_ms
        [row] = (await api.get(LIMITS, "RateLimitList"))["rows"]
        assert row["value"] == left


async def test_rate_limits_by_part_of_the_key_order_and_page(api: Api) -> None:
    for key, limit, remaining in (("a_1", 3, 1), ("a%2", 2, 2), ("B", 1, 0)):
        await api.rows.rate_limit(key, limit, remaining=remaining)

    async def keys(**query: Any) -> list[str]:
        page = await api.get(LIMITS, "RateLimitList", **query)
        return [row["key"] for row in page["rows"]]

    assert await keys(search="a") == ["a%2", "a_1"]
    assert await keys(search="b") == []  # case counts
    assert await keys(search="%") == ["a%2"]  # taken as it is
    assert await keys(orderByField="value") == ["B", "a_1", "a%2"]
    assert await keys(orderByField="limitValue", orderByDirection="desc") == ["a_1", "a%2", "B"]
    assert await keys(orderByField="value", limit=2, offset=2) == ["a%2"]
    assert await keys(limit=0) == await keys()
    beyond = await api.get(LIMITS, "RateLimitList", offset=10)
    assert (beyond["rows"], beyond["pagination"]["num_pages"]) == ([], 1)
    assert (await api.refused("GET", f"{LIMITS}?orderByField=window"))[0] == 400


async def test_rate_limit_delete(api: Api) -> None:
    for existed in (True, False):  # 204 even if absent
        api.engine.answers[DeleteRateLimit] = existed
        path = LIMITS.format(tenant=api.tenant)
        response = await api.client.delete(path, params={"key": "a b"})
        assert (response.status_code, response.content) == (204, b"")
        assert api.engine.commands.pop() == DeleteRateLimit(api.tenant, "a b")
    assert (await api.refused("DELETE", LIMITS))[0] == 400
    assert (await api.refused("DELETE", f"{LIMITS}?key="))[0] == 400


async def test_rate_limit_put(api: Api) -> None:
    path = f"{STABLE}/rate-limits".format(tenant=api.tenant)
    body = {"key": "api", "limit": 10, "window": "HOUR"}
    response = await api.client.put(path, json=body)
    assert (response.status_code, response.content) == (204, b"")
    await api.client.put(path, json={"key": "zero", "limit": 0})
    assert api.engine.commands == [
        PutRateLimit(api.tenant, "api", 10, "HOUR"),
        PutRateLimit(api.tenant, "zero", 0, "SECOND"),
    ]
    for change in ({"limit": -1}, {"limit": 2**31}, {"window": "FORTNIGHT"}, {"key": None}):
        assert (await api.refused("PUT", path, json=body | change))[0] == 400


# ---------------------------------------------------------------- workflows


ORDER = {
    "action": "pause",
    "pausedWorkflowCronRunQueueBehavior": "DROP",
    "pausedWorkflowScheduledRunQueueBehavior": "QUEUE",
    "pausedWorkflowQueueTTL": "90s",
}


async def test_workflow_pause(api: Api) -> None:
    workflow = await api.rows.workflow()
    path = f"/api/v1/workflows/{workflow.id}"
    shown = await api.get(path, "Workflow")
    assert shown["isPaused"] is False
    assert "pausedWorkflowCronRunQueueBehavior" not in shown
    await api.rows.pause(PauseKind.WORKFLOW, str(workflow.id), drop_crons=True)
    response = await api.client.patch(path, json={"pause": ORDER})
    assert response.status_code == 200, response.text
    api.keep(response, "Workflow", "object")
    assert api.engine.commands == [
        Pause(
            api.tenant,
            PauseKind.WORKFLOW,
            str(workflow.id),
            queue_ttl_ms=90_000,
            drop_crons=True,
            drop_scheduled=False,
        )
    ]
    answer = response.json()
    assert answer["isPaused"] is True
    assert answer["pausedWorkflowCronRunQueueBehavior"] == "DROP"
    assert answer["pausedWorkflowScheduledRunQueueBehavior"] == "QUEUE"
    [row] = (await api.get(f"{TENANT}/workflows", "WorkflowList"))["rows"]
    assert row["isPaused"] is True
    response = await api.client.patch(path, json={"pause": {"action": "unpause"}})
    assert response.status_code == 200
    assert api.engine.commands[1:] == [Resume(api.tenant, PauseKind.WORKFLOW, str(workflow.id))]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "pause"),
        ({"pause": {"action": "stop"}}, "pause"),
        ({"pause": {"action": "pause"}}, None),
        ({"pause": {**ORDER, "pausedWorkflowQueueTTL": "soon"}}, "pause.pausedworkflowqueuettl"),
        ({"pause": {**ORDER, "pausedWorkflowCronRunQueueBehavior": "WAIT"}}, None),
    ],
)
async def test_bad_orders_to_pause(api: Api, body: Any, field: str | None) -> None:
    workflow = await api.rows.workflow()
    response = await api.client.patch(f"/api/v1/workflows/{workflow.id}", json=body)
    assert response.status_code == 400
    if field is not None:
        assert response.json()["errors"][0]["field"] == field
    assert api.engine.commands == []


async def test_pause_of_an_unknown_workflow(api: Api) -> None:
    api.engine.answers[Pause] = Refused(Code.NOT_FOUND, "no such workflow")
    path = f"/api/v1/workflows/{uuid4()}"
    assert (await api.refused("PATCH", path, json={"pause": ORDER}))[0] == 404
    assert (await api.refused("PATCH", path, json={"pause": {"action": "unpause"}}))[0] == 404


# ---------------------------------------------------------------- pauses


async def keyed(api: Api, name: str = "mail") -> tuple[Workflow, int]:
    rule = ConcurrencyRule("input.user", 2, "GROUP_ROUND_ROBIN")
    task = TaskDefinition(name="send", action=f"{name}:send", concurrency=[rule])
    workflow = await api.rows.workflow(name, [task])
    return workflow, await api.rows.concurrency_limit("input.user", workflow, "send")


async def test_pauses_are_listed_with_who_why_and_until_when(api: Api) -> None:
    workflow, limit = await keyed(api)
    await api.rows.pause(PauseKind.TENANT, by="ops", reason="deploy", until_ms=NOW_MS + 60_000)
    await api.rows.pause(PauseKind.WORKFLOW, str(workflow.id), queue_ttl_ms=90_000)
    await api.rows.pause(PauseKind.CONCURRENCY_KEY, f"c{limit}:user:7")
    assert (await api.get(PAUSES))["rows"] == [
        {
            "kind": "TENANT",
            "target": "",
            "since": "2025-06-15T15:06:40Z",
            "until": "2025-06-15T15:07:40Z",
            "by": "ops",
            "reason": "deploy",
        },
        {
            "kind": "WORKFLOW",
            "target": str(workflow.id),
            "workflowId": str(workflow.id),
            "workflowName": "mail",
            "since": "2025-06-15T15:06:40Z",
            "by": "",
            "reason": "",
            "queueTTL": "1m30s",
        },
        {
            "kind": "CONCURRENCY_KEY",
            "target": f"c{limit}:user:7",
            "workflowId": str(workflow.id),
            "workflowName": "mail",
            "taskName": "send",
            "expression": "input.user",
            "key": "user:7",
            "since": "2025-06-15T15:06:40Z",
            "by": "",
            "reason": "",
        },
    ]
    other = await Rows.open(api.dsn)
    api.client.headers["authorization"] = f"Bearer {other.tenant_id}"
    path = PAUSES.format(tenant=other.tenant_id)
    assert (await api.client.get(path)).json() == {"rows": []}
    await other.close()


def as_stored(command: Pause) -> PausedThing:
    return PausedThing(
        command.tenant_id,
        command.kind,
        command.target,
        NOW_MS,
        command.until_ms,
        command.by,
        command.reason,
        command.queue_ttl_ms,
    )


async def test_pauses_begin_and_end(api: Api) -> None:
    api.engine.answers[Pause] = as_stored
    workflow, limit = await keyed(api)
    shared = await api.rows.concurrency_limit("'all'", name="gpu")
    until = at(NOW_MS + 1_000).isoformat()
    shown = await api.post(
        PAUSES, {"kind": "TENANT", "until": until, "by": "ops", "reason": "deploy"}
    )
    assert (shown["kind"], shown["by"], shown["until"]) == ("TENANT", "ops", "2025-06-15T15:06:41Z")
    for_workflow = {"kind": "WORKFLOW", "workflowId": str(workflow.id), "queueTTL": "1h"}
    assert (await api.post(PAUSES, for_workflow))["workflowName"] == "mail"
    for_key = {"kind": "CONCURRENCY_KEY", "workflowId": str(workflow.id), "key": "ann"}
    assert (await api.post(PAUSES, for_key))["expression"] == "input.user"
    shown = await api.post(PAUSES, {"kind": "CONCURRENCY_KEY", "name": "gpu", "key": "all"})
    assert shown["name"] == "gpu"
    assert (await api.post(PAUSES, {"kind": "RATE_LIMIT", "key": "mail"}))["key"] == "mail"
    worker = await api.rows.worker("w1")
    shown = await api.post(PAUSES, {"kind": "WORKER", "workerId": str(worker)})
    assert (shown["workerId"], shown["workerName"]) == (str(worker), "w1")
    assert api.engine.commands == [
        Pause(api.tenant, PauseKind.TENANT, "", NOW_MS + 1_000, "ops", "deploy"),
        Pause(api.tenant, PauseKind.WORKFLOW, str(workflow.id), queue_ttl_ms=3_600_000),
        Pause(api.tenant, PauseKind.CONCURRENCY_KEY, f"c{limit}:ann"),
        Pause(api.tenant, PauseKind.CONCURRENCY_KEY, f"c{shared}:all"),
        Pause(api.tenant, PauseKind.RATE_LIMIT, "mail"),
        Pause(api.tenant, PauseKind.WORKER, str(worker)),
    ]
    path = PAUSES.format(tenant=api.tenant)
    for kind, target in (("TENANT", ""), ("CONCURRENCY_KEY", f"c{limit}:ann")):
        response = await api.client.delete(path, params={"kind": kind, "target": target})
        assert (response.status_code, response.content) == (204, b"")
        assert api.engine.commands.pop() == Resume(api.tenant, PauseKind[kind], target)


async def test_pauses_that_can_not_be_meant(api: Api) -> None:
    workflow, _ = await keyed(api)
    await api.rows.concurrency_limit("input.shop", workflow, "send")
    id = str(workflow.id)
    key = {"kind": "CONCURRENCY_KEY", "key": "k"}
    for body, status, text in (
        ({"kind": "TENANT", "until": at(NOW_MS).isoformat()}, 400, "until: has passed already"),
        ({"kind": "WORKFLOW"}, 400, "workflowId: is required"),
        ({"kind": "WORKER"}, 400, "workerId: is required"),
        ({"kind": "RATE_LIMIT"}, 400, "key: is required, of the rate limit"),
        ({"kind": "TENANT", "queueTTL": "1s"}, 400, "queueTTL: is for pauses of workflows only"),
        ({"kind": "WORKFLOW", "workflowId": id, "queueTTL": "1"}, 400, "queueTTL: '1' is not"),
        ({"kind": "CONCURRENCY_KEY", "workflowId": id}, 400, "key: is required"),
        (key, 400, "workflowId: give either the workflow"),
        ({**key, "workflowId": id, "name": "n"}, 400, "workflowId: give either the workflow"),
        ({**key, "workflowId": id}, 400, "send: input.user; send: input.shop"),
        ({**key, "workflowId": id, "taskName": "other"}, 404, "concurrency rule: not found"),
        ({**key, "name": "gpu"}, 404, "concurrency rule: not found"),
        ({"kind": "TENANT", "reason": "x" * 1_001}, 400, "reason: "),
        ({"kind": "DAY"}, 400, "kind: "),
    ):
        found, description, _ = await api.refused("POST", PAUSES, json=body)
        assert (found, text in description) == (status, True), description
    assert api.engine.commands == []
    api.engine.answers[Pause] = as_stored
    await api.post(PAUSES, {**key, "workflowId": id, "expression": "input.shop"})
    await api.post(PAUSES, {"kind": "TENANT", "reason": "x" * 1_000})


# ---------------------------------------------------------------- concurrency keys


async def test_keys_that_are_in_use(api: Api) -> None:
    workflow, limit = await keyed(api)
    other, other_limit = await keyed(api, "other")
    for _ in range(2):
        run = await api.rows.run(workflow, Status.RUNNING)
        await api.rows.place(run, f"c{limit}:ann", 2)
    for _ in range(3):
        await api.rows.parked(workflow, f"c{limit}:ann")
    await api.rows.parked(other, f"c{other_limit}:bob:1")
    await api.rows.parked(other, f"r{api.tenant.hex}:api")  # waits for units, not for a place
    await api.rows.pause(PauseKind.CONCURRENCY_KEY, f"c{other_limit}:bob:1")
    first, second = (await api.get(KEYS))["rows"]
    assert first == {
        "workflowId": str(workflow.id),
        "workflowName": "mail",
        "taskName": "send",
        "expression": "input.user",
        "key": "ann",
        "running": 2,
        "waiting": 3,
        "maxRuns": 2,
        "isPaused": False,
    }
    assert (second["key"], second["waiting"], second["isPaused"]) == ("bob:1", 1, True)
    assert (await api.get(KEYS, limit=1))["rows"] == [first]
    assert (await api.get(KEYS, workflow_id=str(other.id)))["rows"] == [second]
    assert (await api.get(KEYS, workflow_id=str(uuid4())))["rows"] == []

    queues = await api.get(f"{TENANT}/step-run-queue-metrics", "TenantStepRunQueueMetrics")
    assert queues["queues"] == {
        "mail:send": 3,
        "other:send": 2,
        "mail": {"ann": 3},
        "other": {"bob:1": 1},
    }
    stats = await api.get(f"{TENANT}/task-stats", "TaskStat", "map")
    assert stats["send"]["queued"]["total"] == 5
    assert stats["send"]["queued"]["concurrency"] == [
        {
            "expression": "input.user",
            "type": "GROUP_ROUND_ROBIN",
            "keys": {"ann": 3, "bob:1": 1},
        }
    ]
    assert stats["send"]["running"]["concurrency"] == [
        {"expression": "input.user", "type": "GROUP_ROUND_ROBIN", "keys": {"ann": 2}}
    ]


# ---------------------------------------------------------------- runs in lines


async def test_what_waits_in_a_line_is_queued(api: Api) -> None:
    workflow = await api.rows.workflow()
    parked = await api.rows.parked(workflow, "c1:k")
    again = await api.rows.parked(workflow, "c1:k", attempt=2, retries=2)
    page = await api.get(
        RUNS, "V1TaskSummaryList", since=SINCE, only_tasks=False, statuses=["QUEUED"]
    )
    assert [row["metadata"]["id"] for row in page["rows"]] == [str(again), str(parked)]
    tasks = await api.get(
        RUNS, "V1TaskSummaryList", since=SINCE, only_tasks=True, statuses=["QUEUED"]
    )
    assert [(row["taskExternalId"], row["attempt"]) for row in tasks["rows"]] == [
        (str(again), 3),
        (str(parked), 1),
    ]
    counts = await api.get(f"{STABLE}/task-metrics", "V1TaskRunMetric", "list", since=SINCE)
    assert [entry["count"] for entry in counts] == [0, 0, 0, 2, 0]


async def test_runs_of_several_tasks_in_lines(api: Api) -> None:
    steps = [
        TaskDefinition(name="load", action="p:load"),
        TaskDefinition(name="store", action="p:store", parents=["load"]),
    ]
    workflow = await api.rows.workflow("p", steps)
    # One waits as a whole, one has begun, one is new and its first task waits.
    whole = await api.rows.parked(workflow, "c1:k", step=-1)
    begun, _ = await api.rows.dag(workflow, {0: {"status": Status.COMPLETED}, 1: {"blocked": True}})
    fresh = await api.rows.run(workflow, kind=TaskKind.DAG)
    for run, step in ((begun, 1), (fresh, 0)):
        await api.rows.parked(workflow, "c2:k", run_id=run, kind=TaskKind.MEMBER, step=step)
    for statuses, ids in ((["QUEUED"], [fresh, whole]), (["RUNNING"], [begun])):
        page = await api.get(
            RUNS, "V1TaskSummaryList", since=SINCE, only_tasks=False, statuses=statuses
        )
        assert [row["metadata"]["id"] for row in page["rows"]] == [str(id) for id in ids]
    # A retry that waits for a place tells that its run has begun.
    retried = await api.rows.run(workflow, kind=TaskKind.DAG)
    await api.rows.parked(
        workflow, "c2:k", run_id=retried, kind=TaskKind.MEMBER, attempt=1, retries=1
    )
    page = await api.get(
        RUNS, "V1TaskSummaryList", since=SINCE, only_tasks=False, statuses=["RUNNING"]
    )
    assert [row["metadata"]["id"] for row in page["rows"]] == [str(retried), str(begun)]
    # Counted in ranges, or one by one when there are other filters.
    for more in ({}, {"workflow_ids": [str(workflow.id)]}, {"additional_metadata": ["k:v"]}):
        path = f"{STABLE}/task-metrics"
        counts = await api.get(path, "V1TaskRunMetric", "list", since=SINCE, **more)
        expected = [0] * 5 if "additional_metadata" in more else [0, 0, 0, 2, 2]
        assert [entry["count"] for entry in counts] == expected


@pytest.mark.parametrize(
    ("line", "wait"),
    [
        ("c7:user:1", {"reason": "CONCURRENCY_KEY", "key": "user:1"}),
        ("r{tenant}:api:v1", {"reason": "RATE_LIMIT", "key": "api:v1"}),
        ("o{tenant}:5:api", {"reason": "RATE_LIMIT_TOO_SMALL", "key": "api"}),
        ("p{tenant}", {"reason": "PAUSED_WORKFLOW"}),
        ("t{tenant}", {"reason": "PAUSED_TENANT"}),
    ],
)
async def test_a_task_tells_why_it_is_held_back(api: Api, line: str, wait: dict[str, str]) -> None:
    workflow = await api.rows.workflow()
    task = await api.rows.parked(workflow, line.format(tenant=api.tenant.hex))
    shown = await api.get(f"/api/v1/stable/tasks/{task}", "V1TaskSummary")
    assert shown["waitsFor"] == [{**wait, "met": False}]


async def test_rl_9_lacking_units_are_told_in_the_activity(api: Api) -> None:
    workflow = await api.rows.workflow()
    task = await api.rows.parked(workflow, f"r{api.tenant.hex}:api")
    text = "Rate limit 'api': 2 of 2 units per second are used, 1 needed"
    await api.rows.event(task, EventKind.REQUEUED_RATE_LIMIT, 0, NOW_MS + 5, text)
    shown = await api.get(f"/api/v1/stable/tasks/{task}/task-events", "V1TaskEventList")
    newest = shown["rows"][0]
    assert (newest["eventType"], newest["message"]) == ("REQUEUED_RATE_LIMIT", text)
