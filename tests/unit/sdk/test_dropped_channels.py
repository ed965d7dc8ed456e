"""A channel that is given up takes the calls on it with it; they go on by another one."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from hatchet import Hatchet, TriggerOutcomeUnknownError

from .fake_engine import FakeEngine


def on_loop(loop: Any, coroutine: Any) -> Any:
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(10)


@contextmanager
def silent(engine: FakeEngine) -> Iterator[socket.socket]:
    """Somebody takes connections in place of the engine, and says nothing."""
    port = engine.port
    on_loop(engine.loop, engine.stop())
    with socket.create_server(("127.0.0.1", port)) as listener:
        listener.settimeout(10)
        yield listener
    on_loop(engine.loop, engine.start(port))


def drop_channel(hatchet: Hatchet) -> None:
    """What a call does whose attempt has failed."""
    session = hatchet._client.session
    on_loop(session._io.loop, session._drop_channel())


@contextmanager
def dropped(engine: FakeEngine, hatchet: Hatchet, call: Callable[[], Any]) -> Iterator[Any]:
    """A call that was under way when its channel was dropped; the engine is there again."""
    with ThreadPoolExecutor(1) as pool:
        with silent(engine) as listener:
            pending = pool.submit(call)
            connection, _ = listener.accept()
            with connection:
                drop_channel(hatchet)
        yield pending


def test_a_call_is_repeated(engine: FakeEngine, hatchet: Hatchet) -> None:
    with dropped(engine, hatchet, lambda: hatchet.rate_limits.put("api", 5)) as pending:
        pending.result(10)
    assert [limit.key for limit in engine.limits] == ["api"]


def test_a_call_that_must_not_be_done_twice_is_in_doubt(
    engine: FakeEngine, hatchet: Hatchet
) -> None:
    stub = hatchet.stubs.task(name="t")
    call = dropped(engine, hatchet, lambda: stub.schedule(datetime.now(UTC)))
    with call as pending, pytest.raises(TriggerOutcomeUnknownError):
        pending.result(10)


def test_a_call_does_not_take_the_channel_of_a_session_that_connects(
    engine: FakeEngine, hatchet: Hatchet
) -> None:
    """The session would wait for its welcome until the time for that is over."""
    engine.assign = False
    stub = hatchet.stubs.task(name="t")
    with dropped(engine, hatchet, stub.run_no_wait) as pending:
        assert pending.result(5).workflow_run_id
    assert len(engine.runs) == 1
