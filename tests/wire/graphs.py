"""Workflows of several tasks, children, events and streams: what every official SDK must do.

class TestGraphs(GraphTests):
    sdk = TYPESCRIPT
"""

from __future__ import annotations

import pytest

from tests.wire.base import SdkTests
from tests.wire.sdks import Client, SdkError, Worker

CHILDREN = 50  # of the task `family`


class GraphTests(SdkTests):
    """The workflows are in `graphs.py` and `graphs.mjs` of the programs."""

    # --- graphs -----------------------------------------------------------------------------

    def test_diamond(self, client: Client, worker: Worker, key: str) -> None:
        result = client.run("diamond", key, number=4)
        assert result["top"]["number"] == 4
        assert result["left"]["number"] == 5
        assert result["right"]["number"] == 40
        assert result["bottom"] == {"left": 5, "right": 40}
        assert not result.get("rescue")
        kinds = [event["kind"] for event in worker.events(key)]
        assert kinds[0] == "top"
        assert sorted(kinds[1:3]) == ["left", "right"]
        assert kinds[3:] == ["bottom"]

    def test_details_of_a_diamond(self, client: Client, key: str) -> None:
        run_id = client.start("diamond", key, number=1, metadata={"customer": "Ada"})
        run = client.wait_status(run_id, "COMPLETED")
        assert run["metadata"]["customer"] == "Ada"
        # A skipped task, here the one on failure, counts as completed.
        assert [task["status"] for task in run["tasks"]] == ["COMPLETED"] * 5
        details = client.call("get_details", run_id=run_id)
        assert details["status"] == "COMPLETED"
        assert details["done"]
        assert details["tasks"]["bottom"]["output"] == {"left": 2, "right": 10}
        assert {"top", "left", "right", "bottom"} <= details["tasks"].keys()

    def test_failure_of_a_diamond(self, client: Client, worker: Worker, key: str) -> None:
        run_id = client.start("diamond", key, fails=1)
        rescue = worker.wait_event(key, "rescue")
        [(task, error)] = rescue["errors"].items()
        assert task == "left"
        assert "the left side broke" in error
        run = client.wait_status(run_id, "FAILED")
        assert sorted(task["status"] for task in run["tasks"]) == [
            "CANCELLED",  # bottom
            "COMPLETED",  # top
            "COMPLETED",  # right
            "COMPLETED",  # rescue
            "FAILED",  # left
        ]
        assert not worker.events(key, "bottom")
        with pytest.raises(SdkError, match="the left side broke"):
            client.call("result", run_id=run_id)

    def test_replay_of_a_diamond(self, client: Client, worker: Worker, key: str) -> None:
        run_id = client.start("diamond", key, number=2)
        client.wait_status(run_id, "COMPLETED")
        client.call("replay", run_id=run_id)
        again = client.wait_until(
            lambda: worker.events(key, "bottom"), lambda found: len(found) == 2, "it ran again"
        )
        assert again
        client.wait_status(run_id, "COMPLETED")
        assert len(worker.events(key)) == 8

    @pytest.mark.parametrize(
        ("number", "taken", "skipped"), [(9, "small", "large"), (10, "large", "small")]
    )
    def test_branches(
        self, client: Client, worker: Worker, key: str, number: int, taken: str, skipped: str
    ) -> None:
        result = client.run("branches", key, number=number)
        assert result["join"] == {"skipped": [skipped], "size": taken}
        assert [event["kind"] for event in worker.events(key)] == [taken]

    # --- waiting ----------------------------------------------------------------------------

    def test_wait_for_event_or_time(self, client: Client, worker: Worker, key: str) -> None:
        run_id = client.start("waiting", key)
        client.call("push", event="wire:go", payload={"key": key, "number": 6})
        assert not worker.events(key)
        client.call("push", event="wire:go", payload={"key": key, "number": 7})
        told = worker.wait_event(key, "told")
        timed = worker.wait_event(key, "timed")
        assert 0.9 < timed["at"] - told["at"] < 5.0  # a second after the parent has completed
        run = client.wait_status(run_id, "COMPLETED")
        assert len(run["tasks"]) == 2

    # --- children ---------------------------------------------------------------------------

    def test_children(self, client: Client, worker: Worker, key: str) -> None:
        result = client.run("family", key)
        assert result == {"children": CHILDREN, "sum": sum(range(CHILDREN))}
        assert len(worker.events(key, "start")) == CHILDREN

    def test_retry_finds_the_same_children(self, client: Client, worker: Worker, key: str) -> None:
        assert client.run("family", key, fails=1)["children"] == CHILDREN
        assert [e["retry_count"] for e in worker.events(key, "parent")] == [0, 1]
        assert len(worker.events(key, "start")) == CHILDREN

    # --- events -----------------------------------------------------------------------------

    def test_event_starts_a_run(self, client: Client, worker: Worker, key: str) -> None:
        client.call(
            "push",
            event="wire:plain",
            payload={"key": key, "number": 3},
            metadata={"lot": key},
        )
        assert worker.wait_event(key, "start")["metadata"]["lot"] == key
        [run] = client.call("list_runs", metadata={"lot": key})
        done = client.wait_status(run["id"], "COMPLETED")
        assert done["output"]["number"] == 3

    def test_filter_of_events(self, client: Client, worker: Worker, key: str) -> None:
        def push(number: int, scope: str | None) -> None:
            payload = {"key": key, "number": number}
            client.call("push", event="wire:filtered", payload=payload, scope=scope)

        push(99, "shop-1")
        push(500, "shop-2")
        push(100, "shop-1")
        assert worker.wait_event(key, "start")["at_least"] == 100
        push(101, "shop-1")
        worker.wait_event(key, "start", number=101)
        assert [event["number"] for event in worker.events(key, "start")] == [100, 101]

    # --- streams ----------------------------------------------------------------------------

    def test_stream(self, client: Client, worker: Worker, key: str) -> None:
        run_id = client.start("streaming", key)
        pieces = client.begin("subscribe", run_id=run_id)
        client.program.wait_for_line(f"^piece .*{run_id}.*early")
        worker.open_gate(key)
        # All that came since the first one, in order, up to the end of the run.
        late = [piece for piece in pieces.result() if piece != "early "]
        assert late == [f"{number} " for number in range(10)]
