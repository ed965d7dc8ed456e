"""The session stream: batching, breaking, coming back."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from pydantic import BaseModel

from hatchet import (
    Context,
    EmptyModel,
    EngineUnavailableError,
    Hatchet,
    HatchetCallError,
    TriggerOutcomeUnknownError,
)
from hatchet_protocol.session import EngineFrame

from .conftest import working
from .fake_engine import FakeEngine, make_token


class Number(BaseModel):
    value: int


def test_concurrent_callers_share_frames(engine: FakeEngine, hatchet: Hatchet) -> None:
    engine.assign = False
    stub = hatchet.stubs.task(name="t", input_validator=Number)

    async def many() -> None:
        await asyncio.gather(*(stub.aio_run_no_wait(Number(value=n)) for n in range(500)))

    asyncio.run(many())
    with_triggers = [frame for frame in engine.frames if frame.triggers]
    assert sum(len(frame.triggers) for frame in with_triggers) == 500
    assert len(with_triggers) < 50


def test_frames_respect_the_engines_limit(engine: FakeEngine, hatchet: Hatchet) -> None:
    engine.assign = False
    engine.max_frame_bytes = 10_000
    stub = hatchet.stubs.task(name="t", input_validator=dict[str, str])

    async def many() -> None:
        await asyncio.gather(*(stub.aio_run_no_wait({"a": "x" * 3000}) for _ in range(20)))

    asyncio.run(many())
    sizes = [frame.ByteSize() for frame in engine.frames]
    assert max(sizes) <= 10_000
    with pytest.raises(ValueError, match="12,"):
        stub.run_no_wait({"a": "x" * 12_000})
    stub.run_no_wait({"a": "it still works"})


def test_reports_are_sent_again_until_acknowledged(engine: FakeEngine, hatchet: Hatchet) -> None:
    @hatchet.task()
    async def task(input: Number, ctx: Context) -> Number:
        return input

    engine.auto_ack = False
    with working(hatchet.worker("w", workflows=[task])) as worker:
        assert task.run(Number(value=1)) == Number(value=1)
        worker_id = worker.id
        (first,) = engine.all("reports")
        seen = len(engine.frames)
        engine.auto_ack = True
        engine.cut()
        engine.wait_for(lambda: len(engine.all("reports")) >= 2)
        again = engine.frames[seen:]
        (register,) = [f.register_worker for f in again if f.HasField("register_worker")]
        assert [(held.task_id, held.attempt) for held in register.held] == [(first.task_id, 0)]
        assert len(register.actions) == 1
        (resent,) = [report for frame in again for report in frame.reports]
        assert resent == first
        assert worker.id == worker_id
        engine.cut()
        engine.wait_for(lambda: sum(f.HasField("register_worker") for f in engine.frames) >= 3)
        assert task.run(Number(value=2)) == Number(value=2)
    last = [f.register_worker for f in engine.frames if f.HasField("register_worker")][-1]
    assert list(last.held) == []


def test_a_running_task_survives_a_cut(engine: FakeEngine, hatchet: Hatchet) -> None:
    go_on = threading.Event()

    @hatchet.task()
    def slow(input: EmptyModel, ctx: Context) -> dict[str, int]:
        assert go_on.wait(10)
        return {"done": 1}

    with working(hatchet.worker("w", workflows=[slow])):
        ref = slow.run_no_wait()
        engine.wait_for(lambda: engine.runs)
        results: list[Any] = []
        waiter = threading.Thread(target=lambda: results.append(ref.result()))
        waiter.start()
        engine.wait_for(lambda: engine.all("subscribe"))
        engine.cut()
        engine.wait_for(lambda: sum(f.HasField("register_worker") for f in engine.frames) >= 2)
        # The engine gives it again, as it would if it had not heard of `held`: it runs once.
        engine.call(lambda: engine.assign_run(next(iter(engine.runs)), 0))
        go_on.set()
        waiter.join(10)
    assert results == [{"done": 1}] or results[0].model_extra == {"done": 1}
    assert len(engine.all("reports")) == 1


def test_unanswered_triggers_are_sent_again_on_the_next_stream(
    engine: FakeEngine, hatchet: Hatchet
) -> None:
    """Once more and once more again, before what comes later, and marked as repeats."""
    engine.auto_reply = False
    engine.assign = False
    stub = hatchet.stubs.task(name="t")
    ids: list[str] = []

    def call() -> None:
        items = [stub.create_bulk_run_item({"n": number}) for number in range(3)]
        ids.extend(ref.workflow_run_id for ref in stub.run_many_no_wait(items))

    caller = threading.Thread(target=call)
    caller.start()
    for times in (1, 2):
        engine.wait_for(lambda wanted=times: len(engine.all("triggers")) == wanted)
        engine.cut()
    engine.auto_reply = True
    caller.join(10)
    assert ids == [str(uuid.UUID(bytes=run_id)) for run_id in engine.runs]
    first, second, third = engine.all("triggers")
    assert first.origin
    assert first.origin == second.origin == third.origin
    assert first.items == second.items == third.items
    assert not first.HasField("resent_after_ms")
    assert 0 <= second.resent_after_ms <= third.resent_after_ms < 10_000
    instances = {frame.hello.instance for frame in engine.frames if frame.HasField("hello")}
    assert len(instances) == 1
    assert len(instances.pop()) == 16
    stub.run_no_wait()
    assert engine.all("triggers")[-1].origin != first.origin


def test_unanswered_triggers_have_an_unknown_outcome_when_the_engine_stays_away(
    engine: FakeEngine, make_client: Callable[..., Hatchet]
) -> None:
    engine.auto_reply = False
    stub = make_client(trigger_timeout_s=1.0).stubs.task(name="t")

    def leave() -> None:
        engine.wait_for(lambda: engine.all("triggers"))
        asyncio.run_coroutine_threadsafe(engine.stop(), engine.loop).result(10)

    leaver = threading.Thread(target=leave)
    leaver.start()
    with pytest.raises(TriggerOutcomeUnknownError, match="may or may not exist"):
        stub.run()
    leaver.join()
    with pytest.raises(EngineUnavailableError):  # this one was never sent
        stub.run()


def test_unanswered_triggers_have_an_unknown_outcome_when_the_engine_refuses_the_client(
    engine: FakeEngine, hatchet: Hatchet
) -> None:
    engine.auto_reply = False
    stub = hatchet.stubs.task(name="t")

    def refuse() -> None:
        engine.wait_for(lambda: engine.all("triggers"))
        engine.refuse = (grpc.StatusCode.UNAUTHENTICATED, "no more")
        engine.cut()

    refuser = threading.Thread(target=refuse)
    refuser.start()
    with pytest.raises(TriggerOutcomeUnknownError, match="may or may not exist"):
        stub.run()
    refuser.join()


def test_a_silent_engine(engine: FakeEngine, make_client: Callable[..., Hatchet]) -> None:
    engine.auto_reply = False
    hatchet = make_client(trigger_timeout_s=0.2)
    with pytest.raises(TriggerOutcomeUnknownError, match="did not answer"):
        hatchet.stubs.task(name="t").run()


def test_an_engine_that_is_not_there(make_client: Callable[..., Hatchet]) -> None:
    hatchet = make_client(token=make_token("127.0.0.1:1"), trigger_timeout_s=0.3)
    stub = hatchet.stubs.task(name="t")
    began = time.monotonic()
    with pytest.raises(EngineUnavailableError, match=r"127\.0\.0\.1:1.*hatchet server"):
        stub.run()
    with pytest.raises(EngineUnavailableError):
        asyncio.run(stub.aio_run())
    assert time.monotonic() - began < 5


def test_triggers_wait_for_the_engine(engine: FakeEngine, hatchet: Hatchet) -> None:
    """What was not written yet is sent when the engine is there."""
    port = engine.port
    asyncio.run_coroutine_threadsafe(engine.stop(), engine.loop).result(10)
    engine.assign = False
    results: list[Any] = []
    stub = hatchet.stubs.task(name="t")
    caller = threading.Thread(target=lambda: results.append(stub.run_no_wait()))
    caller.start()
    asyncio.run_coroutine_threadsafe(engine.start(port), engine.loop).result(10)
    caller.join(10)
    assert len(results) == 1


@pytest.mark.parametrize(
    ("code", "text", "words"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, "invalid auth token", "token"),
        (grpc.StatusCode.UNIMPLEMENTED, "", "session protocol"),
    ],
)
def test_refused_clients(
    engine: FakeEngine, hatchet: Hatchet, code: grpc.StatusCode, text: str, words: str
) -> None:
    engine.refuse = (code, text)
    stub = hatchet.stubs.task(name="t")
    with pytest.raises(HatchetCallError, match=words) as caught:
        stub.run()
    assert caught.value.code == code.name

    @hatchet.task()
    async def task(input: EmptyModel, ctx: Context) -> None: ...

    with (
        pytest.raises(HatchetCallError, match=words),
        working(hatchet.worker("w", workflows=[task])),
    ):
        pass
    engine.refuse = None
    engine.assign = False
    assert stub.run_no_wait().workflow_run_id


def test_an_idle_client_only_sends_heartbeats(engine: FakeEngine, hatchet: Hatchet) -> None:
    engine.heartbeat_interval_ms = 100
    engine.assign = False
    hatchet.stubs.task(name="t").run_no_wait()
    start = len(engine.frames)
    engine.wait_for(lambda: len(engine.frames) >= start + 3)
    assert all(frame.heartbeat for frame in engine.frames[start:])
    assert all(frame.ByteSize() == 2 for frame in engine.frames[start:])


def test_answers_to_nobody_do_no_harm(engine: FakeEngine, hatchet: Hatchet) -> None:
    @hatchet.task()
    async def task(input: Number, ctx: Context) -> Number:
        return input

    with working(hatchet.worker("w", workflows=[task])):
        frame = EngineFrame(acked_seq=99)
        frame.results.add(run_id=b"x" * 16, status=2)
        frame.trigger_replies.add(request_id=12345)
        frame.task_replies.add(request_id=12345)
        frame.cancellations.add(task_id=b"y" * 16)
        engine.send(frame)
        assert task.run(Number(value=1)) == Number(value=1)


FORKING = """
import os, sys
from hatchet import ClientConfig, Hatchet

stub = Hatchet(config=ClientConfig(token=sys.argv[1])).stubs.task(name="t")

def in_child():
    if (pid := os.fork()) == 0:
        try:
            stub.run_no_wait()
            code = 0
        except RuntimeError as error:
            code = 7 if "fork" in str(error) else 1
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

print(in_child())       # before any use: the child connects by itself
stub.run_no_wait()
print(in_child())       # after: a clear error instead of a hang
stub.run_no_wait()      # the parent goes on
print("end")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forks_and_a_plain_end(engine: FakeEngine) -> None:
    engine.assign = False
    done = subprocess.run(
        [sys.executable, "-c", FORKING, engine.token],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")},
    )
    assert (done.stdout.split(), done.returncode) == (["0", "7", "end"], 0), done.stderr
    assert "Traceback" not in done.stderr
