"""Events: pushing one and many, origins, namespaces, refusals; reading, filters, expressions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from pydantic import BaseModel

from hatchet import (
    BulkPushEventOptions,
    BulkPushEventWithMetadata,
    CELFailure,
    CELSuccess,
    ClientConfig,
    Context,
    EmptyModel,
    EngineUnavailableError,
    Hatchet,
    HatchetCallError,
    PushEventOptions,
    TriggerOutcomeUnknownError,
    V1TaskStatus,
    V1UpdateFilterRequest,
)
from hatchet._run import calls

from .conftest import working
from .fake_engine import FakeEngine, make_token
from .test_features import META, FakeRest, rest

__all__ = ["rest"]  # a fixture


class Order(BaseModel):
    id: int


@dataclass
class Point:
    x: int


def test_push(engine: FakeEngine, make_client: Callable[..., Hatchet]) -> None:
    hatchet = make_client(namespace="dev")
    event = hatchet.event.push(
        "order:new", {"id": 7}, additional_metadata={"shop": "1"}, priority=3, scope="s"
    )
    assert (event.event_id, event.key, event.payload) == ("event-1", "dev_order:new", '{"id":7}')
    assert (event.additional_metadata, event.scope) == ('{"shop":"1"}', "s")
    assert event.seen_at == event.eventTimestamp == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    (sent,) = engine.pushed
    assert (sent.priority, sent.scope) == (3, "s")

    asyncio.run(hatchet.event.aio_push("dev_order:old", Order(id=8)))
    options = PushEventOptions(namespace="other_", additional_metadata={"a": 1}, scope="t")
    hatchet.event.push("order", Point(x=1), options)
    plain, foreign = engine.pushed[1:]
    assert (plain.key, plain.payload, plain.additional_metadata) == (
        "dev_order:old",
        '{"id":8}',
        "",
    )
    assert not plain.HasField("scope")
    assert not plain.HasField("priority")
    assert (foreign.key, foreign.payload, foreign.scope) == ("other_order", '{"x":1}', "t")
    assert foreign.additional_metadata == '{"a":1}'


def test_a_bulk_is_cut(engine: FakeEngine, make_client: Callable[..., Hatchet]) -> None:
    hatchet = make_client()
    small = [BulkPushEventWithMetadata(key=f"k{n}", payload={"n": n}) for n in range(1001)]
    events = hatchet.event.bulk_push(small)
    assert [event.key for event in events] == [f"k{n}" for n in range(1001)]
    assert engine.bulks == [1000, 1]
    engine.bulks.clear()
    hatchet = make_client(grpc_max_send_message_length=20_000)
    large = [BulkPushEventWithMetadata(key="k", payload={"n": "é" * 4000})] * 3
    options = BulkPushEventOptions(namespace="n_")
    assert len(asyncio.run(hatchet.event.aio_bulk_push(large, options))) == 3
    assert engine.bulks == [2, 1]
    assert engine.pushed[-1].key == "n_k"
    assert hatchet.event.bulk_push([]) == []


def test_events_of_a_task_carry_its_ids(engine: FakeEngine, hatchet: Hatchet) -> None:
    @hatchet.task()
    async def task(input: EmptyModel, ctx: Context) -> dict[str, str]:
        await hatchet.event.aio_push("a", {}, additional_metadata={"mine": 1})
        bulk = [BulkPushEventWithMetadata(key="b")]
        await asyncio.to_thread(hatchet.event.bulk_push, bulk)
        return {"run": ctx.workflow_run_id, "task": ctx.task_run_id}

    with working(hatchet.worker("w", workflows=[task])):
        ids = task.run()
    source = {
        "hatchet__source_workflow_run_id": ids["run"],
        "hatchet__source_step_run_id": ids["task"],
    }
    metadata = [json.loads(event.additional_metadata) for event in engine.pushed]
    assert metadata == [{"mine": 1, **source}, source]


def test_pushes_that_cannot_work(engine: FakeEngine, hatchet: Hatchet) -> None:
    with pytest.raises(ValueError, match="needs a key"):
        hatchet.event.push("", {})
    with pytest.raises(TypeError, match="payload must be a dict"):
        hatchet.event.push("a", [1])
    with pytest.raises(ValueError, match="null character"):
        hatchet.event.push("a", {"b": "\0"})
    with pytest.raises(ValueError, match="priority"):
        hatchet.event.bulk_push([BulkPushEventWithMetadata(key="a", priority=4)])
    assert engine.pushed == []
    engine.refuse_push = (grpc.StatusCode.RESOURCE_EXHAUSTED, "too many events")
    with pytest.raises(HatchetCallError, match="too many events"):
        hatchet.event.push("a", {})
    engine.refuse_push = (grpc.StatusCode.UNAVAILABLE, "Socket closed")
    with pytest.raises(TriggerOutcomeUnknownError, match="may or may not"):
        hatchet.event.push("a", {})


def test_a_push_that_was_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "CALL_TIMEOUT_S", 0.2)
    lost = Hatchet(config=ClientConfig(token=make_token("127.0.0.1:1")))
    with pytest.raises(EngineUnavailableError, match="Is it running"):
        lost.event.push("a", {})
    lost.close()


EVENT = {
    "metadata": META,
    "key": "order:new",
    "tenantId": "",
    "workflowRunSummary": {"running": 0, "queued": 1, "succeeded": 2, "failed": 0, "cancelled": 0},
    "payload": {"id": 7},
    "triggeredRuns": [{"workflowRunId": "r"}],
}
FILTER = {
    "metadata": META,
    "tenantId": "t",
    "workflowId": "w",
    "scope": "s",
    "expression": "true",
    "payload": {"a": 1},
    "isDeclarative": False,
}


@pytest.fixture
def reader(rest: FakeRest) -> Any:
    client = Hatchet(config=ClientConfig(token=make_token("127.0.0.1:1", rest.url)))
    yield client
    client.close()


def test_reading_events(rest: FakeRest, reader: Hatchet) -> None:
    rest.answers = [(200, {"pagination": {}, "rows": [EVENT]}), (200, EVENT)]
    rows = reader.event.list(
        limit=5,
        keys=["order:new"],
        workflow_run_statuses=[V1TaskStatus.FAILED],
        additional_metadata={"a": "b"},
        scopes=["s"],
    ).rows
    assert rows is not None
    assert rows[0].workflow_run_summary.succeeded == 2
    event = asyncio.run(reader.event.aio_get("e1"))
    assert event.triggered_runs is not None
    assert (event.payload, event.triggered_runs[0].workflow_run_id) == ({"id": 7}, "r")
    (_, path, query, _), (_, one, _, _) = rest.requests
    assert path == f"/api/v1/stable/tenants/{reader.tenant_id}/events"
    assert one == path + "/e1"
    assert query == {
        "limit": ["5"],
        "keys": ["order:new"],
        "workflowRunStatuses": ["FAILED"],
        "additionalMetadata": ["a:b"],
        "scopes": ["s"],
    }


def test_filters(rest: FakeRest, reader: Hatchet) -> None:
    listed = {"pagination": {}, "rows": [{"metadata": META, "name": "w"}]}
    rest.answers = [
        (200, {"pagination": {}, "rows": [FILTER]}),
        (200, FILTER),
        (200, FILTER),
        (200, FILTER),
        (200, FILTER),
        (200, listed),
        (200, FILTER),
    ]
    rows = reader.filters.list(workflow_ids=["w"], scopes=["s"]).rows
    assert rows is not None
    assert rows[0].payload == {"a": 1}
    assert reader.filters.create("w", "true", "s", {"a": 1}).expression == "true"
    assert reader.filters.get("f1").is_declarative is False
    asyncio.run(reader.filters.aio_update("f1", V1UpdateFilterRequest(scope="t")))
    assert reader.filters.delete("f1").scope == "s"
    flow = reader.workflow(name="w")
    asyncio.run(flow.aio_create_filter("true", "s"))
    path = f"/api/v1/stable/tenants/{reader.tenant_id}/filters"
    calls = [(method, where[len(path) :]) for method, where, _, _ in rest.requests[:5]]
    assert calls == [("GET", ""), ("POST", ""), ("GET", "/f1"), ("PATCH", "/f1"), ("DELETE", "/f1")]
    bodies = [body for *_, body in rest.requests]
    wanted = {"workflowId": "w", "expression": "true", "scope": "s"}
    assert bodies[1] == {**wanted, "payload": {"a": 1}}
    assert bodies[3] == {"scope": "t"}
    assert bodies[6] == {**wanted, "workflowId": META["id"]}


def test_expressions(rest: FakeRest, reader: Hatchet) -> None:
    rest.answers = [
        (200, {"status": "SUCCESS", "output": True}),
        (200, {"status": "ERROR", "error": "no such key"}),
        (200, {}),
    ]
    result = reader.cel.debug("input.a", {"a": True}, {"m": 1}, {"p": 1}).result
    assert isinstance(result, CELSuccess)
    assert result.output
    failed = asyncio.run(reader.cel.aio_debug("input.b", {})).result
    assert isinstance(failed, CELFailure)
    assert failed.error == "no such key"
    with pytest.raises(ValueError, match="neither"):
        reader.cel.debug("x", {})
    assert rest.requests[0][3] == {
        "expression": "input.a",
        "input": {"a": True},
        "additionalMetadata": {"m": 1},
        "filterPayload": {"p": 1},
    }
    assert rest.requests[1][3] == {"expression": "input.b", "input": {}}


def test_cancelling_with_children(rest: FakeRest, reader: Hatchet) -> None:
    from hatchet import BulkCancelReplayOpts

    rest.answers = [
        *[(200, {"ids": []})] * 4,
        *[(200, ["a"]), (200, {"ids": []})] * 2,
    ]
    reader.runs.cancel("r1", children=True)
    reader.runs.cancel("r1")
    asyncio.run(reader.runs.aio_cancel("r1", children=True))
    reader.runs.bulk_cancel(BulkCancelReplayOpts(ids=["a"]), children=True)
    reader.runs.bulk_cancel_by_filters_with_pagination(children=True)
    asyncio.run(reader.runs.aio_bulk_cancel_by_filters_with_pagination(children=True))
    with_children = {"externalIds": ["r1"], "includeChildren": True}
    many = {"externalIds": ["a"], "includeChildren": True}
    assert [body for verb, *_, body in rest.requests if verb == "POST"] == [
        with_children,
        {"externalIds": ["r1"]},
        with_children,
        many,
        many,
        many,
    ]


def test_runs_of_a_workflow(rest: FakeRest, reader: Hatchet) -> None:
    listed = {"pagination": {}, "rows": [{"metadata": META, "name": "w"}]}
    pages = [(200, {"pagination": {}, "rows": []})] * 2
    rest.answers = [(200, listed), *pages, *pages, (204, None)]
    flow = reader.workflow(name="w")
    since = datetime(2026, 1, 1, 12, tzinfo=UTC)
    until = datetime(2026, 1, 2, 12, tzinfo=UTC)
    assert flow.list_runs(since, until, statuses=[V1TaskStatus.FAILED]) == []
    assert asyncio.run(flow.aio_list_runs(since, until, limit=7)) == []
    flow.delete()
    queries = [query for _, _, query, _ in rest.requests[1:5]]
    assert [query["limit"] for query in queries] == [["100"], ["100"], ["7"], ["7"]]
    assert queries[0]["workflow_ids"] == [META["id"]]
    assert queries[0]["statuses"] == ["FAILED"]
    assert rest.requests[5][:2] == ("DELETE", f"/api/v1/workflows/{META['id']}")


def test_pausing_a_workflow(rest: FakeRest, reader: Hatchet) -> None:
    """python-sdk.md §5.6 and §13.4: what is sent; the engine decides whether it offers it."""
    stored = {"metadata": META, "name": "w", "tenantId": "t", "isPaused": True}
    rest.answers = [(200, {"pagination": {}, "rows": [stored]}), *[(200, stored)] * 4]
    flow = reader.workflow(name="w")
    ttl = timedelta(minutes=5)
    assert flow.pause(ttl, paused_workflow_cron_run_queue_behavior="DROP").name == "w"
    assert asyncio.run(flow.aio_pause(ttl)).name == "w"
    assert flow.unpause().name == asyncio.run(flow.aio_unpause()).name
    path = f"/api/v1/workflows/{META['id']}"
    assert [request[:2] for request in rest.requests[1:]] == [("PATCH", path)] * 4
    bodies = [body["pause"] for *_, body in rest.requests[1:]]
    assert bodies[0] == {
        "action": "pause",
        "pausedWorkflowCronRunQueueBehavior": "DROP",
        "pausedWorkflowScheduledRunQueueBehavior": "QUEUE",
        "pausedWorkflowQueueTTL": "5m",
    }
    assert bodies[1]["pausedWorkflowCronRunQueueBehavior"] == "QUEUE"
    assert bodies[2:] == [{"action": "unpause"}] * 2
    with pytest.raises(TypeError, match="behavior"):
        reader.workflows.pause("w", ttl, behavior="DROP")  # type: ignore[call-arg]
