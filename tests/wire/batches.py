"""Batch tasks: what every official SDK that has them must do.

class TestBatches(BatchTests):
    sdk = TYPESCRIPT
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.wire.base import SdkTests
from tests.wire.sdks import Client, SdkError, Worker


class BatchTests(SdkTests):
    """The tasks are in `batches.py` and `batches.mjs` of the programs."""

    @pytest.fixture(autouse=True)
    def _worker(self, worker: Worker) -> None:
        """It must be there."""

    def run_all(self, client: Client, task: str, key: str, inputs: list[Any]) -> list[Any]:
        calls = [client.begin_run(task, key, **one) for one in inputs]
        return [call.result() for call in calls]

    def test_ba_3_by_size_and_ba_6_each_its_own_output(self, client: Client, key: str) -> None:
        found = self.run_all(client, "batch-three", key, [{"number": n} for n in range(3)])
        assert [one["number"] for one in found] == [0, 1, 2]
        assert [one["size"] for one in found] == [3, 3, 3]
        assert len({one["batch"] for one in found}) == 1

    def test_ba_3_by_interval(self, client: Client, key: str) -> None:
        found = self.run_all(client, "batch-three", key, [{"number": 1}, {"number": 2}])
        assert [one["number"] for one in found] == [1, 2]
        assert [one["size"] for one in found] == [2, 2]

    def test_ba_3_three_and_one(self, client: Client, key: str) -> None:
        found = self.run_all(client, "batch-short", key, [{"number": n} for n in range(4)])
        assert sorted(one["size"] for one in found) == [1, 3, 3, 3]

    def test_ba_4_groups(self, client: Client, key: str) -> None:
        inputs = [{"number": n, "group": "ab"[n % 2] + key} for n in range(4)]
        found = self.run_all(client, "batch-grouped", key, inputs)
        assert [one["size"] for one in found] == [2, 2, 2, 2]
        assert len({(one["batch"], one["group"]) for one in found}) == 2

    def test_ba_3_100_items_of_100_000_bytes(self, client: Client, key: str) -> None:
        inputs = [{"number": n, "digit": "x" * 100_000} for n in range(100)]
        found = self.run_all(client, "batch-bytes", key, inputs)
        assert sorted(one["number"] for one in found) == list(range(100))
        assert len(Counter(one["batch"] for one in found)) == 3

    def test_ba_5_a_bad_group_key(self, client: Client, key: str) -> None:
        with pytest.raises(SdkError, match="failed to parse batch group key expression"):
            client.run("batch-picky", key)

    def test_ba_6_broadcast(self, client: Client, key: str) -> None:
        found = self.run_all(client, "batch-broadcast", key, [{"number": n} for n in (1, 2, 3)])
        assert found == [{"sum": 6}] * 3

    def test_ba_7_cancelled_from_inside(self, client: Client, key: str) -> None:
        runs = [client.start("batch-cancelled", key) for _ in range(2)]
        for run in runs:
            client.wait_status(run, "CANCELLED")

    def test_to_11_a_timeout_fails_all(self, client: Client, key: str) -> None:
        calls = [client.begin_run("batch-slow", key) for _ in range(2)]
        for call in calls:
            with pytest.raises(SdkError, match="exceeded timeout of 1s"):
                call.result()
