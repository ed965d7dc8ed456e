"""The parts between codecs and streams: outbox, acknowledgements, session codec."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from hatchet_engine.domain.errors import Code, Refused
from hatchet_engine.domain.labels import Comparator, DesiredLabel
from hatchet_engine.domain.states import Status
from hatchet_engine.transports.grpc.codecs import session as codec
from hatchet_engine.transports.grpc.outbox import FRAME_CHARACTERS, Outbox
from hatchet_engine.transports.grpc.servicers.methods import (
    BIDI_STREAMS,
    SERVER_STREAMS,
    UNARY,
    why_unimplemented,
)
from hatchet_engine.transports.grpc.session_acks import FrameAcks
from hatchet_engine.turn.commands import Command, Report, ReportKind, ReportTasks, TriggerItem
from hatchet_engine.turn.deliveries import AssignedBatch
from hatchet_protocol import session as s
from hatchet_protocol.services import METHODS
from tests.unit.transports.fake_engine import TENANT, assigned, cancel, result, task_id

# ------------------------------------------------------------------ outbox


def taken(outbox: Outbox) -> s.EngineFrame:
    return s.EngineFrame.FromString(outbox.take())


def registered() -> s.WorkerRegistered:
    return s.WorkerRegistered(worker_id=b"x" * 16)


def test_everything_waiting_goes_into_one_frame() -> None:
    outbox = Outbox(lambda ids: None)
    outbox.put_registered(registered())
    outbox.put_deliveries([assigned(1), assigned(2)], [cancel(3)])
    outbox.put_results([result(4), result(5)])
    outbox.put_trigger_reply(7, [task_id(6)])
    outbox.put_ack(3)
    outbox.put_ack(4)
    frame = taken(outbox)
    assert len(frame.assignments) == len(frame.results) == 2
    assert len(frame.cancellations) == len(frame.trigger_replies) == 1
    assert frame.acked_seq == 4
    assert frame.trigger_replies[0].run_ids == [task_id(6).bytes]
    assert outbox.take() == b""


def test_assignments_wait_until_the_worker_knows_its_id() -> None:
    outbox = Outbox(lambda ids: None)
    outbox.put_deliveries([assigned(1)], [cancel(2)])
    assert outbox.take() == b""
    outbox.put_registered(s.WorkerRegistered(error=s.Error(code=3)))
    assert not taken(outbox).assignments
    outbox.put_registered(registered())
    assert len(taken(outbox).assignments) == 1


def test_a_batch_goes_in_one_frame() -> None:
    outbox = Outbox(lambda ids: None)
    outbox.put_registered(registered())
    big = "x" * (FRAME_CHARACTERS // 2)
    members = [assigned(number, input=big) for number in range(1, 5)]
    batch = AssignedBatch(task_id(9), TENANT, "a:b", "ann", "it is full", 7, members)
    outbox.put_deliveries([batch, assigned(5)], [cancel(1)])
    (first,) = taken(outbox).batches
    assert (first.id, first.action, first.key) == (task_id(9).bytes, "a:b", "ann")
    assert (first.reason, first.flushed_at_ms) == ("it is full", 7)
    assert [one.task_id for one in first.assignments] == [one.task_id.bytes for one in members]
    second = taken(outbox)
    assert len(second.assignments) == len(second.cancellations) == 1


def test_frames_are_cut() -> None:
    outbox = Outbox(lambda ids: None)
    outbox.put_registered(registered())
    big = '{"x":"' + "x" * (FRAME_CHARACTERS // 2) + '"}'
    outbox.put_deliveries([assigned(number, input=big) for number in range(1, 6)], [cancel(1)])
    outbox.put_results([result(number, output=big) for number in range(1, 6)])
    frames = []
    while data := outbox.take():
        assert len(data) < FRAME_CHARACTERS * 2
        frames.append(s.EngineFrame.FromString(data))
    assert [len(frame.assignments) for frame in frames] == [2, 2, 1, 0, 0]
    assert sum(len(frame.results) for frame in frames) == 5
    # A cancellation never overtakes the assignment it is about.
    assert [len(frame.cancellations) for frame in frames] == [0, 0, 1, 0, 0]


# ------------------------------------------------------------------ acknowledgements


class Commits:
    """Report commands that end when and how a test says."""

    def __init__(self) -> None:
        self.commands: list[tuple[ReportTasks, asyncio.Future[Any]]] = []
        self.acked: list[int] = []
        self.failures: list[Exception] = []
        self.unstored: dict[tuple[UUID, int | None], asyncio.Future[None]] = {}
        self.acks = FrameAcks(
            TENANT,
            self.enter,
            lambda future, done: future.add_done_callback(done),
            lambda task_id, attempt: self.unstored.get((task_id, attempt)),
            self.acked.append,
            self.failures.append,
        )

    def chunks(self, *numbers: int) -> asyncio.Future[None]:
        """Chunks of these tasks are taken; they are stored when the future is set."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.unstored.update({(task_id(number), 0): future for number in numbers})
        return future

    def enter(self, command: Command[Any], done: Callable[[asyncio.Future[Any]], None]) -> None:
        assert isinstance(command, ReportTasks)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.add_done_callback(done)
        self.commands.append((command, future))

    async def end(self, index: int, error: Exception | None = None) -> None:
        future = self.commands[index][1]
        if error is None:
            future.set_result([True])
        else:
            future.set_exception(error)
        await asyncio.sleep(0)


def report(number: int) -> Report:
    return Report(task_id(number), 0, ReportKind.COMPLETED)


async def test_acks_come_in_order() -> None:
    commits = Commits()
    for seq in (1, 2, 3):
        commits.acks.put(seq, [report(seq)])
    await commits.end(1)
    assert commits.acked == []
    await commits.end(0)
    assert commits.acked == [2]
    await commits.end(2)
    assert commits.acked == [2, 3]


async def test_chunks_are_acknowledged_once_they_are_stored() -> None:
    commits = Commits()
    chunks = commits.chunks(1)
    commits.acks.put(1, [], chunks)
    commits.acks.put(2, [report(2)])
    await commits.end(0)
    assert commits.acked == []  # in order, so that what is not acknowledged can be sent again
    chunks.set_result(None)
    await asyncio.sleep(0)
    assert commits.acked == [2]


async def test_a_report_waits_for_the_chunks_of_its_task_alone() -> None:
    commits = Commits()
    first, second = commits.chunks(1), commits.chunks(2)
    commits.acks.put(1, [report(1), report(3), report(2)], second)
    assert [command.reports for command, _ in commits.commands] == [[report(3)]]
    second.set_result(None)
    await asyncio.sleep(0)
    assert [command.reports for command, _ in commits.commands[1:]] == [[report(2)]]
    first.set_result(None)
    await asyncio.sleep(0)
    assert [command.reports for command, _ in commits.commands[2:]] == [[report(1)]]
    for index in range(3):
        assert commits.acked == []
        await commits.end(index)
    assert commits.acked == [1]


async def test_chunks_that_are_not_taken_after_all_stay_with_the_client() -> None:
    commits = Commits()
    chunks = commits.chunks(1)
    commits.acks.put(1, [report(1)], chunks)
    chunks.cancel()
    await asyncio.sleep(0)
    assert (commits.acked, commits.commands) == ([], [])
    assert all(isinstance(error, Refused) for error in commits.failures)
    assert "send them again" in str(commits.failures[0])


async def test_a_report_that_cannot_be_stored_does_not_block_the_others() -> None:
    commits = Commits()
    commits.acks.put(1, [report(1), report(2)])
    await commits.end(0, ValueError("the database said no"))
    assert [len(command.reports) for command, _ in commits.commands] == [2, 1, 1]
    assert commits.acked == []
    await commits.end(1)
    await commits.end(2, ValueError("no again"))
    assert (commits.acked, commits.failures) == ([1], [])


async def test_reports_stay_with_the_client_while_the_engine_is_away() -> None:
    commits = Commits()
    commits.acks.put(1, [report(1)])
    await commits.end(0, Refused(Code.UNAVAILABLE, "away"))
    assert commits.acked == []
    (failure,) = commits.failures
    assert isinstance(failure, Refused)
    assert failure.code is Code.UNAVAILABLE


async def test_reports_without_a_number_are_not_acknowledged() -> None:
    commits = Commits()
    commits.acks.put(0, [report(1)])
    await commits.end(0)
    assert commits.acked == []


# ------------------------------------------------------------------ session codec


def test_session_trigger() -> None:
    item = s.TriggerItem(
        workflow="w",
        input='{"x":1}',
        metadata='{"a":1}',
        priority=2,
        parent_task_id=task_id(9).bytes,
        child_index=0,
        child_key="k",
        desired_worker_id=task_id(8).bytes,
        desired_labels={"n": s.DesiredLabel(value=s.Label(number=3), comparator=2, required=True)},
    )
    plain = s.TriggerItem(workflow="w", child_index=4)
    subscriber: Any = object()
    command = codec.trigger(
        TENANT, s.Trigger(request_id=1, items=[item, plain], subscribe=True), subscriber
    )
    assert command.subscriber is subscriber
    labels = {"n": DesiredLabel(3, True, Comparator.GREATER_THAN)}
    assert command.items == [
        TriggerItem("w", '{"x":1}', '{"a":1}', 2, task_id(9), 0, "k", task_id(8), labels),
        TriggerItem("w", ""),
    ]
    assert codec.trigger(TENANT, s.Trigger(items=[plain]), subscriber).subscriber is None


def test_session_trigger_names_the_item() -> None:
    bad = s.TriggerItem(workflow="w", parent_task_id=b"short")
    with pytest.raises(Refused, match="parent_task_id: an id is 16 bytes, not 5") as caught:
        codec.trigger(TENANT, s.Trigger(items=[s.TriggerItem(workflow="w"), bad]), None)  # type: ignore[arg-type]
    assert codec.error(caught.value).index == 1


def test_session_reports() -> None:
    found = codec.reports(
        [
            s.Report(task_id=task_id(1).bytes, kind=1, started_at_ms=5),
            s.Report(task_id=task_id(1).bytes, attempt=2, kind=2, payload="{}", started_at_ms=5),
            s.Report(task_id=task_id(1).bytes, kind=3, payload="boom", should_not_retry=True),
            s.Report(task_id=task_id(1).bytes, kind=3, retry_after_ms=0),
            s.Report(task_id=task_id(1).bytes, kind=4),
        ]
    )
    assert found == [
        Report(task_id(1), 0, ReportKind.STARTED, started_ms=5),
        Report(task_id(1), 2, ReportKind.COMPLETED, "{}", started_ms=5),
        Report(task_id(1), 0, ReportKind.FAILED, "boom", should_not_retry=True),
        Report(task_id(1), 0, ReportKind.FAILED, retry_after_ms=0),
        Report(task_id(1), 0, ReportKind.CANCELLED),
    ]


@pytest.mark.parametrize("bad", [s.Report(task_id=b"x", kind=2), s.Report(task_id=b"x" * 16)])
def test_session_bad_reports(bad: s.Report) -> None:
    with pytest.raises(Refused, match="reports"):
        codec.reports([bad])


def test_session_worker() -> None:
    command = codec.worker(
        TENANT,
        s.RegisterWorker(
            name="w",
            actions=["a:b"],
            slots={"default": 5},
            labels={"n": s.Label(number=0), "t": s.Label(text="x")},
        ),
        s.Hello(sdk_version="1", language="python", client_name="mine"),
    )
    assert (command.protocol, command.labels) == ("session", {"n": 0, "t": "x"})
    assert command.runtime == {"sdk_version": "1", "language": "PYTHON", "extra": "mine"}


def test_session_deliveries() -> None:
    frame = s.EngineFrame()
    codec.add_assignment(
        frame, assigned(1, attempt=2, parent_task_id=task_id(9), child_index=0, child_key="k")
    )
    codec.add_cancellation(frame, cancel(2, attempt=1))
    codec.add_result(frame, result(3, Status.FAILED, None, "boom"))
    (start,) = frame.assignments
    assert start.task_id == start.run_id == task_id(1).bytes
    assert (start.attempt, start.action, start.input) == (2, "hello:hello", '{"x":1}')
    assert start.parent_task_id == task_id(9).bytes
    assert start.HasField("child_index")
    assert start.child_key == "k"
    assert (frame.cancellations[0].attempt, frame.cancellations[0].reason) == (1, "because")
    (ended,) = frame.results
    assert (ended.status, ended.tasks[0].error, ended.tasks[0].output) == (3, "boom", "")


def test_session_logs_with_bad_ids_are_left_out() -> None:
    lines = codec.log_lines(
        [s.LogLine(task_id=b"x", message="m"), s.LogLine(task_id=task_id(1).bytes, message="n")]
    )
    assert [line.message for line in lines] == ["n"]


# ------------------------------------------------------------------ the table of methods


def test_every_served_method_is_one_of_the_protocol() -> None:
    served = [*UNARY, *SERVER_STREAMS, *BIDI_STREAMS]
    assert len(served) == len(set(served))
    for path in UNARY:
        assert not METHODS[path].client_streaming
        assert not METHODS[path].server_streaming
    for path in SERVER_STREAMS:
        assert METHODS[path].server_streaming
        assert not METHODS[path].client_streaming
    for path in BIDI_STREAMS:
        assert METHODS[path].client_streaming


def test_unimplemented_texts() -> None:
    assert why_unimplemented("/EventsService/Other") == (
        "EventsService.Other is not offered by this engine yet"
    )
    assert "no longer exists" in why_unimplemented("/EventsService/ReplaySingleEvent")
