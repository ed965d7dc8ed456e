"""Servers, workers and clients of the wire tests; and what they printed, when a test fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.processes import Program, output_since
from tests.support.server import Server, running_server
from tests.wire.sdks import Client, Sdk, Worker

started_at = pytest.StashKey[float]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    item.stash[started_at] = time.monotonic()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.failed:
        for name, text in output_since(item.stash[started_at]):
            report.sections.append((f"output of {name} during this test", text))
    return report


class Bench:
    """One server, and the workers and clients on it, each started when it is first asked for."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._clients: dict[str, Client] = {}
        self._workers: dict[tuple[str, str], Worker] = {}
        self._programs: list[Program] = []

    def client(self, sdk: Sdk) -> Client:
        """The client that stays for all tests of this SDK."""
        if sdk.name not in self._clients:
            client = sdk.start_client(self.server)
            self._programs.append(client.program)
            self._clients[sdk.name] = client
        return self._clients[sdk.name]

    def worker(self, sdk: Sdk) -> Worker:
        """The worker with many slots that stays for all tests of this SDK."""
        return self._shared(sdk, "all", 100)

    def narrow_worker(self, sdk: Sdk) -> Worker:
        """The worker with a single slot."""
        return self._shared(sdk, "narrow", 1)

    def stop_worker(self, sdk: Sdk) -> None:
        """Stop the worker with many slots, if it runs; `worker` starts it again."""
        worker = self._workers.pop((sdk.name, "all"), None)
        if worker is not None:
            worker.program.terminate()
            worker.program.wait()

    def new_worker(self, sdk: Sdk, name: str) -> Worker:
        """A worker for one test, listening."""
        worker = self._start_worker(sdk, name, "all", 100)
        self.client(sdk).wait_worker(worker, "ACTIVE")
        return worker

    def pair(self, sdk: Sdk) -> None:
        """The two workers that differ in their labels, for the tasks of the set `routed`."""
        names = ("left", "right")
        missing = [name for name in names if (sdk.name, name) not in self._workers]
        started = [self._start_worker(sdk, name, "routed", 20) for name in missing]
        for name, worker in zip(missing, started, strict=True):
            self._workers[sdk.name, name] = worker
            self.client(sdk).wait_worker(worker, "ACTIVE")

    def prepare(self, sdk: Sdk) -> None:
        """Start all that stays, at once rather than one after the other."""
        wanted = {"all": 100, "narrow": 1}
        missing = [tasks for tasks in wanted if (sdk.name, tasks) not in self._workers]
        started = [
            self._start_worker(sdk, f"{tasks}-worker", tasks, wanted[tasks]) for tasks in missing
        ]
        client = self.client(sdk)
        for tasks, worker in zip(missing, started, strict=True):
            self._workers[sdk.name, tasks] = worker
            client.wait_worker(worker, "ACTIVE")

    def end(self) -> None:
        for program in self._programs:
            program.kill()

    def _shared(self, sdk: Sdk, tasks: str, slots: int) -> Worker:
        if (sdk.name, tasks) not in self._workers:
            worker = self._start_worker(sdk, f"{tasks}-worker", tasks, slots)
            self._workers[sdk.name, tasks] = worker
            self.client(sdk).wait_worker(worker, "ACTIVE")
        return self._workers[sdk.name, tasks]

    def _start_worker(self, sdk: Sdk, name: str, tasks: str, slots: int) -> Worker:
        worker = sdk.start_worker(self.server, name, tasks, slots)
        self._programs.append(worker.program)
        return worker


def _bench(**environ: str) -> Iterator[Bench]:
    with running_server(environ) as server:
        bench = Bench(server)
        try:
            yield bench
        finally:
            bench.end()


@pytest.fixture(scope="package")
def bench() -> Iterator[Bench]:
    """The server of the ordinary tests, which nobody stops."""
    yield from _bench()


@pytest.fixture(scope="package")
def restart_bench() -> Iterator[Bench]:
    """The server that tests stop, kill and start again."""
    yield from _bench()


@pytest.fixture(scope="package")
def impatient_bench() -> Iterator[Bench]:
    """The server that gives up a silent worker after five seconds, the least it takes."""
    yield from _bench(HATCHET_WORKER_HEARTBEAT_TIMEOUT_S="5")


@pytest.fixture
def start_program() -> Iterator[Callable[..., Program]]:
    """Starts programs that are ended with the test."""
    programs: list[Program] = []

    def start(*args: object, **options: object) -> Program:
        program = Program(*args, **options)  # type: ignore[arg-type]
        programs.append(program)
        return program

    yield start
    for program in programs:
        program.kill()
