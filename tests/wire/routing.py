"""Sticky workflows and labels: what every official SDK must find.

class TestRouting(RoutingTests):
    sdk = TYPESCRIPT
"""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from tests.wire.conftest import Bench
from tests.wire.sdks import Client, Sdk, new_key

ROUNDS = 6  # of what could come right by chance


class RoutingTests:
    """Two workers, each with its name as its label `host`. The tasks are in `routed.py` and
    `routed.mjs` of the programs."""

    sdk: ClassVar[Sdk]

    @pytest.fixture(autouse=True)
    def prepared(self, bench: Bench) -> None:
        bench.pair(self.sdk)

    @pytest.fixture
    def client(self, bench: Bench) -> Client:
        return bench.client(self.sdk)

    @pytest.fixture
    def key(self) -> str:
        return new_key()

    def places(self, client: Client, task: str, key: str, **options: Any) -> list[Any]:
        calls = [client.begin_run(task, key, **options) for _ in range(ROUNDS)]
        return [call.result() for call in calls]

    def test_sl_7_without_wishes_they_take_turns(self, client: Client, key: str) -> None:
        found = self.places(client, "where", key)
        assert {one["host"] for one in found} == {"left", "right"}

    def test_ro_4_required_label_of_a_task(self, client: Client, key: str) -> None:
        assert {one["host"] for one in self.places(client, "on-right", key)} == {"right"}

    def test_ro_8_changed_labels_count_at_once(self, client: Client, key: str) -> None:
        client.run("cheer-up", key, number=1)
        waiting = client.start("in-mood", key)
        assert client.call("get", run_id=waiting)["status"] == "QUEUED"
        changed = client.run("cheer-up", key, number=7)
        run = client.wait_status(waiting, "COMPLETED", timeout_s=5)
        (task,) = run["tasks"]
        assert task["output"]["worker"] == changed["worker"]

    def test_ro_13_sticky_children(self, client: Client, key: str) -> None:
        for found in self.places(client, "stay-parent", key):
            assert set(found["children"]) == {found["worker"]}

    def test_dag_20_tasks_of_a_sticky_workflow(self, client: Client, key: str) -> None:
        found = self.places(client, "together", key)
        assert all(one["first"]["worker"] == one["second"]["worker"] for one in found)
        assert len({one["first"]["worker"] for one in found}) == 2


class NewRoutingTests(RoutingTests):
    """What older versions of the SDKs do not know."""

    def test_ro_7_labels_of_a_run(self, client: Client, key: str) -> None:
        """They replace those of the task."""
        left = {"host": {"value": "left", "required": True}}
        calls = [
            client.begin("run", task=task, input={"key": key}, labels=left)
            for task in ("where", "on-right") * 3
        ]
        assert {call.result()["host"] for call in calls} == {"left"}
