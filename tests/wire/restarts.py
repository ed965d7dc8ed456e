"""Workers and the engine stop, die, freeze and come back; subclassed for each official SDK.

class TestRestarts(RestartTests):
    sdk = TYPESCRIPT
"""

from __future__ import annotations

import time
from typing import ClassVar

import pytest

from tests.wire.conftest import Bench
from tests.wire.sdks import Call, Client, Sdk, Worker, new_key

# The TypeScript SDK waits five seconds before it tries again, and ten the next time.
RECONNECT_TIMEOUT_S = 45.0


class RestartTests:
    """All on servers of their own, whose other clients and workers may be the other SDKs'."""

    sdk: ClassVar[Sdk]
    # For an SDK that loses reports while it is not connected: what it prints when it is again.
    connected_line: ClassVar[str | None] = None

    @pytest.fixture
    def key(self) -> str:
        return new_key()

    def test_worker_comes_back(self, restart_bench: Bench, key: str) -> None:
        """Runs that are triggered while there is no worker wait for it."""
        bench, sdk = restart_bench, self.sdk
        client = bench.client(sdk)
        bench.worker(sdk)
        bench.stop_worker(sdk)
        run_id = client.start("echo", key)
        assert client.call("get", run_id=run_id)["status"] == "QUEUED"
        worker = bench.worker(sdk)
        client.wait_status(run_id, "COMPLETED")
        assert [e["retry_count"] for e in worker.events(key, "start")] == [0]

    @pytest.mark.parametrize("way", ["kill", "stop"])
    def test_engine_comes_back(self, restart_bench: Bench, key: str, way: str) -> None:
        """Worker and client stay; nothing is lost, and nothing runs twice."""
        bench, sdk = restart_bench, self.sdk
        client, worker = bench.client(sdk), bench.worker(sdk)
        assert client.run("echo", key)["retry_count"] == 0
        early, late = new_key(), new_key()
        runs = {one: client.start("hold", one) for one in (early, late)}
        waiting = {one: client.begin("result", run_id=run_id) for one, run_id in runs.items()}
        for run_id in runs.values():
            client.wait_until(
                lambda run_id=run_id: client.call("get", run_id=run_id),
                lambda run: run["started"],
                "the engine knows that it has started",
            )
        getattr(bench.server, way)()
        went_at = time.monotonic()
        if self.connected_line is None:
            # This one ends while nobody is there to hear of it.
            worker.open_gate(early)
            worker.wait_event(early, "end")
        bench.server.start()
        if self.connected_line is not None:
            worker.program.wait_for_line(self.connected_line, since=went_at)
            worker.open_gate(early)
        assert waiting[early].result(RECONNECT_TIMEOUT_S)["hold"]["retry_count"] == 0
        worker.open_gate(late)
        assert waiting[late].result(RECONNECT_TIMEOUT_S)["hold"]["retry_count"] == 0
        after = new_key()
        assert client.begin_run("echo", after).result(RECONNECT_TIMEOUT_S)["retry_count"] == 0
        for one in (early, late, after):
            assert len(worker.events(one, "start")) == 1

    def test_other_worker_takes_over(self, impatient_bench: Bench, key: str) -> None:
        """A worker dies with its tasks."""
        bench, client, staying = self._staying(impatient_bench)
        dying = bench.new_worker(self.sdk, f"dying-{key[:8]}")
        begun = self._begin_until(client, dying, staying)
        dying.program.kill()
        mine = [one for one in begun if dying.events(one, "start")]
        for one in mine:
            staying.wait_event(one, "start", retry_count=1)
        for one in begun:
            staying.open_gate(one)
        for one, call in begun.items():
            assert call.result()["retry_count"] == (1 if one in mine else 0)
        client.wait_worker(dying, "INACTIVE", None)

    def test_late_report_of_a_frozen_worker(self, impatient_bench: Bench, key: str) -> None:
        """What a worker reports after its task went elsewhere does not count; it may go on."""
        bench, client, staying = self._staying(impatient_bench)
        frozen = bench.new_worker(self.sdk, f"frozen-{key[:8]}")
        begun = self._begin_until(client, frozen, staying)
        frozen.program.freeze()
        mine = next(one for one in begun if frozen.events(one, "start"))
        staying.wait_event(mine, "start", retry_count=1)
        frozen.program.thaw()
        frozen.open_gate(mine, attempt=0)
        frozen.wait_event(mine, "end", retry_count=0)
        # It is back, and its report has long been sent, once it runs something new.
        client.wait_worker(frozen, "ACTIVE", timeout_s=RECONNECT_TIMEOUT_S)
        begun |= self._begin_until(client, frozen, staying)
        for one in begun:
            staying.open_gate(one)
        assert begun[mine].result()["retry_count"] == 1
        frozen.program.kill()

    def _staying(self, bench: Bench) -> tuple[Bench, Client, Worker]:
        return bench, bench.client(self.sdk), bench.worker(self.sdk)

    @staticmethod
    def _begin_until(client: Client, wanted: Worker, other: Worker) -> dict[str, Call]:
        """Begin `hold` tasks until the wanted worker has got one of them."""
        begun: dict[str, Call] = {}
        deadline = time.monotonic() + 20
        while not any(wanted.events(one, "start") for one in begun):
            assert time.monotonic() < deadline, f"{wanted.name} gets no task"
            one = new_key()
            begun[one] = client.begin_run("hold", one)
            client.wait_until(
                lambda one=one: wanted.events(one, "start") + other.events(one, "start"),
                bool,
                "the task starts",
            )
        return begun
