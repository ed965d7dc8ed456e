"""Streams of tasks: chunks on their way out, and followers that survive broken connections."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import grpc
import pytest

from hatchet import (
    Context,
    EmptyModel,
    EngineUnavailableError,
    Hatchet,
    HatchetCallError,
    StepRunEventType,
    WorkflowRunEventType,
)
from hatchet._core.chunks import PIECE_BYTES
from hatchet._run import backlog as backlog_module
from hatchet._run import events
from hatchet._run.backlog import CHUNK_OVERHEAD_BYTES, ChunkBacklog
from hatchet._run.reply import Wakeups
from hatchet_protocol.dispatcher import WorkflowEvent
from hatchet_protocol.session import EngineFrame

from .conftest import working
from .fake_engine import Cut, FakeEngine

RUN = str(uuid4())


def chunk(text: str) -> WorkflowEvent:
    return WorkflowEvent(workflow_run_id=RUN, resource_type=1, event_type=6, event_payload=text)


def task_event(kind: int, payload: str = "") -> WorkflowEvent:
    return WorkflowEvent(
        workflow_run_id=RUN,
        resource_type=1,
        event_type=kind,
        resource_id="t",
        event_payload=payload,
    )


END = WorkflowEvent(workflow_run_id=RUN, resource_type=2, event_type=2, hangup=True)


async def collect(hatchet: Hatchet) -> list[str]:
    return [text async for text in hatchet.runs.subscribe_to_stream(RUN)]


# ---------------------------------------------------------------------- out


def test_chunks_leave_in_order(engine: FakeEngine, hatchet: Hatchet) -> None:
    @hatchet.task()
    async def writes(input: EmptyModel, ctx: Context) -> None:
        for number in range(50):
            await ctx.aio_put_stream(f"{number};")
        ctx.put_stream(b"bytes")

    @hatchet.task()
    def writes_sync(input: EmptyModel, ctx: Context) -> None:
        ctx.put_stream("sync")
        asyncio.run(ctx.aio_put_stream("and async"))

    with working(hatchet.worker("w", workflows=[writes, writes_sync])):
        writes.run()
        engine.wait_for(lambda: len(engine.all("chunks")) == 51)
        chunks = engine.all("chunks")
        assert [each.index for each in chunks] == list(range(51))
        assert b"".join(each.data for each in chunks[:3]) == b"0;1;2;"
        engine.frames.clear()
        writes_sync.run()
        engine.wait_for(lambda: len(engine.all("chunks")) == 2)
        sent = [(each.index, each.data) for each in engine.all("chunks")]
        assert sent == [(0, b"sync"), (1, b"and async")]


def test_a_retry_counts_from_0(engine: FakeEngine, hatchet: Hatchet) -> None:
    @hatchet.task(retries=1)
    async def task(input: EmptyModel, ctx: Context) -> None:
        await ctx.aio_put_stream(str(ctx.attempt_number))
        if ctx.retry_count == 0:
            raise ValueError("again")

    with working(hatchet.worker("w", workflows=[task])):
        engine.on_frame = lambda stream, frame: engine.retries.update(
            {report.task_id: 1 for report in frame.reports if report.attempt == 0}
        )
        task.run()
    sent = [(each.attempt, each.index, each.data) for each in engine.all("chunks")]
    assert sent == [(0, 0, b"1"), (1, 0, b"2")]


def test_a_large_chunk_is_cut_between_characters(engine: FakeEngine, hatchet: Hatchet) -> None:
    text = "x" * (PIECE_BYTES - 1) + "é" + "y" * PIECE_BYTES

    @hatchet.task()
    async def task(input: EmptyModel, ctx: Context) -> None:
        await ctx.aio_put_stream(text)

    with working(hatchet.worker("w", workflows=[task])):
        task.run()
        engine.wait_for(lambda: len(engine.all("chunks")) == 3)
    parts = [each.data.decode() for each in engine.all("chunks")]
    assert "".join(parts) == text
    assert [len(part) for part in parts] == [PIECE_BYTES - 1, PIECE_BYTES - 1, 2]


def test_the_backlog_is_bounded() -> None:
    each = CHUNK_OVERHEAD_BYTES
    backlog, wakeups = ChunkBacklog(limit=10 + 2 * each), Wakeups()
    assert backlog.take(6) is None
    assert backlog.take(4) is None
    room = backlog.take(0)
    assert room is not None
    assert backlog.take(1) is room
    backlog.leave([4], wakeups)
    assert not room.done  # more than half is taken yet
    backlog.leave([6], wakeups)
    assert room.done
    assert backlog.take(11 + each) is None  # alone it always finds room
    assert backlog.take(1) is not None
    backlog.leave([11 + each], wakeups)
    assert backlog.take(10 + each) is None  # just so


def test_chunks_wait_for_acknowledgements(engine: FakeEngine, hatchet: Hatchet) -> None:
    done: list[str] = []

    @hatchet.task()
    async def waits(input: EmptyModel, ctx: Context) -> None:
        session = worker._session
        assert session is not None
        session.chunks._limit = 1
        await ctx.aio_put_stream("a")
        await ctx.aio_put_stream("b")
        done.append("async")
        await asyncio.to_thread(ctx.put_stream, "c")
        done.append("sync")

    engine.auto_ack = False
    worker = hatchet.worker("w", workflows=[waits])
    with working(worker):
        ref = waits.run_no_wait()
        for number, text in enumerate((b"a", b"b", b"c"), 1):
            engine.wait_for(lambda number=number: len(engine.all("chunks")) == number)
            assert engine.all("chunks")[-1].data == text
            assert len(done) <= number - 1
            ack(engine)
        engine.auto_ack = True
        engine.wait_for(lambda: engine.all("reports"))
        ack(engine)
        ref.result()
    assert done == ["async", "sync"]
    assert [each.index for each in engine.all("chunks")] == [0, 1, 2]


def ack(engine: FakeEngine) -> None:
    """Acknowledge everything up to now."""
    engine.send(EngineFrame(acked_seq=max(frame.seq for frame in engine.frames)))


def test_what_finds_no_room_is_dropped(
    engine: FakeEngine,
    hatchet: Hatchet,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Only if nothing has been acknowledged for so long, or on an event loop."""
    monkeypatch.setattr(backlog_module, "CHUNK_PATIENCE_S", 0.02)

    @hatchet.task()
    async def task(input: EmptyModel, ctx: Context) -> None:
        full = ChunkBacklog(limit=1)
        full.take(1)
        session = worker._session
        assert session is not None
        usual, session.chunks = session.chunks, full
        ctx.put_stream("lost")
        await ctx.aio_put_stream("lost")
        await asyncio.to_thread(ctx.put_stream, "lost")
        assert full.dropped == 3
        full.leave([1], Wakeups())
        ctx.put_stream("kept")
        session.chunks = usual
        await ctx.aio_put_stream("kept, too")

    worker = hatchet.worker("w", workflows=[task])
    logging.getLogger("hatchet").propagate = True
    with working(worker):
        task.run()
        engine.wait_for(lambda: engine.all("chunks"))
    # What was dropped was not counted: the engine would wait for it.
    sent = [(each.index, each.data) for each in engine.all("chunks")]
    assert sent == [(0, b"kept"), (1, b"kept, too")]
    assert "chunks of streams arise faster than they can be sent: 1 dropped" in caplog.text


def test_chunks_are_sent_again_until_acknowledged(engine: FakeEngine, hatchet: Hatchet) -> None:
    go_on = threading.Event()

    @hatchet.task()
    async def task(input: EmptyModel, ctx: Context) -> None:
        for text in ("a", "b"):
            await ctx.aio_put_stream(text)
        await asyncio.to_thread(go_on.wait, 10)
        await ctx.aio_put_stream("c")

    engine.auto_ack = False
    with working(hatchet.worker("w", workflows=[task])):
        ref = task.run_no_wait()
        engine.wait_for(lambda: len(engine.all("chunks")) == 2)
        engine.frames.clear()
        engine.cut()
        engine.wait_for(lambda: len(engine.all("chunks")) == 2)
        assert [(each.index, each.data, each.again) for each in engine.all("chunks")] == [
            (0, b"a", True),
            (1, b"b", True),
        ]
        ack(engine)
        engine.frames.clear()
        go_on.set()
        engine.wait_for(lambda: engine.all("chunks") and engine.all("reports"))
        engine.frames.clear()
        engine.cut()
        engine.wait_for(lambda: engine.all("reports"))
        (again,) = engine.all("chunks")
        assert (again.index, again.data, again.again) == (2, b"c", True)
        # The end of the task stays behind its chunks.
        frames = [frame for frame in engine.frames if frame.chunks or frame.reports]
        assert frames[0].chunks
        ack(engine)
        ref.result()


# ---------------------------------------------------------------------- in


def test_a_stream_that_breaks_goes_on(engine: FakeEngine, hatchet: Hatchet) -> None:
    engine.event_scripts = [
        [task_event(1), chunk("a"), chunk("b"), Cut()],
        [Cut(grpc.StatusCode.INTERNAL)],
        [chunk("c"), Cut(None)],
        [chunk("d"), task_event(2, "{}"), END],
    ]
    assert asyncio.run(collect(hatchet)) == ["a", "b", "c", "d"]
    assert [after for _, after in engine.subscriptions] == ["0", "2", "2", "3"]
    assert engine.subscriptions[0][0].workflow_run_id == RUN


def test_a_run_that_is_over(engine: FakeEngine, hatchet: Hatchet) -> None:
    engine.event_scripts = [[Cut(None)]]
    assert asyncio.run(collect(hatchet)) == []
    engine.event_scripts = [[chunk("a"), Cut(None)], [Cut(None)]]
    assert asyncio.run(collect(hatchet)) == ["a"]


def test_failures_of_followers(
    engine: FakeEngine, hatchet: Hatchet, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.event_scripts = [[Cut(grpc.StatusCode.NOT_FOUND)]]
    with pytest.raises(HatchetCallError, match="NOT_FOUND"):
        asyncio.run(collect(hatchet))
    with pytest.raises(HatchetCallError, match="NOT_FOUND"):
        list(hatchet.listener.stream(RUN))
    with pytest.raises(ValueError, match="not a run id"):
        hatchet.listener.stream("nonsense")
    monkeypatch.setattr(events, "PATIENCE_S", 0.0)
    engine.event_scripts = [[chunk("a"), Cut()], [Cut()]]

    seen: list[str] = []

    async def follow() -> None:
        async for text in hatchet.runs.subscribe_to_stream(RUN):
            seen.append(text)

    with pytest.raises(EngineUnavailableError):
        asyncio.run(follow())
    assert seen == ["a"]


def test_many_chunks(engine: FakeEngine, hatchet: Hatchet) -> None:
    """More than are read ahead, by a consumer that is slower than the engine."""
    count = events.READ_AHEAD * 3
    engine.event_scripts = [[*(chunk(str(number)) for number in range(count)), END]]

    async def follow() -> int:
        expected = 0
        async for text in hatchet.runs.subscribe_to_stream(RUN):
            assert text == str(expected)
            expected += 1
            if expected % 500 == 0:
                await asyncio.sleep(0)
        return expected

    assert asyncio.run(follow()) == count


def test_all_events(engine: FakeEngine, make_client: Callable[..., Hatchet]) -> None:
    hatchet = make_client()
    script = [
        task_event(1),
        chunk("a"),
        task_event(3, "error"),
        task_event(99),
        task_event(2, '{"b":1}'),
        END,
    ]
    engine.event_scripts = [script]
    types = StepRunEventType
    expected = [
        (types.STEP_RUN_EVENT_TYPE_STARTED, ""),
        (types.STEP_RUN_EVENT_TYPE_STREAM, "a"),
        (types.STEP_RUN_EVENT_TYPE_FAILED, "error"),
        (types.STEP_RUN_EVENT_TYPE_COMPLETED, '{"b":1}'),
        (WorkflowRunEventType.WORKFLOW_RUN_EVENT_TYPE_COMPLETED, ""),
    ]
    engine.assign = False
    ref = hatchet.runs.get_run_ref(RUN)
    assert [(event.type, event.payload) for event in ref.stream()] == expected

    async def follow() -> list[tuple[object, str]]:
        listener = hatchet.listener.stream_by_additional_metadata("customer", "42")
        first: list[tuple[object, str]] = [(e.type, e.payload) async for e in listener]
        again = ref.stream()
        await anext(again)
        second = await anext(again)
        assert second.type is types.STEP_RUN_EVENT_TYPE_STREAM
        assert (second.workflow_run_id, second.resource_id) == (RUN, "")
        again.close()
        while await anext(again, None) is not None:
            pass  # what had gathered
        return list(first)

    assert asyncio.run(follow()) == expected
    request, after = engine.subscriptions[1]
    assert (request.additional_meta_key, request.additional_meta_value) == ("customer", "42")
    assert after is None


@pytest.mark.parametrize("close_client", [False, True])
def test_a_listener_can_be_closed(engine: FakeEngine, hatchet: Hatchet, close_client: bool) -> None:
    """While it waits for the next event: itself, or with its client."""

    async def follow(*args: object) -> AsyncIterator[WorkflowEvent]:
        yield chunk("a")
        await asyncio.Event().wait()

    engine.follow = follow  # type: ignore[method-assign,assignment]
    listener = hatchet.listener.stream(RUN)
    got_one = threading.Event()
    seen: list[str] = []

    def listen() -> None:
        for event in listener:
            seen.append(event.payload)
            got_one.set()

    thread = threading.Thread(target=listen)
    thread.start()
    assert got_one.wait(10)
    hatchet.close() if close_client else listener.close()
    thread.join(10)
    assert not thread.is_alive()
    assert seen == ["a"]
