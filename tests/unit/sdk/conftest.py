"""A fake engine, a client for it, and workers that end with the test."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from hatchet import ClientConfig, Hatchet, Worker

from .fake_engine import FakeEngine, running_engine


@pytest.fixture(autouse=True)
def quiet_asyncio(caplog: pytest.LogCaptureFixture) -> None:
    """Two loops of one process that both use grpc.aio make it log harmless noise."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)


@pytest.fixture
def engine() -> Iterator[FakeEngine]:
    with running_engine() as engine:
        yield engine


@pytest.fixture
def make_client(engine: FakeEngine) -> Iterator[Callable[..., Hatchet]]:
    made: list[Hatchet] = []

    def make(**settings: Any) -> Hatchet:
        hatchet = Hatchet(config=ClientConfig(**{"token": engine.token, **settings}))
        made.append(hatchet)
        return hatchet

    yield make
    for hatchet in made:
        hatchet.close()


@pytest.fixture
def hatchet(make_client: Callable[..., Hatchet]) -> Hatchet:
    return make_client()


@contextmanager
def working(worker: Worker) -> Iterator[Worker]:
    """Run a worker in a thread until the block ends."""
    failure: list[BaseException] = []

    def run() -> None:
        try:
            worker.start()
        except BaseException as error:
            failure.append(error)
            worker.registered.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert worker.registered.wait(10)
    try:
        if failure:
            raise failure[0]
        yield worker
    finally:
        worker.stop()
        thread.join(10)
        assert not thread.is_alive()
