"""Session.Connect over a real channel: frames in, frames out."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import grpc
import pytest

from hatchet_engine.domain.errors import Code, KeyCollision, Refused
from hatchet_engine.transports.grpc import session_stream
from hatchet_engine.turn.commands import (
    ChangeWorker,
    CloseStream,
    LeaveWorker,
    OpenStream,
    RefreshTimeout,
    RegisterWorker,
    ReleaseSlot,
    ReportTasks,
    TriggerRuns,
)
from hatchet_protocol import session as s
from tests.unit.transports.fake_engine import (
    NOW_MS,
    TENANT,
    WORKER,
    Served,
    assigned,
    cancel,
    ended,
    result,
    task_id,
)

PATH = "/hatchet.session.v1.Session/Connect"
RAW = task_id(1).bytes


async def connected(line: Served) -> Any:
    """A session that was welcomed."""
    call = line.open(PATH)
    await call.write(s.ClientFrame(hello=s.Hello(language="python", sdk_version="1")))
    welcome = (await call.read()).welcome
    assert welcome.tenant_id == TENANT.bytes
    return call


async def joined(line: Served) -> tuple[Any, OpenStream]:
    """A session with a worker."""
    line.engine.script[RegisterWorker] = WORKER
    call = await connected(line)
    await call.write(s.ClientFrame(register_worker=s.RegisterWorker(name="w", actions=["a:b"])))
    answer = (await call.read()).worker_registered
    assert (answer.worker_id, answer.resumed) == (WORKER.bytes, False)
    return call, await line.engine.command(OpenStream)


def run_per_item(command: TriggerRuns) -> list[UUID]:
    return [task_id(number) for number, _ in enumerate(command.items)]


def trigger(request_id: int, count: int = 1, **fields: Any) -> s.Trigger:
    items = [s.TriggerItem(workflow="w", input=f'{{"n":{n}}}') for n in range(count)]
    return s.Trigger(request_id=request_id, items=items, **fields)


async def test_welcome_tells_the_limits(line: Served) -> None:
    call = line.open(PATH)
    await call.write(s.ClientFrame(hello=s.Hello()))
    welcome = (await call.read()).welcome
    assert welcome.heartbeat_interval_ms == 4_000
    assert welcome.max_frame_bytes == 1024 * 1024 - 64 * 1024
    assert welcome.max_payload_bytes == 1024 * 1024 - 64 * 1024
    assert welcome.engine_version


async def test_the_first_frame_must_carry_hello(line: Served) -> None:
    call = line.open(PATH)
    await call.write(s.ClientFrame(triggers=[trigger(1)]))
    code, text = await ended(call)
    assert code == "INVALID_ARGUMENT"
    assert "hello" in text
    assert line.engine.commands == []


async def test_hello_must_come_soon(line: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_stream, "HELLO_TIMEOUT_S", 0.05)
    code, text = await ended(line.open(PATH))
    assert code == "INVALID_ARGUMENT"
    assert "first frame" in text


@pytest.mark.parametrize("first", [True, False])
async def test_malformed_frames_end_the_stream_with_a_text(line: Served, first: bool) -> None:
    call = line.channel.stream_stream(PATH)(metadata=line.metadata, timeout=10)
    if not first:
        await call.write(s.ClientFrame(hello=s.Hello()).SerializeToString())
        await call.read()
    await call.write(b"\x0a\xff")
    code, text = await ended(call)
    assert code == "INVALID_ARGUMENT"
    assert "can't be parsed" in text


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (s.ClientFrame(reports=[s.Report(task_id=b"x", kind=2)], seq=1), "reports.task_id"),
        (s.ClientFrame(reports=[s.Report(task_id=RAW)], seq=1), "reports.kind"),
        (s.ClientFrame(subscribe=[b"x"]), "subscribe: an id is 16 bytes"),
        (s.ClientFrame(worker_change=s.WorkerChange(leave=True)), "has no worker"),
    ],
)
async def test_frames_that_break_the_protocol(
    line: Served, frame: s.ClientFrame, text: str
) -> None:
    call = await connected(line)
    await call.write(frame)
    code, why = await ended(call)
    assert code == "INVALID_ARGUMENT"
    assert text in why


# ------------------------------------------------------------------ triggers


async def test_triggers_of_a_frame_share_a_turn_and_a_frame(line: Served) -> None:
    line.engine.script[TriggerRuns] = run_per_item
    call = await connected(line)
    await call.write(s.ClientFrame(triggers=[trigger(number, 2) for number in range(1, 65)]))
    frame = await call.read()
    assert [reply.request_id for reply in frame.trigger_replies] == list(range(1, 65))
    assert frame.trigger_replies[0].run_ids == [task_id(0).bytes, task_id(1).bytes]
    assert line.engine.turn_sizes == [64]


async def test_replies_gather_while_commits_are_under_way(line: Served) -> None:
    line.engine.script[TriggerRuns] = run_per_item
    line.engine.hold = asyncio.Event()
    call = await connected(line)
    for number in range(1, 11):
        await call.write(s.ClientFrame(triggers=[trigger(number)]))
    await line.engine.command(TriggerRuns, 10)
    line.engine.hold.set()
    assert len((await call.read()).trigger_replies) == 10


async def test_a_bad_trigger_gets_its_error_and_the_others_their_runs(line: Served) -> None:
    def decide(command: TriggerRuns) -> Any:
        if command.items[0].input == "bad":
            return Refused(Code.INVALID_ARGUMENT, "input: no", index=0)
        if command.items[0].input == "worse":
            return RuntimeError("secret")
        return [task_id(1)]

    line.engine.script[TriggerRuns] = decide
    call = await connected(line)
    items = {
        1: s.TriggerItem(workflow="w"),
        2: s.TriggerItem(workflow="w", input="bad"),
        3: s.TriggerItem(workflow="w", parent_task_id=b"x"),
        4: s.TriggerItem(workflow="w", input="worse"),
    }
    triggers = [s.Trigger(request_id=id, items=[item]) for id, item in items.items()]
    await call.write(s.ClientFrame(triggers=[*triggers, s.Trigger(request_id=5)]))
    replies: dict[int, s.TriggerReply] = {}
    while len(replies) < 5:
        for reply in (await call.read()).trigger_replies:
            replies[reply.request_id] = reply
    assert replies[1].run_ids == [RAW]
    assert (replies[2].error.code, replies[2].error.message) == (3, "input: no")
    assert "parent_task_id" in replies[3].error.message
    assert (replies[4].error.code, replies[4].error.message) == (13, "An internal error occurred.")
    assert not replies[5].HasField("error")


async def test_id_4_items_whose_keys_are_taken(line: Served) -> None:
    """No error: the others were created, and the client is told which are which."""
    ids = [task_id(number) for number in range(3)]
    line.engine.script[TriggerRuns] = KeyCollision(ids, {1: task_id(9)})
    call = await connected(line)
    await call.write(s.ClientFrame(triggers=[trigger(1, 3)]))
    (reply,) = (await call.read()).trigger_replies
    assert not reply.HasField("error")
    assert reply.run_ids == [id_.bytes for id_ in ids]
    (collision,) = reply.collisions
    assert (collision.index, collision.existing_run_id) == (1, task_id(9).bytes)


async def greeted(line: Served, instance: bytes) -> Any:
    call = line.open(PATH)
    await call.write(s.ClientFrame(hello=s.Hello(instance=instance)))
    assert (await call.read()).welcome.tenant_id == TENANT.bytes
    return call


async def test_what_an_older_stream_of_the_client_carries_is_not_looked_at(line: Served) -> None:
    """It has been sent again, so it must not be taken after its repeat."""
    line.engine.script[TriggerRuns] = run_per_item
    older = await greeted(line, b"one")
    other = await greeted(line, b"two")
    newer = await greeted(line, b"one")
    assert await older.read() == grpc.aio.EOF
    assert (await older.code()) is grpc.StatusCode.OK
    repeat = trigger(1, origin=7, resent_after_ms=5)
    for call in (newer, other):
        await call.write(s.ClientFrame(triggers=[repeat]))
        assert len((await call.read()).trigger_replies) == 1
    first, _ = line.engine.commands
    assert (first.origin, first.resent_ms) == (7, 5)
    await newer.done_writing()
    assert await newer.read() == grpc.aio.EOF
    again = await greeted(line, b"one")
    await again.write(s.ClientFrame(triggers=[trigger(1)]))
    assert len((await again.read()).trigger_replies) == 1
    assert (line.engine.commands[-1].origin, line.engine.commands[-1].resent_ms) == (None, None)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"origin": 1 << 62}, "origin"),
        ({"origin": 1, "resent_after_ms": -1}, "resent_after_ms"),
        ({"origin": 1, "resent_after_ms": 600_001}, "resent_after_ms"),
    ],
)
async def test_repeats_out_of_bounds(line: Served, fields: dict[str, int], word: str) -> None:
    call = await connected(line)
    await call.write(s.ClientFrame(triggers=[trigger(1, **fields)]))
    (reply,) = (await call.read()).trigger_replies
    assert (reply.error.code, reply.error.message.split(":")[0]) == (3, word)


async def test_repeats_at_the_bounds(line: Served) -> None:
    line.engine.script[TriggerRuns] = run_per_item
    call = await connected(line)
    edge = {"origin": (1 << 62) - 1, "resent_after_ms": 600_000}
    await call.write(s.ClientFrame(triggers=[trigger(1, **edge)]))
    (reply,) = (await call.read()).trigger_replies
    assert not reply.HasField("error")


async def test_subscribe_with_the_trigger_and_apart(line: Served) -> None:
    line.engine.script[TriggerRuns] = run_per_item
    call = await connected(line)
    await call.write(s.ClientFrame(triggers=[trigger(1, subscribe=True)], subscribe=[RAW]))
    command = await line.engine.command(TriggerRuns)
    await call.read()
    (subscribed,) = line.engine.subscriptions.subscribed
    assert subscribed == (TENANT, command.subscriber, [task_id(1)])
    command.subscriber.deliver_results([result(1), result(2)])
    frame = await call.read()
    assert [one.run_id for one in frame.results] == [RAW, task_id(2).bytes]
    await call.write(s.ClientFrame(unsubscribe=[RAW]))
    async with asyncio.timeout(5):
        while not line.engine.subscriptions.unsubscribed:
            await asyncio.sleep(0.005)
    assert line.engine.subscriptions.unsubscribed == [(command.subscriber, [task_id(1)])]


# ------------------------------------------------------------------ the worker


async def test_a_worker_joins_works_and_is_acknowledged(line: Served) -> None:
    line.engine.script[ReportTasks] = [True, True]
    call, command = await joined(line)
    assert list(command.held or []) == []
    command.session.deliver([assigned(1), assigned(2)], [cancel(3)])
    frame = await call.read()
    assert (len(frame.assignments), len(frame.cancellations)) == (2, 1)
    reports = [
        s.Report(task_id=one.task_id, attempt=one.attempt, kind=2, payload="{}")
        for one in frame.assignments
    ]
    await call.write(s.ClientFrame(reports=reports, seq=1))
    assert (await call.read()).acked_seq == 1
    assert len((await line.engine.command(ReportTasks)).reports) == 2
    assert line.engine.heartbeats == [WORKER] * 2  # every frame is a sign of life


async def test_assignments_never_come_before_the_workers_id(line: Served) -> None:
    line.engine.script[RegisterWorker] = WORKER

    def open_stream(command: OpenStream) -> None:
        command.session.deliver([assigned(1)], [])

    line.engine.script[OpenStream] = open_stream
    call = await connected(line)
    await call.write(s.ClientFrame(register_worker=s.RegisterWorker(name="w")))
    seen = []
    while not seen or not seen[-1].assignments:
        seen.append(await call.read())
    assert seen[0].HasField("worker_registered")


async def test_resume_keeps_the_id_and_tells_what_is_held(line: Served) -> None:
    call = await connected(line)
    message = s.RegisterWorker(
        name="w", resume_worker_id=WORKER.bytes, held=[s.HeldTask(task_id=RAW, attempt=2)]
    )
    await call.write(s.ClientFrame(register_worker=message))
    answer = (await call.read()).worker_registered
    assert (answer.worker_id, answer.resumed) == (WORKER.bytes, True)
    (command,) = line.engine.commands
    assert command.held == [(task_id(1), 2)]


async def test_resume_of_an_unknown_worker_registers_a_new_one(line: Served) -> None:
    new = task_id(77)
    line.engine.script[RegisterWorker] = new

    def open_stream(command: OpenStream) -> Any:
        return Refused(Code.NOT_FOUND, "gone") if command.worker_id == WORKER else None

    line.engine.script[OpenStream] = open_stream
    call = await connected(line)
    message = s.RegisterWorker(name="w", resume_worker_id=WORKER.bytes)
    await call.write(s.ClientFrame(register_worker=message))
    answer = (await call.read()).worker_registered
    assert (answer.worker_id, answer.resumed) == (new.bytes, False)


async def test_a_refused_worker_leaves_the_stream_open(line: Served) -> None:
    line.engine.script[RegisterWorker] = Refused(Code.INVALID_ARGUMENT, "worker_name: no")
    line.engine.script[TriggerRuns] = run_per_item
    call = await connected(line)
    await call.write(s.ClientFrame(register_worker=s.RegisterWorker(), triggers=[trigger(1)]))
    frame = await call.read()
    assert frame.worker_registered.error.message == "worker_name: no"
    if not frame.trigger_replies:
        frame = await call.read()
    assert len(frame.trigger_replies) == 1


async def test_at_most_one_worker_per_stream(line: Served) -> None:
    call, _ = await joined(line)
    await call.write(s.ClientFrame(register_worker=s.RegisterWorker(name="second")))
    answer = (await call.read()).worker_registered
    assert answer.error.code == Code.FAILED_PRECONDITION


async def test_a_worker_the_engine_gave_up_registers_again(line: Served) -> None:
    call, _ = await joined(line)
    line.engine.heartbeat_refusal = Refused(Code.NOT_FOUND, "gone")
    await call.write(s.ClientFrame(heartbeat=True))
    assert (await ended(call))[0] == "OK"


async def test_change_and_leave(line: Served) -> None:
    call, command = await joined(line)
    change = s.WorkerChange(paused=True, labels={"a": s.Label(text="x")})
    await call.write(s.ClientFrame(worker_change=change))
    changed = await line.engine.command(ChangeWorker)
    assert (changed.worker_id, changed.draining, changed.labels) == (WORKER, True, {"a": "x"})
    await call.write(s.ClientFrame(worker_change=s.WorkerChange(leave=True)))
    assert await line.engine.command(LeaveWorker) == LeaveWorker(TENANT, WORKER)
    # The goodbye closes the worker, not the stream: the process may still trigger.
    command.session.close("the worker has left")
    line.engine.script[TriggerRuns] = run_per_item
    await call.write(s.ClientFrame(triggers=[trigger(1)]))
    assert len((await call.read()).trigger_replies) == 1


async def test_a_worker_that_left_makes_room_for_another(line: Served) -> None:
    call, command = await joined(line)
    await call.write(s.ClientFrame(worker_change=s.WorkerChange(leave=True)))
    await line.engine.command(LeaveWorker)
    command.session.close("the worker has left")
    second = task_id(78)
    line.engine.script[RegisterWorker] = second
    await call.write(s.ClientFrame(register_worker=s.RegisterWorker(name="second")))
    assert (await call.read()).worker_registered.worker_id == second.bytes
    # It is the worker of this stream: no third one beside it, and its end is the stream's.
    await call.write(s.ClientFrame(register_worker=s.RegisterWorker(name="third")))
    assert (await call.read()).worker_registered.error.code == Code.FAILED_PRECONDITION
    command.session.close("the second is gone, too")
    assert (await ended(call))[0] == "OK"


@pytest.mark.parametrize("how", ["cancel", "half-close", "engine"])
async def test_the_end_of_the_stream_is_told_to_the_engine(line: Served, how: str) -> None:
    call, command = await joined(line)
    if how == "cancel":
        call.cancel()
    elif how == "half-close":
        await call.done_writing()
    else:
        command.session.close("a newer stream was opened")
    closed = await line.engine.command(CloseStream)
    assert (closed.worker_id, closed.session) == (WORKER, command.session)
    if how != "cancel":
        assert (await ended(call))[0] == "OK"
    assert (command.session, None) in line.engine.subscriptions.unsubscribed


# ------------------------------------------------------------------ the end with work under way


async def test_acks_still_come_after_half_close(line: Served) -> None:
    line.engine.script[ReportTasks] = [True]
    call, _ = await joined(line)
    line.engine.hold = asyncio.Event()
    await call.write(s.ClientFrame(reports=[s.Report(task_id=RAW, kind=2)], seq=7))
    await call.done_writing()
    await line.engine.command(ReportTasks)
    await asyncio.sleep(0.02)
    line.engine.hold.set()
    assert (await call.read()).acked_seq == 7
    assert (await ended(call))[0] == "OK"


async def test_a_stop_answers_what_is_under_way(line: Served) -> None:
    line.engine.script[TriggerRuns] = run_per_item
    call = await connected(line)
    line.engine.hold = asyncio.Event()
    await call.write(s.ClientFrame(triggers=[trigger(1)]))
    await line.engine.command(TriggerRuns)
    stopping = asyncio.create_task(line.server.stop(5))
    await asyncio.sleep(0.02)
    line.engine.hold.set()
    assert len((await call.read()).trigger_replies) == 1
    assert (await ended(call))[0] == "OK"
    await stopping


async def test_a_stop_does_not_wait_for_ever(line: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_stream, "SETTLE_S", 0.05)
    call = await connected(line)
    line.engine.hold = asyncio.Event()
    await call.write(s.ClientFrame(triggers=[trigger(1)]))
    await line.engine.command(TriggerRuns)
    await line.server.stop(5)
    assert (await ended(call))[0] == "OK"
    line.engine.hold.set()


async def test_reports_that_are_not_taken_end_the_stream(line: Served) -> None:
    line.engine.script[ReportTasks] = Refused(Code.UNAVAILABLE, "the engine lost its database")
    call, _ = await joined(line)
    await call.write(s.ClientFrame(reports=[s.Report(task_id=RAW, kind=2)], seq=1))
    assert await ended(call) == ("UNAVAILABLE", "the engine lost its database")


async def test_reading_pauses_while_too_much_is_under_way(
    line: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_stream, "IN_FLIGHT_MAX", 2)
    line.engine.script[TriggerRuns] = run_per_item
    line.engine.hold = asyncio.Event()
    call = await connected(line)
    await call.write(s.ClientFrame(triggers=[trigger(1), trigger(2), trigger(3)]))
    await call.write(s.ClientFrame(triggers=[trigger(4)]))
    await line.engine.command(TriggerRuns, 3)
    await asyncio.sleep(0.05)
    assert len(line.engine.commands) == 3
    line.engine.hold.set()
    await line.engine.command(TriggerRuns, 4)


# ------------------------------------------------------------------ lanes and task requests


async def test_logs_and_chunks_go_to_their_lanes(line: Served) -> None:
    call = await connected(line)
    await call.write(
        s.ClientFrame(
            logs=[s.LogLine(task_id=RAW, attempt=1, at_ms=5, level="INFO", message="m")],
            chunks=[s.StreamChunk(task_id=RAW, index=3, attempt=2, data=b"c\xff")],
        )
    )
    async with asyncio.timeout(5):
        while not line.engine.logs.lines:
            await asyncio.sleep(0.005)
    assert line.engine.streams.put_calls == [(TENANT, task_id(1), b"c\xff", 3, 2)]
    (one,) = line.engine.logs.lines
    assert (one.task_id, one.attempt, one.at_ms, one.message) == (task_id(1), 1, 5, "m")
    assert line.engine.commands == []


async def test_a_full_stream_lane_stops_the_reading_and_keeps_the_worker(
    line: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_stream, "HEARTBEAT_INTERVAL_MS", 10)
    line.engine.script[ReportTasks] = lambda command: [True] * len(command.reports)
    call, _ = await joined(line)
    line.engine.streams.room.clear()
    frame = s.ClientFrame(
        chunks=[s.StreamChunk(task_id=RAW, index=0, data=b"c")],
        reports=[s.Report(task_id=RAW, kind=2)],
        seq=1,
    )
    beats = len(line.engine.heartbeats)
    await call.write(frame)
    async with asyncio.timeout(5):
        while len(line.engine.heartbeats) < beats + 3:
            await asyncio.sleep(0.005)
    # A task has ended only when all it said is there.
    assert not [one for one in line.engine.commands if type(one) is ReportTasks]
    line.engine.streams.room.set()
    assert (await call.read()).acked_seq == 1
    assert len(line.engine.streams.put_calls) == 1


async def test_a_refused_chunk_does_not_break_the_stream(line: Served) -> None:
    line.engine.streams.refusal = Refused(Code.NOT_FOUND, "no such task")
    call = await connected(line)
    await call.write(s.ClientFrame(chunks=[s.StreamChunk(task_id=RAW, data=b"c")]))
    await call.write(s.ClientFrame(task_requests=[s.TaskRequest(request_id=7, task_id=RAW)]))
    assert (await call.read()).task_replies[0].request_id == 7


async def test_a_refused_chunk_is_acknowledged_all_the_same(line: Served) -> None:
    """Sent again and again it would block all others."""
    line.engine.streams.refusal = Refused(Code.NOT_FOUND, "no such task")
    call = await connected(line)
    await call.write(s.ClientFrame(chunks=[s.StreamChunk(task_id=RAW, data=b"c")], seq=1))
    assert (await call.read()).acked_seq == 1


async def test_chunks_that_are_not_taken_now_end_the_stream(line: Served) -> None:
    """The client keeps them, and sends them again on its next stream."""
    line.engine.streams.refusal = Refused(Code.UNAVAILABLE, "another node has it")
    call = await connected(line)
    await call.write(s.ClientFrame(chunks=[s.StreamChunk(task_id=RAW, data=b"c")], seq=1))
    assert await ended(call) == ("UNAVAILABLE", "another node has it")


async def test_chunks_are_acknowledged_when_they_are_stored(line: Served) -> None:
    streams = line.engine.streams
    streams.hold_stored = True
    line.engine.script[ReportTasks] = lambda command: [True] * len(command.reports)
    call = await connected(line)
    chunk = s.StreamChunk(task_id=RAW, attempt=1, index=4, data=b"c", again=True)
    await call.write(s.ClientFrame(chunks=[chunk], seq=1))
    # The end of the attempt, and of another one: only the latter has nothing to wait for.
    for seq, attempt in ((2, 1), (3, 0)):
        report = s.Report(task_id=RAW, attempt=attempt, kind=2)
        await call.write(s.ClientFrame(reports=[report], seq=seq))
    (entered,) = (await line.engine.command(ReportTasks)).reports
    assert entered.attempt == 0
    assert streams.sent_again == [4]
    ((attempts, future),) = streams.storing
    assert attempts == {(task_id(1), 1)}
    future.set_result(None)
    (entered,) = (await line.engine.command(ReportTasks, 2)).reports
    assert entered.attempt == 1
    acked = 0
    while acked < 3:
        acked = (await call.read()).acked_seq


async def test_a_chunk_without_a_task_is_malformed(line: Served) -> None:
    call = await connected(line)
    await call.write(s.ClientFrame(chunks=[s.StreamChunk(task_id=b"x", data=b"c")]))
    code, text = await ended(call)
    assert code == "INVALID_ARGUMENT"
    assert "chunks.task_id" in text


async def test_task_requests(line: Served) -> None:
    line.engine.script[RefreshTimeout] = NOW_MS
    line.engine.script[ReleaseSlot] = Refused(Code.NOT_FOUND, "not running")
    call = await connected(line)
    await call.write(
        s.ClientFrame(
            task_requests=[
                s.TaskRequest(request_id=1, task_id=RAW, extend_timeout_ms=5),
                s.TaskRequest(request_id=2, task_id=RAW, release_slot=True),
                s.TaskRequest(request_id=3, task_id=RAW),
                s.TaskRequest(request_id=4, task_id=RAW, extend_timeout_ms=-1),
                s.TaskRequest(request_id=5, task_id=b"x", release_slot=True),
            ]
        )
    )
    replies: dict[int, s.TaskReply] = {}
    while len(replies) < 5:
        for reply in (await call.read()).task_replies:
            replies[reply.request_id] = reply
    assert replies[1].timeout_at_ms == NOW_MS
    assert replies[2].error.code == Code.NOT_FOUND
    assert [replies[id].error.code for id in (3, 4, 5)] == [Code.INVALID_ARGUMENT] * 3
