"""What the official Python SDK offers beyond the core: sync calls and the feature clients."""

from __future__ import annotations

import pytest

from tests.wire.conftest import Bench
from tests.wire.sdks import PYTHON, Client, SdkError, Worker, new_key

pytestmark = [pytest.mark.wire, pytest.mark.timeout(60)]


@pytest.fixture
def client(bench: Bench) -> Client:
    bench.prepare(PYTHON)
    return bench.client(PYTHON)


@pytest.fixture
def worker(client: Client, bench: Bench) -> Worker:
    return bench.worker(PYTHON)


@pytest.fixture
def key(worker: Worker) -> str:
    return new_key()


# --- triggering ---------------------------------------------------------------------------------


def test_sync_run_of_a_sync_task(client: Client, key: str) -> None:
    output = client.call("run_sync", task="echo-sync", input={"key": key})
    assert output == {"key": key, "text": "ünïcode ✓", "nested": {"list": [1, None, 2.5]}}


def test_sync_bulk_run(client: Client, key: str) -> None:
    inputs = [{"key": key, "number": number} for number in range(50)]
    outputs = client.call("run_many_sync", task="echo", inputs=inputs)
    assert [output["number"] for output in outputs] == list(range(50))


def test_task_without_output(client: Client, key: str) -> None:
    run_id = client.start("nothing", key)
    client.wait_status(run_id, "COMPLETED")
    assert not client.call("result", run_id=run_id).get("nothing")


def test_bulk_run_with_failures(client: Client) -> None:
    inputs = [{"key": new_key(), "fails": fails} for fails in (0, 9, 1)]
    good, bad, late = client.call("run_many_with_failures", task="flaky", inputs=inputs)
    assert good["retry_count"] == 0
    assert "failure number 3" in bad["error"]
    assert late["retry_count"] == 1


def test_create_by_name(client: Client, key: str) -> None:
    run_id = client.call(
        "create", workflow="echo", input={"key": key, "number": 4}, metadata={"by": "name"}
    )
    run = client.wait_status(run_id, "COMPLETED")
    assert run["output"]["number"] == 4
    assert run["metadata"]["by"] == "name"


def test_create_of_an_unknown_workflow(client: Client) -> None:
    with pytest.raises(SdkError, match="no-such-workflow"):
        client.call("create", workflow="no-such-workflow", input={})


# --- runs ---------------------------------------------------------------------------------------


def test_get_result(client: Client, key: str) -> None:
    run_id = client.start("echo", key, number=9)
    client.wait_status(run_id, "COMPLETED")
    assert client.call("get_result", run_id=run_id)["number"] == 9
    task = client.call("get_task_run", run_id=run_id)
    assert task == {
        "status": "COMPLETED",
        "retry_count": 0,
        "output": {"key": key, "number": 9, "retry_count": 0},
    }


def test_details_of_a_failed_run(client: Client, key: str) -> None:
    run_id = client.start("hopeless", key)
    client.wait_status(run_id, "FAILED")
    details = client.call("get_details", run_id=run_id)
    assert details["done"]
    assert details["status"] == "FAILED"
    assert "there is no hope" in details["tasks"]["hopeless"]["error"]


def test_sync_result_of_a_cancelled_run(client: Client, worker: Worker, key: str) -> None:
    run_id = client.start("hold", key)
    worker.wait_event(key, "start")
    client.call("cancel", run_id=run_id)
    with pytest.raises(SdkError, match="cancelled"):
        client.call("result_sync", run_id=run_id)


def test_bulk_cancel(client: Client, worker: Worker) -> None:
    keys = [new_key() for _ in range(5)]
    runs = [client.start("hold", key) for key in keys]
    for key in keys:
        worker.wait_event(key, "start")
    client.call("cancel_many", run_ids=runs)
    for run_id, key in zip(runs, keys, strict=True):
        client.wait_status(run_id, "CANCELLED")
        worker.wait_event(key, "cancelled")


def test_replay_of_a_completed_run(client: Client, worker: Worker, key: str) -> None:
    run_id = client.start("echo", key)
    client.wait_status(run_id, "COMPLETED")
    client.call("replay", run_id=run_id)
    worker.wait_event(key, "start", retry_count=1)
    run = client.wait_status(run_id, "COMPLETED")
    assert run["output"]["retry_count"] == 1
    assert client.call("result", run_id=run_id)["echo"]["retry_count"] == 1


def test_list_by_workflow(client: Client, key: str) -> None:
    run_id = client.start("echo", key, metadata={"lot": key})
    client.start("nothing", key, metadata={"lot": key})
    (echo,) = [one for one in client.call("workflows", name="echo") if one["name"] == "echo"]
    rows = client.call(
        "list_runs", metadata={"lot": key}, workflow_ids=[echo["id"]], only_tasks=True
    )
    assert [row["id"] for row in rows] == [run_id]


# --- workers and workflows ----------------------------------------------------------------------


def test_one_worker(client: Client, worker: Worker) -> None:
    (row,) = [
        one
        for one in client.call("workers")
        if (one["name"], one["status"]) == (worker.name, "ACTIVE")
    ]
    found = client.call("worker", worker_id=row["id"])
    assert found["name"] == worker.name
    assert found["runtime_info"]["sdk_version"]
    assert {"echo:echo", "hold:hold"} <= set(found["actions"])
    assert found["slot_config"]["default"]["limit"] == 100


def test_pause_and_unpause(bench: Bench, client: Client, worker: Worker) -> None:
    narrow = bench.narrow_worker(PYTHON)
    (row,) = [
        one
        for one in client.call("workers")
        if (one["name"], one["status"]) == (narrow.name, "ACTIVE")
    ]
    assert client.call("pause_worker", worker_id=row["id"]) == "PAUSED"
    run_id = client.start("narrow", new_key())
    other = client.start("echo", new_key())
    client.wait_status(other, "COMPLETED")
    assert client.call("get", run_id=run_id)["status"] == "QUEUED"
    assert client.call("unpause_worker", worker_id=row["id"]) == "ACTIVE"
    client.wait_status(run_id, "COMPLETED")


def test_one_workflow(client: Client, worker: Worker) -> None:
    (row,) = [one for one in client.call("workflows", name="slow") if one["name"] == "slow"]
    found = client.call("workflow", workflow_id=row["id"])
    assert found["id"] == found["version_workflow_id"] == row["id"]
    assert found["name"] == "slow"
    assert found["versions"] == 1
    assert found["has_config"]


def test_queue_metrics(client: Client, worker: Worker) -> None:
    assert isinstance(client.call("queue_metrics"), dict)
