"""REST: feature clients, retries, errors. And `mock_run`, which needs no engine at all."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import BaseModel

from hatchet import (
    BulkCancelReplayOpts,
    ClientConfig,
    Context,
    EmptyModel,
    Hatchet,
    RunFilter,
    V1TaskStatus,
)
from hatchet.clients.rest.exceptions import (
    BadRequestException,
    NotFoundException,
    RestConnectionError,
    ServiceException,
)
from hatchet.features.flow_models import RateLimitOrderByDirection, RateLimitOrderByField

from .fake_engine import make_token

META = {"id": "i" * 36, "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"}
TASK = {
    "metadata": META,
    "taskExternalId": "t",
    "workflowRunExternalId": "r",
    "taskId": 1,
    "tenantId": "t",
    "workflowId": "w",
    "displayName": "d",
    "status": "COMPLETED",
    "type": "TASK",
    "createdAt": META["createdAt"],
    "taskInsertedAt": META["createdAt"],
    "numSpawnedChildren": 0,
    "input": {},
    "output": {"a": 1},
    "somethingNew": [1],
}
RUN = {
    "metadata": META,
    "status": "COMPLETED",
    "tenantId": "t",
    "displayName": "d",
    "workflowId": "w",
    "input": {},
    "output": {"a": 1},
}
DETAILS = {"run": RUN, "taskEvents": [], "shape": [], "tasks": [TASK]}
WORKER = {"metadata": META, "name": "w", "type": "SELFHOSTED", "status": "ACTIVE", "actions": ["a"]}


BREAKS = 1  # instead of an answer: the connection breaks
HANGS_UP = 2  # answers, and then closes the connection without a word


class FakeRest:
    """Answers from a list, and remembers what was asked."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.answers: list[tuple[int, Any]] = []
        self.requests: list[tuple[str, str, dict[str, list[str]], Any]] = []
        self.connections: set[int] = set()
        self.hung_up = threading.Event()


@pytest.fixture
def rest() -> Iterator[FakeRest]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            assert self.headers["Authorization"].startswith("Bearer ey")
            fake.requests.append((self.command, parts.path, parse_qs(parts.query), body))
            fake.connections.add(self.client_address[1])
            status, value = fake.answers.pop(0)
            self.close_connection = status in (BREAKS, HANGS_UP)
            if status == BREAKS:
                return
            status = 200 if status == HANGS_UP else status
            data = b"" if value is None else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def finish(self) -> None:
            super().finish()
            self.connection.shutdown(socket.SHUT_RDWR)
            fake.hung_up.set()

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815

        def log_message(self, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake = FakeRest(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield fake
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def hatchet(rest: FakeRest) -> Iterator[Hatchet]:
    client = Hatchet(config=ClientConfig(token=make_token("127.0.0.1:1", rest.url)))
    yield client
    client.close()


def test_runs(rest: FakeRest, hatchet: Hatchet) -> None:
    page = {"pagination": {"current_page": 1, "num_pages": 1}, "rows": [TASK]}
    rest.answers = [(200, DETAILS), (200, "RUNNING"), (200, TASK), (200, page), (200, DETAILS)]
    assert hatchet.runs.get("r1").tasks[0].output == {"a": 1}
    assert hatchet.runs.get_status("r1") is V1TaskStatus.RUNNING
    assert asyncio.run(hatchet.runs.aio_get_task_run("t1")).status == "COMPLETED"
    since = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    rows = hatchet.runs.list(
        since=since,
        until=since + timedelta(hours=1),
        limit=5,
        statuses=[V1TaskStatus.FAILED, V1TaskStatus.QUEUED],
        additional_metadata={"a": "b:c"},
    ).rows
    assert rows[0].task_id == 1
    assert hatchet.runs.get_result("r1") == {"a": 1}
    tenant = f"/api/v1/stable/tenants/{hatchet.tenant_id}/workflow-runs"
    assert [request[1] for request in rest.requests[:4]] == [
        "/api/v1/stable/workflow-runs/r1",
        "/api/v1/stable/workflow-runs/r1/status",
        "/api/v1/stable/tasks/t1",
        tenant,
    ]
    query = rest.requests[3][2]
    assert query["since"] == ["2026-01-01T10:00:00.000000Z"]
    assert query["statuses"] == ["FAILED", "QUEUED"]
    assert query["additional_metadata"] == ["a:b:c"]
    assert query["only_tasks"] == ["false"]
    assert "worker_id" not in query
    assert len(rest.connections) == 1
    rest.answers = [(200, page)]
    with pytest.warns(RuntimeWarning, match="7 days"):
        hatchet.runs.list(since=datetime.now(UTC) - timedelta(days=8))


def test_changes(rest: FakeRest, hatchet: Hatchet) -> None:
    rest.answers = [(200, {"ids": []})] * 3 + [(200, DETAILS)] * 3 + [(204, None), (200, WORKER)]
    hatchet.runs.cancel("r1")
    hatchet.runs.bulk_replay(BulkCancelReplayOpts(ids=["a", "b"]))
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    filters = RunFilter(since=moment, statuses=[V1TaskStatus.RUNNING])
    hatchet.runs.bulk_cancel(BulkCancelReplayOpts(filters=filters))
    hatchet.runs.create("flow", {"a": 1}, priority=2)
    assert hatchet.runs.rerun("r1", {"a": 2}).run.metadata.id == RUN["metadata"]["id"]
    asyncio.run(hatchet.runs.aio_rerun("r1", additional_metadata={"b": 3}, priority=3))
    paths = [path for _, path, *_ in rest.requests[-2:]]
    assert all(path.endswith("/workflow-runs/r1/rerun") for path in paths)
    hatchet.workflows.delete("w1")
    assert hatchet.workers.pause("k1").name == "w"
    assert [body for *_, body in rest.requests] == [
        {"externalIds": ["r1"]},
        {"externalIds": ["a", "b"]},
        {"filter": {"since": "2026-01-01T00:00:00.000000Z", "statuses": ["RUNNING"]}},
        {"workflowName": "flow", "input": {"a": 1}, "priority": 2},
        {"input": {"a": 2}},
        {"additionalMetadata": {"b": 3}, "priority": 3},
        None,
        {"isPaused": True},
    ]
    with pytest.raises(ValueError, match="either ids or filters"):
        BulkCancelReplayOpts()


def test_lists(rest: FakeRest, hatchet: Hatchet) -> None:
    line = {"createdAt": META["createdAt"], "message": "m", "metadata": {}, "level": "WARN"}
    flow = {"metadata": META, "name": "flow", "tenantId": "t"}
    version = {"metadata": META, "version": "1", "order": 1, "workflowId": "w"}
    rest.answers = [
        (200, {"rows": [line]}),
        (200, {"rows": [WORKER]}),
        (200, {"rows": [flow]}),
        (200, version),
        (200, {"rows": [flow]}),
    ]
    assert (hatchet.logs.list("t1").rows or [])[0].level == "WARN"
    assert (hatchet.workers.list().rows or [])[0].actions == ["a"]
    assert (hatchet.workflows.list(workflow_name="fl").rows or [])[0].name == "flow"
    assert hatchet.workflows.get_version("w1").order == 1
    assert hatchet.workflow(name="flow").id == META["id"]


def test_errors_and_retries(
    rest: FakeRest, hatchet: Hatchet, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("hatchet._run.rest.time.sleep", pauses.append)
    rest.answers = [(503, None), (500, None), (200, "QUEUED")]
    assert hatchet.runs.get_status("r1") is V1TaskStatus.QUEUED
    assert [1 <= pauses[0] < 2, 2 <= pauses[1] < 3, len(pauses)] == [True, True, 2]
    rest.answers = [(501, {"errors": [{"description": "not offered yet"}]})]
    with pytest.raises(ServiceException, match="not offered yet"):
        hatchet.runs.get_status("r1")
    rest.answers = [(404, {"message": "not found"})]
    with pytest.raises(NotFoundException, match="not found") as caught:
        hatchet.runs.get("r1")
    assert (caught.value.status, len(pauses)) == (404, 2)
    rest.answers = [(500, None)]
    with pytest.raises(ServiceException):
        hatchet.runs.cancel("r1")
    rest.answers = [(400, {"errors": [{"description": "bad id"}, {"description": "worse"}]})]
    with pytest.raises(BadRequestException, match="bad id; worse"):
        hatchet.runs.replay("r1")
    lost = Hatchet(config=ClientConfig(token=make_token("127.0.0.1:1", "http://127.0.0.1:1")))
    with pytest.raises(RestConnectionError, match="Is the server running"):
        lost.workers.list()


def test_an_empty_id_is_no_list(rest: FakeRest, hatchet: Hatchet) -> None:
    for get in (hatchet.cron.get, hatchet.scheduled.get, hatchet.filters.get):
        rest.answers = [(404, {"errors": []})]
        with pytest.raises(NotFoundException):
            get("")
        assert rest.requests[-1][1].endswith("/")


def test_what_may_have_been_done_is_not_sent_again(rest: FakeRest, hatchet: Hatchet) -> None:
    rest.answers = [(200, "RUNNING"), (BREAKS, None), (200, "QUEUED")]
    assert hatchet.runs.get_status("r") is V1TaskStatus.RUNNING
    assert hatchet.runs.get_status("r") is V1TaskStatus.QUEUED  # a read is sent again
    rest.answers = [(BREAKS, None)]
    with pytest.raises(RestConnectionError):
        hatchet.runs.cancel("r")
    assert [request[0] for request in rest.requests] == ["GET", "GET", "GET", "POST"]


def test_a_connection_that_was_closed_while_idle_is_not_used(
    rest: FakeRest, hatchet: Hatchet
) -> None:
    rest.answers = [(HANGS_UP, "RUNNING"), (200, {"ids": []})]
    assert hatchet.runs.get_status("r") is V1TaskStatus.RUNNING
    rest.hung_up.wait(5)
    hatchet.runs.cancel("r")  # which would not be sent twice
    assert len(rest.connections) == 2


def test_many_at_once(rest: FakeRest, hatchet: Hatchet, monkeypatch: pytest.MonkeyPatch) -> None:
    other = {**TASK, "metadata": {**META, "id": "o" * 36}, "createdAt": "2026-01-02T00:00:00Z"}
    pages = [{"pagination": {}, "rows": rows} for rows in ([TASK], [TASK, other], [])]
    rest.answers = [(200, page) for page in pages]
    since = datetime(2026, 1, 1, 12, tzinfo=UTC)
    rows = hatchet.runs.list_with_pagination(since, True, until=since + timedelta(days=2))
    assert [row.metadata.id[0] for row in rows] == ["o", "i"]
    ranges = [(query["since"][0][:13], query["until"][0][:13]) for _, _, query, _ in rest.requests]
    assert ranges == [
        ("2026-01-03T00", "2026-01-03T12"),
        ("2026-01-02T00", "2026-01-03T00"),
        ("2026-01-01T12", "2026-01-02T00"),
    ]
    monkeypatch.setattr("hatchet.features.runs.time.sleep", lambda seconds: None)
    rest.requests.clear()
    rest.answers = [(200, ["a", "b", "c"])] + [(200, {"ids": []})] * 2
    hatchet.runs.bulk_cancel_by_filters_with_pagination(chunk_size=2)
    assert rest.requests[0][2]["statuses"] == ["RUNNING", "QUEUED"]
    bodies = [body for *_, body in rest.requests[1:]]
    assert bodies == [{"externalIds": ["a", "b"]}, {"externalIds": ["c"]}]


def test_many_at_once_from_async_code(rest: FakeRest, hatchet: Hatchet) -> None:
    rest.answers = [(200, ["a", "b", "c"]), (200, {"ids": []}), (200, {"ids": []})]
    replay = hatchet.runs.aio_bulk_replay_by_filters_with_pagination
    asyncio.run(replay(sleep_time=0.01, chunk_size=2, workflow_ids=["w"]))
    (_, _, query, _), *changes = rest.requests
    assert query["statuses"] == ["FAILED", "CANCELLED"]
    assert [body for *_, body in changes] == [{"externalIds": ["a", "b"]}, {"externalIds": ["c"]}]
    rest.answers = [(200, ["a"])]
    with pytest.raises(ValueError, match="chunk_size must be at least 1, not 0"):
        hatchet.runs.bulk_cancel_by_filters_with_pagination(chunk_size=0)


def test_misspelt_keywords(hatchet: Hatchet) -> None:
    with pytest.raises(TypeError, match="workflow_id"):
        hatchet.runs.list(workflow_id="w")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="scope"):
        hatchet.event.list(scope="s")  # type: ignore[call-arg]


class Name(BaseModel):
    name: str


def test_mock_run(hatchet: Hatchet) -> None:
    flow = hatchet.workflow(name="flow", input_validator=Name)

    @flow.task()
    def first(input: Name, ctx: Context) -> dict[str, str]:
        return {"hello": input.name}

    @flow.task(parents=[first], retries=1)
    async def second(input: Name, ctx: Context) -> dict[str, Any]:
        assert hatchet.current_context is ctx
        ctx.log("goes nowhere")
        ctx.put_stream("nor does this")
        await ctx.aio_refresh_timeout("1s")
        return {
            "parent": ctx.task_output(first),
            "attempt": ctx.attempt_number,
            "metadata": ctx.additional_metadata,
            "lifespan": ctx.lifespan,
        }

    assert first.mock_run(Name(name="Ada")) == {"hello": "Ada"}
    assert first.mock_run({"name": "Ada"}) == {"hello": "Ada"}  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="aio_mock_run"):
        second.mock_run(Name(name="Ada"))
    result = asyncio.run(
        second.aio_mock_run(
            Name(name="Ada"),
            additional_metadata={"a": 1},
            parent_outputs={"first": {"hello": "you"}},
            retry_count=1,
            lifespan="l",
        )
    )
    assert result == {
        "parent": {"hello": "you"},
        "attempt": 2,
        "metadata": {"a": 1},
        "lifespan": "l",
    }
    with pytest.raises(ValueError, match="is it a parent"):
        asyncio.run(second.aio_mock_run(Name(name="Ada")))
    skipped = {"first": {"skipped": True}}
    with pytest.raises(ValueError, match="skipped"):
        asyncio.run(second.aio_mock_run(Name(name="Ada"), parent_outputs=skipped))


# ---------------------------------------------------------------- flow control

LIMIT = {
    "key": "api",
    "tenantId": "t",
    "limitValue": 10,
    "value": 3,
    "window": "1 MINUTE",
    "lastRefill": META["createdAt"],
    "pausedUntil": "2026-01-01T00:01:00Z",
}
PAUSE = {
    "kind": "WORKFLOW",
    "target": "w1",
    "workflowId": "w1",
    "since": META["createdAt"],
    "by": "ops",
    "reason": "deploy",
    "queueTTL": "1h",
}
WORKFLOW = {"metadata": META, "name": "w", "tenantId": "t", "isPaused": True}


def test_rate_limits_are_listed_and_deleted(rest: FakeRest, hatchet: Hatchet) -> None:
    page = {"pagination": {"current_page": 1, "num_pages": 1}, "rows": [LIMIT]}
    rest.answers = [(200, page), (200, page), (204, None), (204, None)]
    (limit,) = (
        hatchet.rate_limits.list(
            search="a",
            limit=5,
            order_by_field=RateLimitOrderByField.LIMITVALUE,
            order_by_direction=RateLimitOrderByDirection.DESC,
        ).rows
        or []
    )
    assert (limit.key, limit.limit_value, limit.value, limit.window) == ("api", 10, 3, "1 MINUTE")
    assert limit.paused_until == datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
    asyncio.run(hatchet.rate_limits.aio_list())
    hatchet.rate_limits.delete("a b")
    asyncio.run(hatchet.rate_limits.aio_delete("api"))
    path = f"/api/v1/tenants/{hatchet.tenant_id}/rate-limits"
    assert [request[:3] for request in rest.requests] == [
        (
            "GET",
            path,
            {
                "search": ["a"],
                "limit": ["5"],
                "orderByField": ["limitValue"],
                "orderByDirection": ["desc"],
            },
        ),
        ("GET", path, {}),
        ("DELETE", path, {"key": ["a b"]}),
        ("DELETE", path, {"key": ["api"]}),
    ]
    with pytest.raises(ValueError, match="key: a rate limit needs a key"):
        hatchet.rate_limits.delete("")


def test_pauses(rest: FakeRest, hatchet: Hatchet) -> None:
    rest.answers = [(200, PAUSE)] * 3 + [(200, {"rows": [PAUSE]}), (204, None)]
    until = datetime(2026, 1, 1)  # noqa: DTZ001 - naive is UTC
    pauses = hatchet.pauses
    pauses.pause_all(until=until, reason="deploy", by="ops")
    pause = pauses.pause_workflow("w1", queue_ttl=timedelta(minutes=90))
    assert (pause.workflow_id, pause.by, pause.queue_ttl) == ("w1", "ops", "1h")
    pauses.pause_key("ann", workflow_id="w1", expression="input.user")
    assert pauses.list().rows == [pause]
    pauses.end(pause)
    path = f"/api/v1/stable/tenants/{hatchet.tenant_id}/pauses"
    common = {"reason": "", "by": ""}
    assert rest.requests == [
        (
            "POST",
            path,
            {},
            {
                "kind": "TENANT",
                "until": "2026-01-01T00:00:00.000000Z",
                "reason": "deploy",
                "by": "ops",
            },
        ),
        ("POST", path, {}, {"kind": "WORKFLOW", "workflowId": "w1", "queueTTL": "90m", **common}),
        (
            "POST",
            path,
            {},
            {
                "kind": "CONCURRENCY_KEY",
                "key": "ann",
                "workflowId": "w1",
                "expression": "input.user",
                **common,
            },
        ),
        ("GET", path, {}, None),
        ("DELETE", path, {"kind": ["WORKFLOW"], "target": ["w1"]}, None),
    ]
    with pytest.raises(ValueError, match="workflow_id: give either"):
        pauses.pause_key("ann")
    key = {"expression": "input.user", "key": "ann", "running": 2, "waiting": 3, "isPaused": False}
    rest.answers = [(200, {"rows": [key]})]
    (row,) = asyncio.run(pauses.aio_list_keys(workflow_id="w1")).rows
    assert (row.key, row.running, row.waiting) == ("ann", 2, 3)


def test_workflow_and_worker_pauses(rest: FakeRest, hatchet: Hatchet) -> None:
    rest.answers = [(200, WORKFLOW)] * 3 + [(200, WORKER)] * 2
    assert hatchet.workflows.pause("w1", queue_ttl=timedelta(hours=1)).is_paused
    hatchet.workflows.resume("w1")
    asyncio.run(hatchet.workflows.aio_unpause("w1"))
    hatchet.workers.pause("k1")
    hatchet.workers.resume("k1")
    assert [request[3] for request in rest.requests] == [
        {
            "pause": {
                "action": "pause",
                "pausedWorkflowCronRunQueueBehavior": "QUEUE",
                "pausedWorkflowScheduledRunQueueBehavior": "QUEUE",
                "pausedWorkflowQueueTTL": "1h",
            }
        },
        {"pause": {"action": "unpause"}},
        {"pause": {"action": "unpause"}},
        {"isPaused": True},
        {"isPaused": False},
    ]


def test_pause_of_a_declared_workflow(rest: FakeRest, hatchet: Hatchet) -> None:
    flow = hatchet.workflow(name="w")
    page = {"pagination": {}, "rows": [WORKFLOW]}
    rest.answers = [(200, page)] + [(200, WORKFLOW)] * 3
    flow.pause(timedelta(seconds=90), paused_workflow_cron_run_queue_behavior="DROP")
    flow.resume()
    asyncio.run(flow.aio_unpause())
    assert [request[:2] for request in rest.requests[1:]] == [
        ("PATCH", f"/api/v1/workflows/{META['id']}")
    ] * 3
    assert rest.requests[1][3]["pause"]["pausedWorkflowCronRunQueueBehavior"] == "DROP"


def test_metrics(rest: FakeRest, hatchet: Hatchet) -> None:
    stat = {
        "queued": {
            "total": 3,
            "concurrency": [{"expression": "input.u", "type": "CANCEL_NEWEST", "keys": {"a": 3}}],
        },
        "running": {"total": 0},
    }
    counts = [{"status": status, "count": number} for number, status in enumerate(V1TaskStatus)]
    rest.answers = [
        (200, {"queues": {"w:t": 3, "w": {"a": 3}}}),
        (200, {"t": stat}),
        (200, counts),
        (200, counts[1:]),
    ]
    assert hatchet.metrics.get_queue_metrics() == {"w:t": 3, "w": {"a": 3}}
    found = hatchet.metrics.get_task_stats(["t"])["t"]
    assert found.queued is not None
    assert found.queued.concurrency is not None
    assert found.queued.concurrency[0].keys == {"a": 3}
    metrics = asyncio.run(hatchet.metrics.aio_get_task_metrics(workflow_ids=["w1"]))
    assert {name.upper(): count for name, count in metrics} == {
        entry["status"]: entry["count"] for entry in counts
    }
    with pytest.raises(ValueError, match="queued"):
        hatchet.metrics.get_task_metrics()  # all five must be there
    assert rest.requests[1][2] == {"taskNames": ["t"]}
    since = datetime.fromisoformat(rest.requests[2][2]["since"][0])
    assert datetime.now(UTC) - since < timedelta(days=1, minutes=1)


def test_a_mock_run_takes_outputs_as_parents_return_them(hatchet: Hatchet) -> None:
    flow = hatchet.workflow(name="flow")

    @flow.task(name="First")
    async def first(input: EmptyModel, ctx: Context) -> Name:
        return Name(name="Ada")

    @flow.task(parents=[first])
    def second(input: EmptyModel, ctx: Context) -> dict[str, str]:
        assert not ctx.was_skipped(first)
        return {"hello": ctx.task_output(first).name}

    for outputs in ({"first": Name(name="Bob")}, {"First": {"name": "Bob"}}):
        assert second.mock_run(parent_outputs=outputs) == {"hello": "Bob"}
