"""Streams of the official protocol over a real channel."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog.testing

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.domain.states import Status
from hatchet_engine.transports.grpc.servicers import dispatcher
from hatchet_engine.turn.commands import CloseStream, OpenStream, ReportKind, ReportTasks
from hatchet_protocol import dispatcher as d
from tests.unit.transports.fake_engine import (
    TENANT,
    WORKER,
    Served,
    assigned,
    cancel,
    ended,
    result,
    task_id,
)

RUN = task_id(1)
ID = str(RUN)
LISTEN = "/Dispatcher/ListenV2"
RUNS = "/Dispatcher/SubscribeToWorkflowRuns"
EVENTS = "/Dispatcher/SubscribeToWorkflowEvents"


async def opened(line: Served, path: str = LISTEN) -> tuple[Any, OpenStream]:
    """A worker's stream, and the engine's command for it."""
    call = line.listen(path, d.WorkerListenRequest(worker_id=str(WORKER)))
    return call, await line.engine.command(OpenStream)


# ------------------------------------------------------------------ workers


async def test_b4_1_actions_one_per_message_in_order(line: Served) -> None:
    call, command = await opened(line)
    assert (command.tenant_id, command.worker_id, command.held) == (TENANT, WORKER, None)
    command.session.deliver([assigned(1), assigned(2)], [cancel(1)])
    seen = [await call.read() for _ in range(3)]
    assert [(one.action_type, one.task_run_external_id) for one in seen] == [
        (d.ActionType.START_STEP_RUN, str(task_id(1))),
        (d.ActionType.START_STEP_RUN, str(task_id(2))),
        (d.ActionType.CANCEL_STEP_RUN, str(task_id(1))),
    ]
    command.session.deliver([assigned(3)], [])
    assert (await call.read()).task_run_external_id == str(task_id(3))


async def test_b4_1_bad_and_unknown_workers(line: Served) -> None:
    bad = line.listen(LISTEN, d.WorkerListenRequest(worker_id="x"))
    assert (await ended(bad))[0] == "INVALID_ARGUMENT"
    line.engine.script[OpenStream] = Refused(Code.NOT_FOUND, "worker not found")
    call, _ = await opened(line)
    assert await ended(call) == ("NOT_FOUND", "worker not found")


async def test_c6_1_the_engine_closes_a_stream_with_ok(line: Served) -> None:
    call, command = await opened(line)
    command.session.deliver([assigned(1)], [])
    command.session.close("a newer stream was opened")
    assert (await call.read()).task_run_external_id == ID  # what was delivered still goes
    assert (await ended(call))[0] == "OK"
    closed = await line.engine.command(CloseStream)
    assert closed.session is command.session


@pytest.mark.parametrize("how", ["cancel", "channel"])
async def test_a_stream_that_the_client_ends_is_closed_in_the_engine(
    line: Served, how: str
) -> None:
    call, command = await opened(line)
    if how == "cancel":
        call.cancel()
    else:
        await line.channel.close()
    closed = await line.engine.command(CloseStream)
    assert closed.session is command.session


async def test_a_client_that_is_lost_while_it_is_written_to(line: Served) -> None:
    call, command = await opened(line)
    big = '{"x":"' + "x" * 500_000 + '"}'
    command.session.deliver([assigned(number, input=big) for number in range(100)], [])
    await call.read()
    with structlog.testing.capture_logs() as logs:
        await line.channel.close()
        closed = await line.engine.command(CloseStream)
        await asyncio.sleep(0.05)
    assert closed.session is command.session
    assert logs == []  # clients come and go: nothing to tell


async def test_c6_3_streams_end_with_ok_at_a_stop(line: Served) -> None:
    worker, _ = await opened(line)
    waiter, session = line.open(RUNS), line.open("/hatchet.session.v1.Session/Connect")
    await waiter.write(d.SubscribeToWorkflowRunsRequest(workflow_run_id=ID))
    while not line.engine.subscriptions.subscribed:
        await asyncio.sleep(0.01)
    ends = [asyncio.create_task(ended(call)) for call in (worker, waiter, session)]
    async with asyncio.timeout(5):
        while len(line.server._streams) < 3:
            await asyncio.sleep(0.01)
    async with asyncio.timeout(2):
        await line.server.stop(10)
    assert [await end for end in ends] == [("OK", "")] * 3
    late = line.listen(LISTEN, d.WorkerListenRequest(worker_id=str(WORKER)))
    assert (await ended(late))[0] == "UNAVAILABLE"


async def test_c2_a_revoked_token_ends_its_streams(line: Served) -> None:
    call, _ = await opened(line)
    streams = line.server._streams
    await streams.recheck()
    assert len(streams) == 1
    line.authenticator.good = set()
    await streams.recheck()
    assert await ended(call) == ("UNAUTHENTICATED", "invalid auth token")
    await line.engine.command(CloseStream)


async def test_b4_2_legacy_listen_beats_by_itself(
    line: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "LISTEN_HEARTBEAT_S", 0.01)
    call, command = await opened(line, "/Dispatcher/Listen")
    while len(line.engine.heartbeats) < 3:
        await asyncio.sleep(0.01)
    command.session.close("enough")
    assert (await ended(call))[0] == "OK"
    await line.engine.command(CloseStream)
    beats = len(line.engine.heartbeats)
    await asyncio.sleep(0.05)
    assert len(line.engine.heartbeats) == beats


async def test_e2_22_a_start_that_is_too_large_fails_its_task(line: Served) -> None:
    line.engine.script[ReportTasks] = [True]
    call, command = await opened(line)
    big = '{"x":"' + "x" * 1_100_000 + '"}'
    command.session.deliver([assigned(1, input=big), assigned(2)], [])
    assert (await call.read()).task_run_external_id == str(task_id(2))
    (report,) = (await line.engine.command(ReportTasks)).reports
    assert (report.task_id, report.attempt, report.kind) == (RUN, 0, ReportKind.FAILED)
    assert report.should_not_retry
    assert "the limit is 1048576" in report.payload


# ------------------------------------------------------------------ results


async def subscriber(line: Served, count: int) -> Any:
    """Whoever subscribed, once ``count`` ids have come."""
    async with asyncio.timeout(5):
        while len(line.engine.subscriptions.subscribed) < count:
            await asyncio.sleep(0.005)
    return line.engine.subscriptions.subscribed[-1][1]


async def test_b9_results_come_once_per_question(line: Served) -> None:
    call = line.open(RUNS)
    for id in (ID, "no uuid", str(task_id(2)).upper()):
        await call.write(d.SubscribeToWorkflowRunsRequest(workflow_run_id=id))
    waiting = await subscriber(line, 2)
    assert [ids for _, _, ids in line.engine.subscriptions.subscribed] == [[RUN], [task_id(2)]]
    waiting.deliver_results([result(1), result(2, Status.FAILED, None, "boom")])
    first, second = await call.read(), await call.read()
    assert (first.workflow_run_id, first.results[0].output) == (ID, '{"y":2}')
    # The client finds its waiter by the text it sent.
    assert (second.workflow_run_id, second.results[0].error) == (str(task_id(2)).upper(), "boom")
    await call.write(d.SubscribeToWorkflowRunsRequest(workflow_run_id=ID))
    assert await subscriber(line, 3) is waiting


async def test_b9_half_close_ends_with_ok(line: Served) -> None:
    call = line.open(RUNS)
    await call.write(d.SubscribeToWorkflowRunsRequest(workflow_run_id=ID))
    waiting = await subscriber(line, 1)
    waiting.deliver_results([result(1)])
    await call.done_writing()
    assert (await call.read()).workflow_run_id == ID
    assert (await ended(call))[0] == "OK"
    assert line.engine.subscriptions.unsubscribed == [(waiting, None)]


async def test_b9_malformed_messages(line: Served) -> None:
    call = line.channel.stream_stream(RUNS)(metadata=line.metadata, timeout=10)
    await call.write(b"\x0a\xff")
    code, text = await ended(call)
    assert code == "INVALID_ARGUMENT"
    assert "can't be parsed" in text


async def test_b9_a_client_that_goes_is_forgotten(line: Served) -> None:
    call = line.open(RUNS)
    await call.write(d.SubscribeToWorkflowRunsRequest(workflow_run_id=ID))
    waiting = await subscriber(line, 1)
    call.cancel()
    async with asyncio.timeout(5):
        while (waiting, None) not in line.engine.subscriptions.unsubscribed:
            await asyncio.sleep(0.005)
