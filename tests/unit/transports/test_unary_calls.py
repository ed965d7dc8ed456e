"""Unary methods over a real channel, in front of a scripted engine."""

from __future__ import annotations

import asyncio
import os
from typing import Any
from uuid import UUID

import asyncpg
import grpc
import pytest

from hatchet_engine.domain.errors import Code, KeyCollision, Refused
from hatchet_engine.domain.states import Status
from hatchet_engine.observe.runs import RunDetails, RunTask
from hatchet_engine.observe.times import LATEST_MS
from hatchet_engine.transports.grpc.servicers.methods import BIDI_STREAMS, SERVER_STREAMS, UNARY
from hatchet_engine.turn.commands import (
    CancelTasks,
    ChangeWorker,
    LeaveWorker,
    PauseRateLimit,
    PutRateLimit,
    PutWorkflow,
    RefreshTimeout,
    RegisteredWorkflow,
    RegisterWorker,
    ReleaseSlot,
    ReplayTasks,
    ReportTasks,
    TriggerRuns,
)
from hatchet_protocol import dispatcher as d
from hatchet_protocol import v1_workflows as w
from hatchet_protocol import workflows as v0
from hatchet_protocol.events import PutLogRequest, PutStreamEventRequest
from hatchet_protocol.services import METHODS
from hatchet_protocol.status import Status as WireStatus
from hatchet_protocol.times import new_timestamp, timestamp_ms
from hatchet_protocol.v1_trigger import TriggerWorkflowRequest
from tests.unit.transports.fake_engine import (
    GOOD,
    NOW_MS,
    TENANT,
    VERSION,
    WORKER,
    WORKFLOW,
    Served,
    served,
    task_id,
)

ID = str(task_id(1))


async def test_b2_get_version(line: Served) -> None:
    answer = await line.call("/Dispatcher/GetVersion", d.GetVersionRequest())
    assert answer.version == "v0.114.2"


async def test_b3_1_register(line: Served) -> None:
    line.engine.script[RegisterWorker] = WORKER
    request = d.WorkerRegisterRequest(worker_name="w", actions=["a:b"], slots=2)
    answer = await line.call("/Dispatcher/Register", request)
    assert (answer.tenant_id, answer.worker_id, answer.worker_name) == (
        str(TENANT),
        str(WORKER),
        "w",
    )
    (command,) = line.engine.commands
    assert (command.tenant_id, command.slots) == (TENANT, {"default": 2})


async def test_b4_3_heartbeat(line: Served) -> None:
    request = d.HeartbeatRequest(worker_id=str(WORKER))
    await line.call("/Dispatcher/Heartbeat", request)
    assert line.engine.heartbeats == [WORKER]
    assert line.engine.commands == []  # cheap: no turn
    for code in (Code.NOT_FOUND, Code.FAILED_PRECONDITION):
        line.engine.heartbeat_refusal = Refused(code, "why")
        assert await line.refusal("/Dispatcher/Heartbeat", request) == (code.name, "why")


async def test_b4_5_unsubscribe(line: Served) -> None:
    request = d.WorkerUnsubscribeRequest(worker_id=str(WORKER))
    answer = await line.call("/Dispatcher/Unsubscribe", request)
    assert (answer.tenant_id, answer.worker_id) == (str(TENANT), str(WORKER))
    assert line.engine.commands == [LeaveWorker(TENANT, WORKER)]


async def test_b3_2_upsert_worker_labels(line: Served) -> None:
    request = d.UpsertWorkerLabelsRequest(
        worker_id=str(WORKER), labels={"a": d.WorkerLabels(int_value=1)}
    )
    answer = await line.call("/Dispatcher/UpsertWorkerLabels", request)
    assert answer.worker_id == str(WORKER)
    assert line.engine.commands == [ChangeWorker(TENANT, WORKER, {"a": 1})]


async def test_b7_send_step_action_event(line: Served) -> None:
    line.engine.script[ReportTasks] = [True]
    event = d.StepActionEvent(worker_id="w", task_run_external_id=ID, event_type=2)
    answer = await line.call("/Dispatcher/SendStepActionEvent", event)
    assert (answer.tenant_id, answer.worker_id) == (str(TENANT), "w")


async def test_b7_1_unknown_task(line: Served) -> None:
    line.engine.script[ReportTasks] = [False]
    event = d.StepActionEvent(task_run_external_id=ID, event_type=2)
    code, text = await line.refusal("/Dispatcher/SendStepActionEvent", event)
    assert code == "INVALID_ARGUMENT"
    assert ID in text


async def test_b8_5_send_batch_action_event(line: Served) -> None:
    line.engine.script[ReportTasks] = [False]  # unknown members are passed over
    event = d.BatchActionEvent(worker_id="w", event_type=2)
    event.items.add(task_run_external_id=ID)
    answer = await line.call("/Dispatcher/SendBatchActionEvent", event)
    assert (answer.tenant_id, answer.worker_id) == (str(TENANT), "w")
    line.engine.commands.clear()
    await line.call("/Dispatcher/SendBatchActionEvent", d.BatchActionEvent(event_type=2))
    assert line.engine.commands == []


async def test_b17_2_refresh_timeout(line: Served) -> None:
    line.engine.script[RefreshTimeout] = NOW_MS
    request = d.RefreshTimeoutRequest(task_run_external_id=ID, increment_timeout_by="1m30s")
    answer = await line.call("/Dispatcher/RefreshTimeout", request)
    assert answer.timeout_at.seconds == NOW_MS // 1_000
    assert line.engine.commands == [RefreshTimeout(TENANT, task_id(1), 90_000)]
    bad = d.RefreshTimeoutRequest(task_run_external_id=ID, increment_timeout_by="90")
    code, text = await line.refusal("/Dispatcher/RefreshTimeout", bad)
    assert code == "INVALID_ARGUMENT"
    assert text.startswith("increment_timeout_by: '90' is not a duration")


async def test_b17_3_release_slot(line: Served) -> None:
    await line.call("/Dispatcher/ReleaseSlot", d.ReleaseSlotRequest(task_run_external_id=ID))
    assert line.engine.commands == [ReleaseSlot(TENANT, task_id(1))]


async def test_b18_put_overrides_data(line: Served) -> None:
    await line.call("/Dispatcher/PutOverridesData", d.OverridesData())
    assert line.engine.commands == []


@pytest.mark.parametrize("window", list(v0.RateLimitDuration))
async def test_b16_put_rate_limit(line: Served, window: v0.RateLimitDuration) -> None:
    request = v0.PutRateLimitRequest(key="api", limit=10, duration=window)
    await line.call("/WorkflowService/PutRateLimit", request)
    assert line.engine.commands == [PutRateLimit(TENANT, "api", 10, window.name)]


async def test_b16_put_rate_limit_refused(line: Served) -> None:
    path = "/WorkflowService/PutRateLimit"
    await line.call(path, v0.PutRateLimitRequest(key="api", limit=1))
    assert line.engine.commands == [PutRateLimit(TENANT, "api", 1, "SECOND")]  # proto default
    code, text = await line.refusal(path, v0.PutRateLimitRequest(key="nul\0", limit=1))
    assert (code, text) == ("INVALID_ARGUMENT", "key: holds the null character; remove it")
    line.engine.script[PutRateLimit] = Refused(Code.INVALID_ARGUMENT, "key: is required")
    refused = await line.refusal(path, v0.PutRateLimitRequest(limit=1))
    assert refused == ("INVALID_ARGUMENT", "key: is required")


async def test_b16_pause_rate_limit(line: Served) -> None:
    path = "/WorkflowService/PauseRateLimit"
    line.engine.script[PauseRateLimit] = NOW_MS + 90_001  # a longer pause was on
    request = v0.PauseRateLimitRequest(key="api", paused_until=new_timestamp(NOW_MS + 5_001))
    answer = await line.call(path, request)
    assert timestamp_ms(answer.paused_until) == NOW_MS + 90_001
    assert line.engine.commands == [PauseRateLimit(TENANT, "api", NOW_MS + 5_001)]
    for bad, text in (
        (v0.PauseRateLimitRequest(key="api"), "paused_until: is required"),
        (
            v0.PauseRateLimitRequest(key="api", paused_until=new_timestamp(-1)),
            "paused_until: must be between the years 1970 and 9999",
        ),
        (
            v0.PauseRateLimitRequest(key="api", paused_until=new_timestamp(LATEST_MS + 1)),
            "paused_until: must be between the years 1970 and 9999",
        ),
        (v0.PauseRateLimitRequest(key="\0", paused_until=new_timestamp(NOW_MS)), "key: holds"),
    ):
        code, found = await line.refusal(path, bad)
        assert (code, found.startswith(text)) == ("INVALID_ARGUMENT", True), found
    await line.call(
        path, v0.PauseRateLimitRequest(key="api", paused_until=new_timestamp(LATEST_MS))
    )
    assert line.engine.commands[-1] == PauseRateLimit(TENANT, "api", LATEST_MS)


async def test_b12_put_workflow(line: Served) -> None:
    line.engine.script[PutWorkflow] = RegisteredWorkflow(WORKFLOW, VERSION, 1, NOW_MS, True)
    task = w.CreateTaskOpts(readable_id="a", action="w:a")
    answer = await line.call(
        "/v1.AdminService/PutWorkflow", w.CreateWorkflowVersionRequest(name="w", tasks=[task])
    )
    assert (answer.id, answer.workflow_id) == (str(VERSION), str(WORKFLOW))


async def test_b12_4_legacy_put_workflow(line: Served) -> None:
    line.engine.script[PutWorkflow] = RegisteredWorkflow(WORKFLOW, VERSION, 1, NOW_MS, True)
    step = v0.CreateWorkflowStepOpts(readable_id="a", action="w:a")
    opts = v0.CreateWorkflowVersionOpts(name="w", jobs=[v0.CreateWorkflowJobOpts(steps=[step])])
    answer = await line.call("/WorkflowService/PutWorkflow", v0.PutWorkflowRequest(opts=opts))
    assert (answer.id, answer.workflow_id, answer.order) == (str(VERSION), str(WORKFLOW), 1)


async def test_b13_1_trigger_workflow(line: Served) -> None:
    line.engine.script[TriggerRuns] = [task_id(5)]
    answer = await line.call("/WorkflowService/TriggerWorkflow", TriggerWorkflowRequest(name="w"))
    assert answer.workflow_run_id == str(task_id(5))


def run_per_item(command: TriggerRuns) -> list[UUID]:
    return [task_id(number) for number, _ in enumerate(command.items)]


async def test_b13_4_bulk_trigger(line: Served) -> None:
    line.engine.script[TriggerRuns] = run_per_item
    items = [TriggerWorkflowRequest(name=f"w{number}") for number in range(3)]
    answer = await line.call(
        "/WorkflowService/BulkTriggerWorkflow", v0.BulkTriggerWorkflowRequest(workflows=items)
    )
    assert list(answer.workflow_run_ids) == [str(task_id(number)) for number in range(3)]
    assert [item.workflow for item in line.engine.commands[0].items] == ["w0", "w1", "w2"]


async def test_b13_4_bulk_trigger_of_nothing(line: Served) -> None:
    answer = await line.call(
        "/WorkflowService/BulkTriggerWorkflow", v0.BulkTriggerWorkflowRequest()
    )
    assert list(answer.workflow_run_ids) == []
    assert line.engine.commands == []


async def test_b13_4_one_bad_item_refuses_all_and_is_named(line: Served) -> None:
    bad = TriggerWorkflowRequest(name="w", desired_worker_id="x")
    request = v0.BulkTriggerWorkflowRequest(workflows=[TriggerWorkflowRequest(name="w"), bad])
    code, text = await line.refusal("/WorkflowService/BulkTriggerWorkflow", request)
    assert (code, text) == (
        "INVALID_ARGUMENT",
        "workflows[1]: desired_worker_id: 'x' is not a UUID",
    )
    assert line.engine.commands == []
    line.engine.script[TriggerRuns] = Refused(Code.INVALID_ARGUMENT, "input: no", index=1)
    request = v0.BulkTriggerWorkflowRequest(workflows=[TriggerWorkflowRequest(name="w")] * 2)
    _, text = await line.refusal("/WorkflowService/BulkTriggerWorkflow", request)
    assert text == "workflows[1]: input: no"


async def test_b14_1_cancel_and_b14_2_replay(line: Served) -> None:
    line.engine.script[CancelTasks] = [task_id(1)]
    line.engine.script[ReplayTasks] = [task_id(2)]
    cancelled = await line.call(
        "/v1.AdminService/CancelTasks", w.CancelTasksRequest(external_ids=[ID])
    )
    replayed = await line.call(
        "/v1.AdminService/ReplayTasks", w.ReplayTasksRequest(external_ids=[ID])
    )
    assert list(cancelled.cancelled_tasks) == [ID]
    assert list(replayed.replayed_tasks) == [str(task_id(2))]
    code, _ = await line.refusal("/v1.AdminService/CancelTasks", w.CancelTasksRequest())
    assert code == "INVALID_ARGUMENT"


async def test_b14_3_trigger_workflow_run(line: Served) -> None:
    line.engine.script[TriggerRuns] = [task_id(5)]
    answer = await line.call(
        "/v1.AdminService/TriggerWorkflowRun",
        w.TriggerWorkflowRunRequest(workflow_name="w", input=b"{}"),
    )
    assert answer.external_id == str(task_id(5))


async def test_b14_4_get_run_details(line: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run_details(pool: Any, tenant_id: UUID, id: UUID) -> RunDetails | None:
        assert tenant_id == TENANT
        if id != task_id(1):
            return None
        task = RunTask(id, "a", Status.COMPLETED, "{}", None)
        return RunDetails(id, Status.COMPLETED, "{}", "", True, [task])

    monkeypatch.setattr("hatchet_engine.observe.runs.run_details", run_details)
    path = "/v1.AdminService/GetRunDetails"
    answer = await line.call(path, w.GetRunDetailsRequest(external_id=ID))
    assert answer.done
    assert answer.task_runs["a"].output == b"{}"
    unknown = w.GetRunDetailsRequest(external_id=str(task_id(2)))
    assert (await line.refusal(path, unknown))[0] == "NOT_FOUND"
    bad = w.GetRunDetailsRequest(external_id="x")
    assert (await line.refusal(path, bad))[0] == "INVALID_ARGUMENT"


async def test_answers_over_the_limit_are_refused_with_a_remedy(
    line: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run_details(pool: Any, tenant_id: UUID, id: UUID) -> RunDetails:
        return RunDetails(id, Status.COMPLETED, "x" * 2_000_000, "", True, [])

    monkeypatch.setattr("hatchet_engine.observe.runs.run_details", run_details)
    request = w.GetRunDetailsRequest(external_id=ID)
    code, text = await line.refusal("/v1.AdminService/GetRunDetails", request)
    assert code == "RESOURCE_EXHAUSTED"
    assert "REST" in text


async def test_b15_2_put_log(line: Served) -> None:
    await line.call(
        "/EventsService/PutLog", PutLogRequest(task_run_external_id=ID, message="m", level="WARN")
    )
    (one,) = line.engine.logs.lines
    assert (one.task_id, one.message, one.level, one.at_ms) == (task_id(1), "m", "WARN", NOW_MS)


async def test_b15_3_put_stream_event(line: Served) -> None:
    path = "/EventsService/PutStreamEvent"
    await line.call(
        path, PutStreamEventRequest(task_run_external_id=ID, message=b"a\xff", event_index=0)
    )
    await line.call(path, PutStreamEventRequest(task_run_external_id=ID, message=b"b"))
    assert line.engine.streams.put_calls == [
        (TENANT, task_id(1), b"a\xff", 0, None),
        (TENANT, task_id(1), b"b", None, None),
    ]
    line.engine.streams.refusal = Refused(Code.NOT_FOUND, "no such task")
    request = PutStreamEventRequest(task_run_external_id=ID, message=b"c")
    assert await line.refusal(path, request) == ("NOT_FOUND", "no such task")


async def test_b15_3_a_full_lane_makes_the_caller_wait(line: Served) -> None:
    line.engine.streams.room.clear()
    request = PutStreamEventRequest(task_run_external_id=ID, message=b"a", event_index=0)
    call = asyncio.create_task(line.call("/EventsService/PutStreamEvent", request))
    await line.call("/Dispatcher/GetVersion", d.GetVersionRequest())
    assert not call.done()
    line.engine.streams.room.set()
    await call
    assert len(line.engine.streams.put_calls) == 1


@pytest.mark.parametrize("taken_over", [False, True])
async def test_b15_3_an_answered_chunk_is_stored(line: Served, taken_over: bool) -> None:
    streams = line.engine.streams
    streams.hold_stored = True
    request = PutStreamEventRequest(task_run_external_id=ID, message=b"a", event_index=0)
    path = "/EventsService/PutStreamEvent"
    call = asyncio.create_task(
        line.refusal(path, request) if taken_over else line.call(path, request)
    )
    while not streams.storing:
        await line.call("/Dispatcher/GetVersion", d.GetVersionRequest())
    assert not call.done()
    [(attempts, stored)] = streams.storing
    assert attempts == {(task_id(1), 0)}
    if taken_over:
        stored.cancel()
        code, text = await call
        assert code == "UNAVAILABLE"  # so SDKs send it again
        assert "try again" in text
    else:
        stored.set_result(None)
        await call


# ------------------------------------------------------------------ what goes wrong


@pytest.mark.parametrize("path", sorted(METHODS))
async def test_c2_every_method_wants_a_token(line: Served, path: str) -> None:
    spec = METHODS[path]
    for metadata in ((), (("authorization", "bearer bad"),), (("authorization", ""),)):
        call: Any
        if spec.client_streaming:
            call = line.channel.stream_stream(path)(metadata=metadata, timeout=10)
        elif spec.server_streaming:
            call = line.channel.unary_stream(path)(b"", metadata=metadata, timeout=10)
        else:
            call = line.channel.unary_unary(path)(b"", metadata=metadata, timeout=10)
        assert await call.code() is grpc.StatusCode.UNAUTHENTICATED
        assert await call.details() == "invalid auth token"
    assert line.engine.commands == []


NOT_OFFERED = sorted(set(METHODS) - set(UNARY) - set(SERVER_STREAMS) - set(BIDI_STREAMS))


@pytest.mark.parametrize("path", NOT_OFFERED)
async def test_other_methods_are_unimplemented_with_a_text(line: Served, path: str) -> None:
    call: Any
    if METHODS[path].client_streaming:
        call = line.channel.stream_stream(path)(metadata=line.metadata, timeout=10)
    else:
        call = line.channel.unary_unary(path)(b"", metadata=line.metadata, timeout=10)
    assert await call.code() is grpc.StatusCode.UNIMPLEMENTED
    assert (await call.details()).startswith(path[1:].replace("/", "."))


async def test_c7_unknown_services_are_unimplemented(line: Served) -> None:
    path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await line.raw(path, b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("path", sorted(UNARY))
async def test_malformed_bytes_are_refused(line: Served, path: str) -> None:
    for garbage in (b"\xff\xff\xff\xff", b"\x0a\xff", os.urandom(200) + b"\x0a\xff"):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await line.raw(path, garbage)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "can't be parsed" in (caught.value.details() or "")
    await line.call("/Dispatcher/GetVersion", d.GetVersionRequest())


async def test_oversized_messages_are_refused_and_the_server_lives(line: Served) -> None:
    request = TriggerWorkflowRequest(name="w", input="x" * 1_100_000)
    code, _ = await line.refusal("/WorkflowService/TriggerWorkflow", request)
    assert code == "RESOURCE_EXHAUSTED"
    await line.call("/Dispatcher/GetVersion", d.GetVersionRequest())


@pytest.mark.parametrize("code", list(Code))
async def test_c9_refusals_keep_their_code(line: Served, code: Code) -> None:
    line.engine.script[TriggerRuns] = Refused(code, "what to do")
    request = TriggerWorkflowRequest(name="w")
    assert await line.refusal("/WorkflowService/TriggerWorkflow", request) == (
        code.name,
        "what to do",
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyError("secret"), "INTERNAL"),
        (AssertionError("secret"), "INTERNAL"),
        (ConnectionRefusedError("secret"), "UNAVAILABLE"),
        (TimeoutError("secret"), "UNAVAILABLE"),
        (asyncpg.CannotConnectNowError("secret"), "UNAVAILABLE"),
        (asyncpg.InterfaceError("secret"), "UNAVAILABLE"),
    ],
)
async def test_c9_other_errors_tell_nothing(line: Served, error: Exception, code: str) -> None:
    line.engine.script[TriggerRuns] = error
    request = TriggerWorkflowRequest(name="w")
    status, text = await line.refusal("/WorkflowService/TriggerWorkflow", request)
    assert status == code
    assert "secret" not in text
    if code == "INTERNAL":
        assert text == "An internal error occurred."


@pytest.mark.parametrize("scheme", ["bearer", "Bearer"])
async def test_c2_the_token_reaches_the_authenticator_as_sent(line: Served, scheme: str) -> None:
    header = GOOD.replace("bearer", scheme)
    line.authenticator.good = {header}
    await line.call(
        "/Dispatcher/GetVersion", d.GetVersionRequest(), metadata=(("authorization", header),)
    )


async def test_c5_gzip_requests(line: Served) -> None:
    line.engine.script[TriggerRuns] = [task_id(1)]
    await line.call(
        "/WorkflowService/TriggerWorkflow",
        TriggerWorkflowRequest(name="w", input='{"x":"' + "y" * 10_000 + '"}'),
        compression=grpc.Compression.Gzip,
    )


def frame(kind: int, payload: bytes = b"") -> bytes:
    """An HTTP/2 frame on stream 0."""
    return len(payload).to_bytes(3, "big") + bytes([kind, 0]) + bytes(4) + payload


async def test_c5_pinging_clients_are_not_thrown_out(line: Served) -> None:
    # By hand, because gRPC clients ping no faster than every 10 s. The library's own limit is
    # two pings in five minutes; a third one would get GOAWAY.
    settings, ping, goaway, pings = 4, 6, 7, 20
    reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(settings))
    answered = 0
    async with asyncio.timeout(5):
        for _ in range(pings):
            writer.write(frame(ping, b"12345678"))
            await asyncio.sleep(0.005)
        while answered < pings:
            head = await reader.readexactly(9)
            await reader.readexactly(int.from_bytes(head[:3], "big"))
            assert head[3] != goaway
            answered += head[3] == ping and bool(head[4] & 1)
    writer.close()
    await writer.wait_closed()


async def test_a_taken_port_is_an_os_error(line: Served) -> None:
    with pytest.raises(OSError, match=str(line.port)):
        async with served(grpc_port=line.port):
            pass


async def test_c6_2_calls_under_way_finish_at_a_stop(line: Served) -> None:
    line.engine.script[TriggerRuns] = [task_id(1)]
    line.engine.hold = asyncio.Event()
    call = asyncio.create_task(
        line.call("/WorkflowService/TriggerWorkflow", TriggerWorkflowRequest(name="w"))
    )
    await line.engine.command(TriggerRuns)
    stopping = asyncio.create_task(line.server.stop(5))
    await asyncio.sleep(0.05)
    line.engine.hold.set()
    assert (await call).workflow_run_id == ID
    await stopping


# ------------------------------------------------------------------ idempotency keys

TRIGGERS = {
    "/WorkflowService/TriggerWorkflow": TriggerWorkflowRequest(name="a", input="{}"),
    "/v1.AdminService/TriggerWorkflowRun": w.TriggerWorkflowRunRequest(workflow_name="a"),
}


async def key_collision(line: Served, path: str, request: Any) -> tuple[str, bytes]:
    """Name and content of the detail that comes with a refusal."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await line.call(path, request)
    error = caught.value
    assert error.code() is grpc.StatusCode.ALREADY_EXISTS
    assert error.details() == "idempotency key collision"
    trailers = dict(error.trailing_metadata() or ())
    status = WireStatus.FromString(trailers["grpc-status-details-bin"])
    assert (status.code, status.message) == (6, "idempotency key collision")
    (detail,) = status.details
    assert detail.type_url.startswith("type.googleapis.com/v1.")
    return detail.type_url.rpartition(".")[2], detail.value


@pytest.mark.parametrize("path", list(TRIGGERS))
async def test_id_3_a_taken_key(line: Served, path: str) -> None:
    line.engine.script[TriggerRuns] = KeyCollision([task_id(1)], {0: task_id(2)})
    name, value = await key_collision(line, path, TRIGGERS[path])
    assert name == "IdempotencyCollisionError"
    told = w.IdempotencyCollisionError.FromString(value)
    assert told.existing_run_external_id == str(task_id(2))


def bulk_request(count: int) -> v0.BulkTriggerWorkflowRequest:
    return v0.BulkTriggerWorkflowRequest(
        workflows=[TriggerWorkflowRequest(name="a", input="{}")] * count
    )


async def bulk_collision(line: Served, count: int) -> w.BulkTriggerIdempotencyCollisionError:
    name, value = await key_collision(
        line, "/WorkflowService/BulkTriggerWorkflow", bulk_request(count)
    )
    assert name == "BulkTriggerIdempotencyCollisionError"
    return w.BulkTriggerIdempotencyCollisionError.FromString(value)


async def test_id_4_taken_keys_of_a_bulk(line: Served) -> None:
    ids = [task_id(number) for number in range(3)]
    line.engine.script[TriggerRuns] = KeyCollision(ids, {1: task_id(9)})
    told = await bulk_collision(line, 3)
    assert told.successful_workflow_run_external_ids == [str(ids[0]), str(ids[2])]
    (one,) = told.collisions
    assert one.existing_run_external_id == str(task_id(9))
    assert one.colliding_run_external_id == str(ids[1])


@pytest.mark.parametrize("taken", [1, 40, 999, 1_000])
async def test_id_4_so_many_that_a_client_would_not_take_them(line: Served, taken: int) -> None:
    """The first are told: an error of another kind would say less."""
    ids = [task_id(number) for number in range(1_000)]
    holders = {number: task_id(5_000 + number) for number in range(taken)}
    line.engine.script[TriggerRuns] = KeyCollision(ids, holders)
    told = await bulk_collision(line, 1_000)
    collisions = [one.existing_run_external_id for one in told.collisions]
    successes = list(told.successful_workflow_run_external_ids)
    assert collisions == [str(id_) for id_ in holders.values()][: len(collisions)]
    assert successes == [str(id_) for id_ in ids[taken:]][: len(successes)]
    assert len(collisions) == min(taken, 49)
    assert len(collisions) * 79 + len(successes) * 38 > 3_500 or len(successes) == 1_000 - taken
