"""What every official SDK must be able to do; subclassed for each of them.

class TestCore(CoreTests):
    sdk = TYPESCRIPT
"""

from __future__ import annotations

import time
from typing import ClassVar

import pytest

from tests.wire.base import SdkTests
from tests.wire.conftest import Bench
from tests.wire.sdks import Client, SdkError, Worker, new_key


class CoreTests(SdkTests):
    """Each test asks the client program for something and sees what comes of it."""

    draining_statuses: ClassVar[tuple[str, ...]]  # of a worker that finishes its last tasks

    # --- triggering -------------------------------------------------------------------------

    def test_run_returns_the_output(self, client: Client, key: str) -> None:
        assert client.run("echo", key, number=7) == {"key": key, "number": 7, "retry_count": 0}

    def test_run_many_keeps_the_order(self, client: Client, key: str) -> None:
        inputs = [{"key": key, "number": number} for number in range(100)]
        outputs = client.call("run_many", task="echo", inputs=inputs)
        assert [output["number"] for output in outputs] == list(range(100))

    def test_many_runs_at_a_time(self, client: Client, key: str) -> None:
        begun = [client.begin_run("echo", key, number=number) for number in range(50)]
        assert [one.result()["number"] for one in begun] == list(range(50))

    def test_result_of_a_run_triggered_earlier(self, client: Client, key: str) -> None:
        run_id = client.start("echo", key, number=1)
        client.wait_status(run_id, "COMPLETED")
        assert client.call("result", run_id=run_id)["echo"]["number"] == 1

    def test_metadata_and_priority_reach_the_task(self, client: Client, key: str) -> None:
        seen = client.run("telling", key, metadata={"customer": "Ada"}, priority=3)
        assert seen["metadata"]["customer"] == "Ada"
        assert seen["priority"] == 3

    def test_metadata_of_a_bulk_run(self, client: Client, key: str) -> None:
        inputs = [{"key": key}] * 3
        seen = client.call("run_many", task="telling", inputs=inputs, metadata={"lot": key})
        assert [one["metadata"]["lot"] for one in seen] == [key] * 3
        assert len({one["workflow_run_id"] for one in seen}) == 3

    # --- failures ---------------------------------------------------------------------------

    def test_retries_until_it_succeeds(self, client: Client, worker: Worker, key: str) -> None:
        assert client.run("flaky", key, fails=2)["retry_count"] == 2
        assert [e["retry_count"] for e in worker.events(key, "start")] == [0, 1, 2]

    def test_retries_exhausted(self, client: Client, worker: Worker, key: str) -> None:
        run_id = client.start("flaky", key, fails=9)
        run = client.wait_status(run_id, "FAILED")
        assert "failure number 3" in run["error"]
        assert run["tasks"][0]["retry_count"] == 3
        assert [e["retry_count"] for e in worker.events(key, "start")] == [0, 1, 2, 3]
        with pytest.raises(SdkError, match="failure number 3"):
            client.call("result", run_id=run_id)

    def test_not_retryable(self, client: Client, worker: Worker, key: str) -> None:
        with pytest.raises(SdkError, match="there is no hope"):
            client.run("hopeless", key)
        assert len(worker.events(key, "start")) == 1

    def test_backoff(self, client: Client, worker: Worker, key: str) -> None:
        assert client.run("backing-off", key, fails=2)["retry_count"] == 2
        times = [event["at"] for event in worker.events(key, "start")]
        assert 1.1 < times[1] - times[0] < 4.0  # 1.2 s
        assert 1.3 < times[2] - times[1] < 4.5  # 1.44 s

    # --- timeouts ---------------------------------------------------------------------------

    def test_timeout_then_retry(self, client: Client, worker: Worker, key: str) -> None:
        began = time.time()
        run_id = client.start("slow", key, fails=1)
        run = client.wait_status(run_id, "COMPLETED")
        assert run["tasks"][0]["retry_count"] == 1
        # The attempt that took too long was told to stop.
        assert worker.wait_event(key, "cancelled")["retry_count"] == 0
        assert 0.95 < worker.events(key, "start")[1]["at"] - began < 4.0  # after a second

    def test_timeout_without_retries_left(self, client: Client, key: str) -> None:
        with pytest.raises(SdkError, match=r"(?i)timeout|timed out"):
            client.run("slow", key, fails=9)

    def test_refresh_timeout(self, client: Client, key: str) -> None:
        assert client.run("extended", key)["retry_count"] == 0

    # --- cancellation -----------------------------------------------------------------------

    def test_cancel_a_running_task(self, client: Client, worker: Worker, key: str) -> None:
        run_id = client.start("hold", key)
        worker.wait_event(key, "start")
        client.call("cancel", run_id=run_id)
        client.wait_status(run_id, "CANCELLED")
        worker.wait_event(key, "cancelled")
        worker.open_gate(key)
        assert client.call("get_status", run_id=run_id) == "CANCELLED"

    def test_whoever_waits_gets_an_empty_result_of_a_cancelled_run(
        self, client: Client, worker: Worker, key: str
    ) -> None:
        """CX-13: official SDKs do not raise; TypeScript's names the task, with an empty output."""
        run_id = client.start("hold", key)
        worker.wait_event(key, "start")
        waiting = client.begin("result", run_id=run_id)
        client.call("cancel", run_id=run_id)
        assert not any(waiting.result().values())

    def test_cancel_a_queued_task(self, client: Client, narrow_worker: Worker, key: str) -> None:
        holder = new_key()
        holding = client.begin_run("narrow-hold", holder)
        narrow_worker.wait_event(holder, "start")
        run_id = client.start("narrow", key)
        assert client.call("get", run_id=run_id)["status"] == "QUEUED"
        client.call("cancel", run_id=run_id)
        client.wait_status(run_id, "CANCELLED")
        narrow_worker.open_gate(holder)
        holding.result()
        client.run("narrow", new_key())
        assert narrow_worker.events(key) == []

    # --- slots and queue --------------------------------------------------------------------

    def test_release_slot(self, client: Client, narrow_worker: Worker, key: str) -> None:
        holding = client.begin_run("narrow-hold", key, release_slot=True)
        narrow_worker.wait_event(key, "released")
        client.run("narrow", new_key())
        narrow_worker.open_gate(key)
        assert holding.result()["retry_count"] == 0

    def test_high_priority_goes_first(
        self, client: Client, narrow_worker: Worker, key: str
    ) -> None:
        holding = client.begin_run("narrow-hold", key)
        narrow_worker.wait_event(key, "start")
        keys = [new_key() for _ in range(3)]
        runs = [
            client.start("narrow", one, priority=priority)
            for one, priority in zip(keys, (1, 2, 3), strict=True)
        ]
        narrow_worker.open_gate(key)
        holding.result()
        for run_id in runs:
            client.wait_status(run_id, "COMPLETED")
        times = [narrow_worker.events(one, "start")[0]["at"] for one in keys]
        assert times[2] < times[1] < times[0]

    # --- looking at runs --------------------------------------------------------------------

    def test_run_is_visible_once_it_is_triggered(self, client: Client, key: str) -> None:
        run_id = client.start("echo", key, metadata={"visible": key}, number=5)
        run = client.call("get", run_id=run_id)
        assert run["status"] in ("QUEUED", "RUNNING", "COMPLETED")
        assert run["metadata"]["visible"] == key
        assert "echo" in run["name"]
        details = client.call("get_details", run_id=run_id)
        assert details["input"]["number"] == 5

    def test_finished_run(self, client: Client, key: str) -> None:
        run_id = client.start("echo", key, number=5)
        run = client.wait_status(run_id, "COMPLETED")
        assert run["output"]["number"] == 5
        assert run["tasks"][0]["output"]["number"] == 5
        assert client.call("get_status", run_id=run_id) == "COMPLETED"
        details = client.call("get_details", run_id=run_id)
        assert details["done"]
        assert details["status"] == "COMPLETED"
        assert details["tasks"]["echo"]["output"]["number"] == 5

    def test_list_by_metadata_and_status(self, client: Client, key: str) -> None:
        inputs = [{"key": key, "number": number} for number in range(5)]
        client.call("run_many", task="echo", inputs=inputs, metadata={"lot": key})
        failed = client.start("hopeless", new_key(), metadata={"lot": key})
        client.wait_status(failed, "FAILED")
        rows = client.call("list_runs", metadata={"lot": key})
        assert len(rows) == 6
        rows = client.call("list_runs", metadata={"lot": key}, statuses=["FAILED"])
        assert [row["id"] for row in rows] == [failed]
        pages = [
            client.call("list_runs", metadata={"lot": key}, limit=4, offset=offset)
            for offset in (0, 4)
        ]
        assert [len(page) for page in pages] == [4, 2]
        assert len({row["id"] for page in pages for row in page}) == 6

    def test_replay(self, client: Client, worker: Worker, key: str) -> None:
        run_id = client.start("hopeless", key)
        client.wait_status(run_id, "FAILED")
        client.call("replay", run_id=run_id)
        again = worker.wait_event(key, "start", retry_count=1)
        client.wait_status(run_id, "FAILED")
        assert again["retry_count"] == 1
        assert len(worker.events(key, "start")) == 2

    def test_logs(self, client: Client, worker: Worker, key: str) -> None:
        run_id = client.start("talkative", key, fails=1)
        client.wait_status(run_id, "COMPLETED")
        lines = client.wait_until(
            lambda: client.call("logs", run_id=run_id),
            lambda lines: len(lines) >= 4,
            "four log lines",
        )
        assert sorted(line["message"] for line in lines) == [
            "first line of attempt 1",
            "first line of attempt 2",
            "second line of attempt 1",
            "second line of attempt 2",
        ]
        for line in lines:
            assert line["message"].endswith(str(line["attempt"]))

    # --- workers and workflows --------------------------------------------------------------

    def test_worker_is_listed(self, client: Client, worker: Worker) -> None:
        assert client.worker_status(worker) == "ACTIVE"

    def test_workflow_is_listed(self, client: Client) -> None:
        found = client.call("workflows", name=self.sdk.namespaced("echo"))
        assert self.sdk.namespaced("echo") in [one["name"] for one in found]

    # --- drain ------------------------------------------------------------------------------

    @pytest.mark.timeout(60)
    def test_sigterm_lets_running_tasks_finish(
        self, bench: Bench, client: Client, worker: Worker, key: str
    ) -> None:
        leaving = bench.new_worker(self.sdk, f"leaving-{key[:8]}")
        # Both workers may take it; trigger until the one that is to leave has got one.
        begun = {}
        deadline = time.monotonic() + 20
        while not any(leaving.events(one, "start") for one in begun):
            assert time.monotonic() < deadline
            one = new_key()
            begun[one] = client.begin_run("hold", one)
            client.wait_until(
                lambda one=one: leaving.events(one, "start") + worker.events(one, "start"),
                bool,
                "the task starts",
            )
        leaving.program.terminate()
        client.wait_worker(leaving, *self.draining_statuses)
        for one in begun:
            leaving.open_gate(one)
        assert {call.result()["retry_count"] for call in begun.values()} == {0}
        leaving.program.wait()
        client.wait_worker(leaving, "PAUSED", "INACTIVE", None)
