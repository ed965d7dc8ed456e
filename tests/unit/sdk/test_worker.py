"""The worker: joining, cancelling, logging, draining, health."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hatchet import (
    Context,
    EmptyModel,
    Hatchet,
    HatchetCallError,
    LifespanSetupError,
    LoopAlreadyRunningError,
    WorkerLabel,
    WorkerStatus,
)
from hatchet._run import executor, session
from hatchet_protocol.session import EngineFrame

from .conftest import working
from .fake_engine import FakeEngine


def cancel_first_run(engine: FakeEngine, reason: str = "by the test") -> None:
    frame = EngineFrame()
    frame.cancellations.add(task_id=next(iter(engine.runs)), attempt=0, reason=reason)
    engine.send(frame)


def test_registration_of_the_worker(engine: FakeEngine, hatchet: Hatchet) -> None:
    @hatchet.task()
    async def one(input: EmptyModel, ctx: Context) -> None: ...

    @hatchet.durable_task()
    async def two(input: EmptyModel, ctx: Any) -> None: ...

    worker = hatchet.worker("w", workflows=[one, two], labels={"gpu": "yes", "memory": 16})
    assert worker.status is WorkerStatus.INITIALIZED
    with working(worker):
        assert worker.status is WorkerStatus.HEALTHY
    (sent,) = [f.register_worker for f in engine.frames if f.HasField("register_worker")]
    assert sent.name == "w"
    assert sorted(sent.actions) == ["one:one", "two:two"]
    assert dict(sent.slots) == {"default": 100, "durable": 1000}
    assert (sent.labels["gpu"].text, sent.labels["memory"].number) == ("yes", 16)
    engine.wait_for(lambda: any(frame.worker_change.leave for frame in engine.frames))
    assert any(frame.worker_change.paused for frame in engine.frames)
    assert sorted(request.name for request in engine.registrations) == ["one", "two"]
    listed = hatchet.worker("w", workflows=[one], labels=[WorkerLabel(key="a", value=1)], slots=3)
    assert (listed._data().labels, listed._data().slots) == ({"a": 1}, {"default": 3})


def test_sl_1_pools_of_slots(engine: FakeEngine, hatchet: Hatchet) -> None:
    @hatchet.task(slot_cost={"gpu": 2})
    async def train(input: EmptyModel, ctx: Context) -> None: ...

    @hatchet.task(slot_cost={"default": 1, "gpu": 1})
    async def draw(input: EmptyModel, ctx: Context) -> None: ...

    with working(hatchet.worker("w", slots={"gpu": 4}, workflows=[train])):
        pass
    (sent,) = [f.register_worker for f in engine.frames if f.HasField("register_worker")]
    assert dict(sent.slots) == {"gpu": 4}
    assert dict(engine.registrations[-1].tasks[0].slot_requests) == {"gpu": 2}

    both = hatchet.worker("w", slots={"gpu": 4}, workflows=[train, draw])
    assert both._data().slots == {"default": 100, "gpu": 4}
    sized = hatchet.worker("w", slots={"default": 3, "gpu": 4}, durable_slots=5, workflows=[draw])
    assert sized._data().slots == {"default": 3, "gpu": 4, "durable": 5}
    with pytest.raises(ValueError, match="'draw' takes slots of the pool 'gpu', which this worker"):
        hatchet.worker("w", slots=4, workflows=[draw])
    with pytest.raises(ValueError, match="a pool of durable ones already"):
        hatchet.worker("w", slots={"durable": 4}, durable_slots=5)
    with pytest.raises(ValueError, match=r"slots\['gpu'\] must be at least 1, not 0"):
        hatchet.worker("w", slots={"gpu": 0})
    with pytest.raises(ValueError, match="slots must be at least 1, not 0"):
        hatchet.worker("w", slots=0)


def test_two_workers_of_one_client(hatchet: Hatchet) -> None:
    @hatchet.task()
    async def one(input: EmptyModel, ctx: Context) -> dict[str, str]:
        return {"worker": ctx.worker_id}

    @hatchet.task()
    def two(input: EmptyModel, ctx: Context) -> dict[str, str]:
        return {"worker": ctx.worker_id}

    with (
        working(hatchet.worker("a", workflows=[one])) as a,
        working(hatchet.worker("b", workflows=[two])) as b,
    ):
        assert one.run() == {"worker": a.id}
        assert two.run() == {"worker": b.id}


def test_an_async_task_is_cancelled(
    engine: FakeEngine, hatchet: Hatchet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "CANCEL_GRACE_S", 0.05)
    seen: list[str] = []
    ended = threading.Event()

    @hatchet.task()
    async def task(input: EmptyModel, ctx: Context) -> None:
        try:
            await ctx.wait_cancelled()
            seen.append(f"told: {ctx.cancel_reason} {ctx.is_cancelled} {ctx.done()}")
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        finally:
            ended.set()

    with working(hatchet.worker("w", workflows=[task])) as worker:
        task.run_no_wait()
        engine.wait_for(lambda: engine.runs)
        cancel_first_run(engine)
        assert ended.wait(10)
        worker.stop()
    assert seen == ["told: by the test True True", "cancelled"]
    assert engine.all("reports") == []


def test_a_sync_task_sees_the_flag(engine: FakeEngine, hatchet: Hatchet) -> None:
    ended = threading.Event()

    @hatchet.task()
    def task(input: EmptyModel, ctx: Context) -> dict[str, bool]:
        assert ctx.sleep_or_cancelled(10)
        assert ctx.exit_flag
        ended.set()
        return {"dropped": True}

    with working(hatchet.worker("w", workflows=[task])):
        task.run_no_wait()
        cancel_first_run(engine)
        assert ended.wait(10)
    assert engine.all("reports") == []


def test_a_blocked_loop_starves_nobody(engine: FakeEngine, hatchet: Hatchet) -> None:
    engine.heartbeat_interval_ms = 100
    blocked, go_on = threading.Event(), threading.Event()

    @hatchet.task()
    async def rude(input: EmptyModel, ctx: Context) -> None:
        blocked.set()
        go_on.wait(10)

    @hatchet.task()
    def polite(input: EmptyModel, ctx: Context) -> dict[str, int]:
        return {"fine": 1}

    with working(hatchet.worker("w", workflows=[rude, polite])):
        rude.run_no_wait()
        assert blocked.wait(10)
        assert polite.run() == {"fine": 1}
        beats = sum(frame.heartbeat for frame in engine.frames)
        engine.wait_for(lambda: sum(frame.heartbeat for frame in engine.frames) >= beats + 2)
        go_on.set()


def test_what_a_task_can_ask_for(engine: FakeEngine, hatchet: Hatchet) -> None:
    logger = logging.getLogger("some.program")

    def work(ctx: Context) -> None:
        ctx.log("a line")
        ctx.log({"a": 1})
        logger.warning("through logging")
        ctx.put_stream("text")
        ctx.put_stream(b"\xff")
        ctx.upsert_worker_labels({"warm": "yes"})
        assert ctx.worker_labels == {"warm": "yes"}
        assert (ctx.retry_count, ctx.attempt_number, ctx.max_attempts) == (0, 1, 3)
        assert ctx.additional_metadata == {"k": "v"}
        assert ctx.priority == 2
        assert ctx.parent_workflow_run_id is None
        assert ctx.workflow_run_id == ctx.task_run_id
        assert not ctx.was_triggered_by_event

    @hatchet.task(retries=2)
    def in_thread(input: EmptyModel, ctx: Context) -> None:
        work(ctx)
        ctx.refresh_timeout(timedelta(milliseconds=1500))
        ctx.release_slot()

    @hatchet.task(retries=2)
    async def in_loop(input: EmptyModel, ctx: Context) -> None:
        work(ctx)
        await ctx.aio_refresh_timeout("10s")
        await ctx.aio_release_slot()
        await ctx.aio_log("last")
        await ctx.aio_put_stream("end")

    with working(hatchet.worker("w", workflows=[in_thread, in_loop])):
        in_thread.run(additional_metadata={"k": "v"}, priority=2)
        in_loop.run(additional_metadata={"k": "v"}, priority=2)
    # pytest's own handler lends its format to what goes through `logging`.
    words = ("a line", '{"a":1}', "through logging", "last")
    logs = [
        (line.level, next(word for word in words if line.message.endswith(word)))
        for line in engine.all("logs")
    ]
    lines = [("INFO", "a line"), ("INFO", '{"a":1}'), ("WARN", "through logging")]
    assert logs == [*lines, *lines, ("INFO", "last")]
    chunks = [(chunk.index, chunk.data) for chunk in engine.all("chunks")]
    assert chunks == [(0, b"text"), (1, b"\xff"), (0, b"text"), (1, b"\xff"), (2, b"end")]
    requests = engine.all("task_requests")
    assert [request.extend_timeout_ms for request in requests] == [1500, 0, 10_000, 0]
    assert [request.release_slot for request in requests] == [False, True, False, True]


def test_a_task_cancels_itself(engine: FakeEngine, hatchet: Hatchet) -> None:
    @hatchet.task()
    def task(input: EmptyModel, ctx: Context) -> None:
        ctx.cancel()
        assert ctx.is_cancelled

    with (
        working(hatchet.worker("w", workflows=[task])),
        pytest.raises(ValueError, match="cancelled"),
    ):
        task.run()
    assert [report.kind for report in engine.all("reports")] == [4]


def test_retries_reach_the_task(engine: FakeEngine, hatchet: Hatchet) -> None:
    attempts: list[int] = []

    @hatchet.task(retries=2)
    async def task(input: EmptyModel, ctx: Context) -> dict[str, int]:
        attempts.append(ctx.attempt_number)
        if ctx.attempt_number < 3:
            raise RuntimeError("again")
        return {"attempts": ctx.attempt_number}

    engine.on_frame = lambda _, frame: engine.retries.update(
        {report.task_id: 2 - report.attempt for report in frame.reports}
    )
    with working(hatchet.worker("w", workflows=[task])):
        assert task.run() == {"attempts": 3}
    assert attempts == [1, 2, 3]


def test_start_refuses_what_cannot_work(hatchet: Hatchet) -> None:
    @hatchet.task(name="refused-task")
    async def refused(input: EmptyModel, ctx: Context) -> None: ...

    @hatchet.task()
    async def fine(input: EmptyModel, ctx: Context) -> None: ...

    with pytest.raises(HatchetCallError, match="bad workflow"):
        hatchet.worker("w", workflows=[refused]).start()
    with pytest.raises(ValueError, match="no workflows"):
        hatchet.worker("w").start()
    with pytest.raises(TypeError, match="not a workflow"):
        hatchet.worker("w", workflows=[lambda: None])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="no tasks"):
        hatchet.worker("w", workflows=[hatchet.workflow(name="empty")])

    async def start_in_a_loop() -> None:
        hatchet.worker("w", workflows=[fine]).start()

    with pytest.raises(LoopAlreadyRunningError, match="aio_start"):
        asyncio.run(start_in_a_loop())

    async def broken() -> Any:
        raise RuntimeError("no database")
        yield

    with pytest.raises(LifespanSetupError, match="no database"):
        hatchet.worker("w", workflows=[fine], lifespan=broken).start()


async def test_start_in_a_running_loop(hatchet: Hatchet) -> None:
    @hatchet.task()
    async def task(input: EmptyModel, ctx: Context) -> dict[str, bool]:
        return {"same": asyncio.get_running_loop() is loop}

    loop = asyncio.get_running_loop()
    worker = hatchet.worker("w", workflows=[task])
    serving = asyncio.create_task(worker.aio_start())
    await asyncio.to_thread(worker.registered.wait, 10)
    assert await task.aio_run() == {"same": True}
    worker.stop()
    await serving


def test_leaves_after_a_number_of_tasks(make_client: Callable[..., Hatchet]) -> None:
    hatchet = make_client(terminate_worker_after_num_tasks=2)

    @hatchet.task()
    async def task(input: EmptyModel, ctx: Context) -> None: ...

    with working(hatchet.worker("w", workflows=[task])) as worker:
        task.run()
        task.run()
        while worker.status is WorkerStatus.HEALTHY:
            threading.Event().wait(0.01)


def test_health(make_client: Callable[..., Hatchet]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    from hatchet import HealthcheckConfig

    hatchet = make_client(
        healthcheck=HealthcheckConfig(enabled=True, port=port, bind_address="127.0.0.1")
    )
    started, go_on = threading.Event(), threading.Event()

    @hatchet.task(slot_cost=2)
    def task(input: EmptyModel, ctx: Context) -> None:
        started.set()
        go_on.wait(10)

    def get(path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    with working(hatchet.worker("w", slots=5, workflows=[task])):
        task.run_no_wait()
        assert started.wait(10)
        status, body = get("/health")
        assert status == 200
        assert json.loads(body) == {
            "status": "HEALTHY",
            "slots": {"default": {"used": 2, "limit": 5}},
        }
        status, body = get("/metrics")
        assert 'hatchet_worker_used_slots{slot_pool="default"} 2' in body
        assert "hatchet_worker_listener_health 1" in body
        assert get("/nothing")[0] == 404
        go_on.set()


def test_bounds(engine: FakeEngine, make_client: Callable[..., Hatchet]) -> None:
    engine.max_payload_bytes = 1000
    hatchet = make_client(log_queue_size=3)
    logged = threading.Event()

    @hatchet.task()
    async def large(input: EmptyModel, ctx: Context) -> dict[str, str]:
        return {"a": "x" * 2000}

    @hatchet.task()
    async def chatty(input: EmptyModel, ctx: Context) -> None:
        session = ctx._port._session  # type: ignore[attr-defined]
        session.log_backlog = 3  # as if the connection were slow
        ctx.log("dropped")
        session.log_backlog = 0
        ctx.log("kept")
        logged.set()

    with working(hatchet.worker("w", workflows=[large, chatty])):
        with pytest.raises(ValueError, match="the engine stores at most 1,000"):
            large.run()
        chatty.run()
        assert logged.wait(10)
    assert [line.message for line in engine.all("logs")] == ["kept"]


def test_a_worker_refused_after_a_cut_asks_again(
    engine: FakeEngine, hatchet: Hatchet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "REJOIN_S", 0.02)

    @hatchet.task()
    async def task(input: EmptyModel, ctx: Context) -> None: ...

    joins = 0

    def refuse_once(stream: Any, frame: Any) -> None:
        nonlocal joins
        if frame.HasField("register_worker"):
            joins += 1
            if joins == 2:
                answer = EngineFrame()
                answer.worker_registered.error.code = 9
                answer.worker_registered.error.message = "still connected"
                stream.out.put_nowait(answer)
                frame.ClearField("register_worker")

    engine.on_frame = refuse_once
    with working(hatchet.worker("w", workflows=[task])):
        engine.cut()
        engine.wait_for(lambda: joins >= 3)
        task.run()


PROGRAM = """
import sys, time
from hatchet import Context, EmptyModel, Hatchet, ClientConfig
hatchet = Hatchet(config=ClientConfig(token=sys.argv[1]))

async def lifespan():
    yield 1
    print("closed", flush=True)

@hatchet.task()
def slow(input: EmptyModel, ctx: Context) -> dict[str, int]:
    print("started", flush=True)
    time.sleep(float(sys.argv[2]))
    print("finished", flush=True)
    return {"a": 1}

if __name__ == "__main__":
    worker = hatchet.worker("w", workflows=[slow], lifespan=lifespan)
    worker.start()
    print("returned", flush=True)
"""


@pytest.mark.parametrize(
    ("signals", "sleep_s", "code", "words"),
    [(1, 0.3, 0, ["started", "finished", "closed", "returned"]), (2, 30, 1, ["started"])],
)
def test_signals(
    engine: FakeEngine,
    hatchet: Hatchet,
    tmp_path: Path,
    signals: int,
    sleep_s: float,
    code: int,
    words: list[str],
) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    process = subprocess.Popen(
        [sys.executable, str(program), engine.token, str(sleep_s)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")},
    )
    try:
        engine.wait_for(lambda: any(stream.worker for stream in engine.streams))
        hatchet.stubs.task(name="slow").run_no_wait()
        assert process.stdout is not None
        lines: list[str] = []
        while "started" not in lines:
            lines.append(process.stdout.readline().strip())
        process.send_signal(signal.SIGTERM)
        if signals == 2:
            engine.wait_for(lambda: any(f.worker_change.paused for f in engine.frames))
            process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=15)
        lines += rest.splitlines()
    finally:
        process.kill()
        process.wait()
    assert process.returncode == code
    assert [
        line for line in lines if line in ("started", "finished", "closed", "returned")
    ] == words
    if code == 0:
        assert [report.kind for report in engine.all("reports")] == [2]
        engine.wait_for(lambda: any(frame.worker_change.leave for frame in engine.frames))
