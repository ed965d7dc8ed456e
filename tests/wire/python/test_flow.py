"""Concurrency, rate limits and pauses with the official Python SDK, new and old."""

from __future__ import annotations

import time

import pytest

from tests.wire.flow import QUIET_S, FlowTests, NewFlowTests
from tests.wire.sdks import PYTHON, PYTHON_OLD, Client, Worker, new_key

pytestmark = [pytest.mark.wire, pytest.mark.timeout(60)]


class TestPython(NewFlowTests):
    sdk = PYTHON

    def workflow_id(self, client: Client, name: str) -> str:
        [row] = [one for one in client.call("workflows", name=name) if one["name"] == name]
        id: str = row["id"]
        return id

    def test_reg_24_paused_runs_wait_and_reg_26_go_on(self, client: Client, worker: Worker) -> None:
        workflow_id = self.workflow_id(client, "hold")
        before, after = new_key(), new_key()
        running = client.start("hold", before)
        worker.wait_event(before, "start")
        try:
            assert client.call("pause_workflow", workflow_id=workflow_id, queue_ttl_s=3600) is True
            waiting = client.start("hold", after)
            worker.open_gate(before)  # what runs goes on
            client.wait_status(running, "COMPLETED")
            time.sleep(QUIET_S)
            assert client.call("get", run_id=waiting)["status"] == "QUEUED"
            assert not worker.events(after)
        finally:
            assert client.call("unpause_workflow", workflow_id=workflow_id) is False
        worker.open_gate(after)
        client.wait_status(waiting, "COMPLETED")

    def test_reg_25_what_waits_too_long_is_cancelled(self, client: Client, worker: Worker) -> None:
        workflow_id = self.workflow_id(client, "nothing")
        client.call("pause_workflow", workflow_id=workflow_id, queue_ttl_s=3)
        try:
            run_id = client.start("nothing", new_key())
            assert client.call("get", run_id=run_id)["status"] == "QUEUED"
            client.wait_status(run_id, "CANCELLED", timeout_s=10)
        finally:
            client.call("unpause_workflow", workflow_id=workflow_id)

    def test_b16_paused_rate_limit(self, client: Client, worker: Worker, group: str) -> None:
        first, second = new_key(), new_key()
        client.run("metered-by-key", first, group=group, number=1)
        limit = f"wire-{group}"
        began = time.time()
        assert 3 < client.call("pause_rate_limit", limit_key=limit, seconds=4) < 4.1
        assert 2 < client.call("pause_rate_limit", limit_key=limit, seconds=0.1) < 4.1
        client.run("metered-by-key", second, group=group, number=1)
        assert worker.events(second, "start")[0]["at"] - began > 3.9

    def test_metrics_by_key(self, client: Client, worker: Worker, group: str) -> None:
        keys = [new_key() for _ in range(5)]
        for key in keys:
            client.start("turns", key, group=group)
        worker.wait_event(keys[1], "start")
        assert client.call("queue_metrics")["turns"] == {group: 3}
        stats = client.call("task_stats")["turns"]
        for state, tasks in (("queued", 3), ("running", 2)):
            [rule] = stats[state]["concurrency"]
            assert (rule["expression"], rule["type"]) == ("input.group", "GROUP_ROUND_ROBIN")
            assert rule["keys"][group] == tasks
        for key in keys:
            worker.open_gate(key)
        worker.wait_event(keys[4], "end")


class TestPythonOld(FlowTests):
    sdk = PYTHON_OLD
